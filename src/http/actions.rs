//! What people do to deliveries: retry, hold, release, cancel, resolve, amend, one by one or many at once.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::{find, shown, states, visible};
use super::extract::{Body, Fields, Params};
use super::problem::{Kind, Problem};
use super::view::Around;
use crate::catalogue::{Kind as OperationKind, Operation, RemoteIds, at};
use crate::intake::{self, Fault, json::pointer, json::step};
use crate::queue::transition::{Event, Illegal};
use crate::queue::{Delivery, DeliveryId, State};
use crate::secret::Private;
use crate::store::{Act, Acted, AuditEntry, DeliveryFilter, EntryBody, Refused};
use crate::vault::Role;
use crate::words::words;

/// Most deliveries in one bulk action.
const BULK_MAX: usize = 1000;

words! {
    /// What can be done to a delivery without more than a reason.
    Action {
        /// Try again (or look up, while the outcome is unknown).
        Retry = "retry",
        /// Stop.
        Hold = "hold",
        /// Let go again.
        Release = "release",
        /// Withdraw.
        Cancel = "cancel",
    }
}

impl Action {
    fn event(self, reason: &str) -> Event {
        match self {
            Self::Retry => Event::Retry,
            Self::Hold => Event::Hold { reason: reason.to_owned() },
            Self::Release => Event::Release,
            Self::Cancel => Event::Cancel { reason: reason.to_owned() },
        }
    }
}

macro_rules! simple {
    ($($name:ident = $action:ident;)*) => {$(
        pub(super) async fn $name(
            AppState(app): AppState<Arc<App>>,
            Extension(caller): Extension<Caller>,
            Path(text): Path<String>,
            params: Params,
            body: Body,
        ) -> Result<Json<Value>, Problem> {
            params.finish()?;
            one(&app, &caller, &text, body, Action::$action).await
        }
    )*};
}

simple! {
    retry = Retry;
    hold = Hold;
    release = Release;
    cancel = Cancel;
}

async fn one(app: &Arc<App>, caller: &Caller, text: &str, body: Body, action: Action) -> Result<Json<Value>, Problem> {
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    fields.finish()?;
    let delivery = find(app, caller, text).await?;
    own_refused_only(caller, &delivery)?;
    let act = act(app, caller, delivery.id, action.word(), action.event(&reason), reason);
    done(app, apply(app, act).await?).await
}

pub(super) async fn resolve(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    let verdict = fields.required("verdict", 10);
    let remote = fields.parsed("remote", "objek JSON berisi nomor dari BPJS", |value| value.as_object().cloned());
    if !matches!(verdict.as_str(), "" | "adopt" | "absent") {
        fields.fault("verdict", "harus adopt (ada di BPJS) atau absent (tidak ada di BPJS)");
    }
    if verdict == "absent" && remote.is_some() {
        fields.fault("remote", "hanya untuk verdict adopt");
    }
    fields.finish()?;
    let delivery = find(&app, &caller, &text).await?;
    let mut act = act(&app, &caller, delivery.id, "resolve", Event::DeclareAbsent, reason);
    if verdict == "adopt" {
        let operation = operation_of(&app, &delivery)?;
        let body = app.store.entry_body(delivery.id).await?;
        let adopted = Adopted::read(operation, &delivery, body.as_ref(), &remote.unwrap_or_default())?;
        act.owns = adopted.owns;
        act.event = Event::Adopt { ids: Private::new(adopted.ids) };
    }
    done(&app, apply(&app, act).await?).await
}

/// A person says, settling a difference, which ids at BPJS an entry has.
pub(super) async fn adopt(
    app: &Arc<App>,
    caller: &Caller,
    text: &str,
    remote: &Map<String, Value>,
    reason: String,
) -> Result<(), Problem> {
    let delivery = find(app, caller, text).await?;
    let operation = operation_of(app, &delivery)?;
    let body = app.store.entry_body(delivery.id).await?;
    let adopted = Adopted::read(operation, &delivery, body.as_ref(), remote)?;
    let mut act = act(app, caller, delivery.id, "resolve", Event::Adopt { ids: Private::new(adopted.ids) }, reason);
    act.owns = adopted.owns;
    apply(app, act).await?.map(|_| ())
}

pub(super) async fn amend(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    let handed_in = fields.value("payload").unwrap_or_default();
    fields.finish()?;
    let delivery = find(&app, &caller, &text).await?;
    own_refused_only(&caller, &delivery)?;
    let operation = operation_of(&app, &delivery)?;
    let payload = operation.unwrap_body(handed_in);
    let mut faults = intake::payload_faults(operation, &payload, "/payload");
    let before = app.store.entry_body(delivery.id).await?;
    let card = |payload: &Value| intake::card_of(operation, payload).map(str::to_owned);
    let day = |payload: &Value| intake::payload_date(operation, payload);
    let other = |of: &dyn Fn(&Value) -> bool| {
        faults.is_empty() && before.as_ref().is_some_and(|kept| of(kept.current.expose()))
    };
    let (other_card, other_day) =
        (other(&|kept| card(kept) != card(&payload)), other(&|kept| day(kept) != day(&payload)));
    if other_day {
        // The entry's dates and its turn were reckoned from this day at acceptance.
        let field = operation.date_field.as_deref().unwrap_or_default();
        let detail = "tanggal pelayanan tidak dapat diganti dengan amend: batalkan (cancel), lalu serahkan entri baru";
        faults.push(Fault::new(format!("/payload{}", pointer(field)), detail));
    }
    if other_card {
        // Order is kept per patient from acceptance on: another card would be another queue.
        let field = operation.patient_field.as_deref().unwrap_or_default();
        let detail = "kartu tidak dapat diganti dengan amend: batalkan (cancel), lalu serahkan entri baru";
        faults.push(Fault::new(format!("/payload{}", pointer(field)), detail));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let mut act = act(&app, &caller, delivery.id, "amend", Event::Amend, reason);
    act.payload = Some(Private::new(payload));
    done(&app, apply(&app, act).await?).await
}

/// What a person says about an entry that is at BPJS.
struct Adopted {
    ids: RemoteIds,
    owns: Option<(String, Vec<String>, String)>,
}

impl Adopted {
    /// Needs every id that the operation gives and, for an add, what those ids are unique within.
    fn read(
        operation: &Operation,
        delivery: &Delivery,
        body: Option<&EntryBody>,
        remote: &Map<String, Value>,
    ) -> Result<Self, Problem> {
        let known = |name: &str| {
            let mut names = operation.gives.iter().chain(&operation.gives_also).chain(&operation.own_id);
            names.any(|own| own == name) || operation.id_scope.iter().any(|own| own == name)
        };
        let (mut ids, mut faults) = (RemoteIds::new(), Vec::new());
        for (name, value) in remote {
            let pointer = format!("/remote{}", step(name));
            let fits = |text: &String| (1..=50).contains(&text.len()) && !text.chars().any(char::is_control);
            match intake::text_of(value).map(|text| text.trim().to_owned()).filter(fits) {
                _ if !known(name) => faults.push(Fault::new(pointer, format!("tidak diberi oleh {}", operation.name))),
                Some(id) => {
                    ids.insert(name.clone(), id);
                }
                None => faults.push(Fault::new(pointer, "harus nomor dari BPJS berupa teks atau angka")),
            }
        }
        let payload = body.map(|body| body.current.expose());
        let handed_in =
            |name: &str| at(payload?, name).filter(|v| !crate::catalogue::is_unset(v)).and_then(intake::text_of);
        let value_of = |name: &str| {
            let filled = || delivery.progress.remote.expose().get(name).cloned();
            ids.get(name).cloned().or_else(|| handed_in(name)).or_else(filled)
        };
        let adds = operation.kind == OperationKind::Add;
        for name in operation.gives.iter().chain(operation.id_scope.iter().filter(|_| adds)) {
            if value_of(name).is_none() && !faults.iter().any(|fault| fault.pointer == format!("/remote/{name}")) {
                faults.push(Fault::new(format!("/remote/{name}"), "wajib diisi untuk adopt: lihat nomornya di P-Care"));
            }
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let primary = operation.gives.first().or(operation.own_id.as_ref()).and_then(|name| value_of(name));
        let scope = intake::scope_values(operation, value_of);
        let owns = match (adds, primary, scope) {
            (true, Some(id), Some(scope)) => Some((operation.name.clone(), scope, id)),
            (true | false, _, _) => None,
        };
        Ok(Self { ids, owns })
    }
}

pub(super) async fn bulk(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let words: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
    let words = words.join(", ");
    let action = fields.parsed("action", &words, |value| Action::of_word(value.as_str()?));
    let filter = fields.parsed("filter", "objek JSON", |value| value.as_object().cloned()).unwrap_or_default();
    let dry_run = fields.parsed("dry_run", "true atau false", Value::as_bool).unwrap_or(false);
    let reason = fields.reason();
    let Some(action) = action else {
        fields.fault("action", format!("wajib diisi: {words}"));
        return Err(fields.finish().err().unwrap_or_else(Problem::not_found));
    };
    fields.finish()?;
    let (rows, more) = chosen(&app, &caller, filter).await?;
    let (mut moved, mut refused) = (Vec::new(), Vec::new());
    for delivery in &rows {
        if dry_run {
            moved.push(json!({ "id": delivery.id.to_string(), "state": delivery.progress.state.word() }));
            continue;
        }
        let act = act(&app, &caller, delivery.id, action.word(), action.event(&reason), reason.clone());
        match apply(&app, act).await? {
            Ok(now) => moved.push(json!({ "id": now.id.to_string(), "state": now.progress.state.word() })),
            Err(problem) => refused.push(json!({ "id": delivery.id.to_string(), "detail": problem.detail })),
        }
    }
    Ok(Json(json!({
        "action": action.word(), "dry_run": dry_run, "matched": rows.len(), "items": moved, "refused": refused, "more": more,
    })))
}

/// The deliveries a filter means; one without any criterion means nothing, so that a slip of the finger does not move
/// everything.
async fn chosen(app: &App, caller: &Caller, filter: Map<String, Value>) -> Result<(Vec<Delivery>, bool), Problem> {
    if filter.is_empty() {
        let detail = "isi sedikitnya satu dari ids, state, facility, operation, why, late";
        return Err(Problem::invalid(vec![Fault::new("/filter", detail)]));
    }
    let mut fields = Fields::of(Body(Private::new(Value::Object(filter))))?;
    let facility = fields.text("facility", 20);
    let ids = fields.parsed("ids", "daftar id, paling banyak 1000", |value| {
        let list = value.as_array().filter(|list| list.len() <= BULK_MAX)?;
        list.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    let state = fields.parsed("state", &states(), |value| State::of_word(value.as_str()?));
    let operation = fields.text("operation", 60);
    let why = fields.text("why", 60);
    let late = fields.parsed("late", "true atau false", Value::as_bool).map(|late| (late, app.clock.now()));
    fields.finish()?;
    let facilities = caller.scope(facility.as_deref())?;
    let Some(ids) = ids else {
        let filter = DeliveryFilter { facilities, state, operation, why, late, after: None, limit: BULK_MAX };
        let (rows, next) = visible(app, caller, filter).await?;
        return Ok((rows, next.is_some()));
    };
    let mut rows = Vec::new();
    for id in &ids {
        let delivery = find(app, caller, id).await?;
        let fits = state.is_none_or(|state| delivery.progress.state == state)
            && facility.as_ref().is_none_or(|code| delivery.facility == *code)
            && operation.as_ref().is_none_or(|name| delivery.operation == *name)
            && why.as_ref().is_none_or(|code| delivery.progress.why.as_ref().is_some_and(|why| why.code == *code))
            && late.is_none_or(|(late, now)| delivery.is_late(now) == late);
        if fits {
            rows.push(delivery);
        }
    }
    Ok((rows, false))
}

/// The SIM mends what BPJS refused; everything else is for the facility's operator.
fn own_refused_only(caller: &Caller, delivery: &Delivery) -> Result<(), Problem> {
    let may = match caller.role {
        Role::Operator => true,
        Role::Sim => delivery.progress.state == State::Refused,
        Role::Network | Role::Viewer | Role::MobileJkn => false,
    };
    if may {
        return Ok(());
    }
    let state = delivery.progress.state;
    let detail = format!("Keadaannya {state}: klien SIM hanya boleh mengubah entri yang refused; mintalah petugas.");
    Err(Problem::new(Kind::Forbidden, detail).with("state", state.word()))
}

fn operation_of<'a>(app: &'a App, delivery: &Delivery) -> Result<&'a Operation, Problem> {
    let unknown = || Problem::new(Kind::Internal, "Operasi entri ini tidak ada lagi dalam katalog versi ini.");
    app.catalogue.operation(&delivery.operation).ok_or_else(unknown)
}

fn act(app: &App, caller: &Caller, id: DeliveryId, word: &str, event: Event, reason: String) -> Act {
    let now = app.clock.now();
    let audit = AuditEntry {
        at: now,
        actor: caller.name.clone(),
        action: format!("delivery.{word}"),
        object: id.to_string(),
        detail: reason,
    };
    Act { id, event, payload: None, owns: None, now, base: app.base(), audit }
}

/// On its own task, so that a client that hangs up does not stop it half-way. The inner result is the store's verdict.
async fn apply(app: &Arc<App>, act: Act) -> Result<Result<Delivery, Problem>, Problem> {
    let store = Arc::clone(&app.store);
    let Ok(acted) = tokio::spawn(async move { store.act(act).await }).await else {
        return Err(Problem::new(Kind::Internal, "Tindakan tidak selesai; periksa keadaannya, lalu ulangi."));
    };
    Ok(match acted? {
        Acted::Done(delivery) => Ok(*delivery),
        Acted::Unknown => Err(Problem::not_found()),
        Acted::Refused(delivery, refused) => Err(conflict(&delivery, refused)),
    })
}

async fn done(app: &App, acted: Result<Delivery, Problem>) -> Result<Json<Value>, Problem> {
    let delivery = acted?;
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    Ok(Json(shown(app, &delivery, &around)))
}

fn conflict(delivery: &Delivery, refused: Refused) -> Problem {
    let state = delivery.progress.state;
    let problem = match refused {
        Refused::Owned(owner) => Problem::new(
            Kind::State,
            format!("Nomor itu sudah dimiliki pengantaran {owner}. Periksa nomornya, atau batalkan entri yang ganda."),
        )
        .with("owner", owner.to_string()),
        Refused::Illegal(illegal) => Problem::new(Kind::State, format!("Keadaannya {state}. {}", remedy(illegal))),
    };
    problem.with("state", state.word())
}

const fn remedy(illegal: Illegal) -> &'static str {
    match illegal {
        Illegal::InDoubt => {
            "Hasil percobaan sebelumnya belum diketahui: tunggu pencarian di BPJS, pakai retry untuk mencari lagi, atau putuskan dengan resolve."
        }
        Illegal::Busy => "Sedang dikerjakan saat ini juga; ulangi beberapa detik lagi.",
        Illegal::State(state) => match state {
            State::Waiting => "Entri ini memang akan dikirim; hold menahannya, cancel membatalkannya.",
            State::Sending => "Sedang dikirim; tunggu hasilnya.",
            State::Unanswered => "Sedang dicari di BPJS; tunggu hasilnya, atau putuskan dengan resolve.",
            State::Delivered => "Sudah ada di BPJS; untuk mengubahnya serahkan entri ubah atau hapus.",
            State::Refused => {
                "Ditolak BPJS: perbaiki dengan amend, coba lagi dengan retry, atau batalkan dengan cancel."
            }
            State::Held => "Ditahan: lepaskan dengan release, putuskan dengan resolve, atau batalkan dengan cancel.",
            State::Expired => "Lewat tanggal terakhir: retry bila BPJS masih menerimanya, atau cancel.",
            State::Cancelled => "Sudah dibatalkan; serahkan entri baru bila masih perlu.",
        },
    }
}
