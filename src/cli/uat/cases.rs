//! How each case of the checklist is tried: everything over the daemon's API and the real wire.
//!
//! What a case saw is told without personal data: ids and figures. A simulator's faults are set for one card or one call,
//! so that cases do not disturb each other; whatever a fault script adds from outside is left in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use jiff::civil::Date;
use reqwest::Method;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::list::{Case, Filling, Flow, Run};
use crate::audit;
use crate::catalogue::Service;
use crate::cli::bench::{Bench, LISTS, Mirror};
use crate::clock::Clock;
use crate::protocol::sign::Stamp;
use crate::remote::{Remote, Status, Step};
use crate::secret::Password;
use crate::simulator::DownMode;
use crate::simulator::faults::{Fault, Kind};
use crate::vault::CredentialName;

/// A clock that is further off is refused by BPJS sooner or later.
const MAX_SKEW_SECONDS: u64 = 60;
/// How far the simulator's clock is set off.
const SKEW_SECONDS: i64 = 900;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// The password that staff changes to.
const NEW_PASSWORD: &str = "Uji-Penerimaan#2026";

/// What a passed case shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) evidence: Vec<String>,
}

fn seen(text: impl Into<String>, evidence: &[(&str, &str)]) -> Seen {
    let evidence = evidence.iter().map(|(what, id)| format!("{what} {id}")).collect();
    Seen { text: text.into(), evidence }
}

/// A delivery of the written entries.
#[derive(Debug, Clone)]
struct Done {
    operation: String,
    state: String,
    code: String,
    id: String,
}

/// What became of the entries that are written once for all rows.
#[derive(Debug, Clone, Default)]
struct Written {
    rows: Vec<Done>,
    submission: String,
    /// What is still at BPJS after everything was taken back, by the operation that added it.
    left: BTreeMap<String, usize>,
}

/// Everything the cases stand on.
pub(super) struct Stand {
    pub(super) bench: Bench,
    pub(super) mirror: Option<Mirror>,
    pub(super) remote: Remote,
    pub(super) clock: Clock,
    pub(super) facility: String,
    /// The service day.
    pub(super) day: Date,
    /// The card given for the development host.
    pub(super) card: Option<String>,
    pub(super) flow: Flow,
    /// The longest wait for anything.
    pub(super) patience: Duration,
    /// What must stand nowhere in clear.
    pub(super) secrets: Vec<Zeroizing<String>>,
    pub(super) log: PathBuf,
    pub(super) reference: String,
    pub(super) state: State,
}

/// What the cases leave for those that follow.
#[derive(Default)]
pub(super) struct State {
    cards: Vec<String>,
    doctor: Option<String>,
    written: Option<Written>,
    /// The last entry of the security log.
    pub(super) checkpoint: Option<(i64, String)>,
}

impl Stand {
    /// Tries one case.
    pub(super) async fn try_case(&mut self, case: &Case) -> anyhow::Result<Seen> {
        match case.run {
            Run::Signature => self.signature().await,
            Run::Decrypt => self.decrypt().await,
            Run::Clock => self.clock().await,
            Run::Write => self.write(case).await,
            Run::SameSubmission => self.same_submission().await,
            Run::AlreadyThere => self.already_there(case).await,
            Run::Refusal => self.refusal(case).await,
            Run::LostAnswer => self.lost_answer(case).await,
            Run::Outage => self.outage(case).await,
            Run::Credentials => self.credentials(case).await,
            Run::Skew => self.skew(case).await,
            Run::Pause => self.pause(case).await,
            Run::Reconciliation => self.reconciliation().await,
            Run::SecurityLog => self.security_log().await,
            Run::Secrets => self.secrets(),
        }
    }

    // ---- helpers --------------------------------------------------------------------------------------------------

    fn mirror(&self) -> anyhow::Result<&Mirror> {
        self.mirror.as_ref().ok_or_else(|| anyhow!("hanya dengan simulator"))
    }

    /// A card of this case alone, or the one that was given.
    fn card(&mut self) -> String {
        let card = self.card.clone().unwrap_or_else(|| format!("000999{:07}", self.state.cards.len() + 1));
        self.state.cards.push(card.clone());
        card
    }

    async fn doctor(&mut self) -> anyhow::Result<String> {
        if let Some(doctor) = &self.state.doctor {
            return Ok(doctor.clone());
        }
        let rows = self.doctors().await?;
        let code = rows.first().and_then(|row| row["kdDokter"].as_str()).map(str::to_owned);
        let code = code.ok_or_else(|| anyhow!("daftar dokter kosong"))?;
        self.state.doctor = Some(code.clone());
        Ok(code)
    }

    async fn doctors(&self) -> anyhow::Result<Vec<Value>> {
        let args = [("start", "0"), ("limit", "10")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stamp = Stamp::at(self.clock.now());
        let rows = self.remote.read(&self.facility, "pcare.dokter.list", &args, stamp).await;
        let rows = rows.map_err(|failure| anyhow!("daftar dokter tidak terbaca: {}", failure.why))?;
        Ok(rows.rows)
    }

    async fn chain(&mut self, operation: &str, card: &str) -> anyhow::Result<Vec<Value>> {
        let doctor = self.doctor().await?;
        self.flow.chain(operation, &self.filling(card, &doctor))
    }

    fn filling<'a>(&'a self, card: &'a str, doctor: &'a str) -> Filling<'a> {
        Filling { reference: &self.reference, facility: &self.facility, card, doctor, day: self.day }
    }

    async fn hand_in(&self, name: &str, entries: &[Value]) -> anyhow::Result<Value> {
        let body = json!({ "facility": self.facility, "ref": name, "entries": entries });
        self.bench.submit(&body).await
    }

    /// Hands the case's operation in for a card and gives back submission and the delivery of the operation.
    async fn start(&mut self, case: &Case, card: &str) -> anyhow::Result<(String, String)> {
        let operation = case.operations.first().ok_or_else(|| anyhow!("tanpa operasi"))?;
        let entries = self.chain(operation, card).await?;
        let answer = self.hand_in(&format!("{}-{}", self.reference, case.id), &entries).await?;
        let deliveries = answer["deliveries"].as_array().into_iter().flatten();
        let id = deliveries.filter(|one| one["operation"] == **operation).find_map(|one| one["id"].as_str());
        let id = id.ok_or_else(|| anyhow!("tanpa pengantaran"))?.to_owned();
        Ok((answer["id"].as_str().unwrap_or_default().to_owned(), id))
    }

    async fn delivery(&self, id: &str) -> anyhow::Result<Value> {
        self.bench.get(&format!("/v1/deliveries/{id}")).await
    }

    /// Waits until `look` finds something.
    async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(began.elapsed() < self.patience, "{what}: tidak terjadi dalam {} detik", self.patience.as_secs());
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn finished(&self, id: &str) -> anyhow::Result<Value> {
        self.until("entri selesai", async || Ok(Some(self.delivery(id).await?).filter(is_final))).await
    }

    /// Waits until an entry is at BPJS; anything else final is a failure.
    async fn arrived(&self, id: &str) -> anyhow::Result<Value> {
        let done = self.finished(id).await?;
        ensure!(done["state"] == "delivered", "berakhir {} ({})", word(&done, "state"), code(&done));
        Ok(done)
    }

    /// How many rows BPJS has of what an operation adds.
    async fn at_bpjs(&self, operation: &str) -> anyhow::Result<usize> {
        let list = LISTS.iter().find(|(_, of)| *of == operation).ok_or_else(|| anyhow!("{operation}"))?.0;
        let ledger = self.mirror()?.get("/_sim/ledger").await?;
        Ok(ledger[list].as_array().map_or(0, Vec::len))
    }

    /// The same of every operation; nothing where nobody can look.
    async fn everything_at_bpjs(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let Some(mirror) = &self.mirror else { return Ok(BTreeMap::new()) };
        let ledger = mirror.get("/_sim/ledger").await?;
        let of = |list: &str| ledger[list].as_array().map_or(0, Vec::len);
        Ok(LISTS.iter().map(|(list, operation)| ((*operation).to_owned(), of(list))).collect())
    }

    // ---- the wire -------------------------------------------------------------------------------------------------

    async fn signature(&self) -> anyhow::Result<Seen> {
        let report = self.remote.probe(&self.facility, Service::Pcare).await;
        ensure!(report.passes(), "gagal pada lapisan {}", report.cause().unwrap_or("?"));
        let good = |step| report.checks.iter().any(|check| check.step == step && check.status == Status::Ok);
        ensure!(good(Step::Http) && good(Step::Business), "aplikasi BPJS tidak menjawab");
        let layers = report.checks.iter().filter(|check| check.status == Status::Ok).count();
        let version = report.credential_version.to_string();
        Ok(seen(format!("{layers} lapisan menjawab baik"), &[("versi kredensial", &version)]))
    }

    async fn decrypt(&self) -> anyhow::Result<Seen> {
        let rows = self.doctors().await?;
        ensure!(rows.iter().any(|row| row["kdDokter"].is_string()), "daftar dokter kosong");
        Ok(seen(format!("{} baris terbaca", rows.len()), &[]))
    }

    async fn clock(&self) -> anyhow::Result<Seen> {
        let report = self.remote.probe(&self.facility, Service::Pcare).await;
        let skew = report.skew_seconds.ok_or_else(|| anyhow!("BPJS tidak memberi tahu jamnya"))?;
        ensure!(skew.unsigned_abs() <= MAX_SKEW_SECONDS, "selisih {skew} detik");
        Ok(seen(format!("selisih {skew} detik"), &[]))
    }

    // ---- entries --------------------------------------------------------------------------------------------------

    async fn write(&mut self, case: &Case) -> anyhow::Result<Seen> {
        if self.state.written.is_none() {
            // One try: half of it may have landed.
            self.state.written = Some(Written::default());
            self.state.written = Some(self.write_all().await?);
        }
        let written = self.state.written.as_ref().context("entri uji")?;
        for operation in &case.operations {
            ensure!(written.rows.iter().any(|row| row.operation == *operation), "{operation}: tidak sampai diserahkan");
        }
        let mine: Vec<&Done> = written.rows.iter().filter(|row| case.operations.contains(&row.operation)).collect();
        for row in &mine {
            ensure!(
                row.state == "delivered",
                "{} berakhir {} ({}), pengantaran {}",
                row.operation,
                row.state,
                row.code,
                row.id
            );
        }
        let left = case.operations.iter().filter_map(|operation| written.left.get(operation));
        ensure!(left.sum::<usize>() == 0, "setelah dihapus masih ada di BPJS");
        let ids: Vec<(&str, &str)> = mine.iter().map(|row| ("pengantaran", row.id.as_str())).collect();
        Ok(seen(format!("{} entri sampai", mine.len()), &ids))
    }

    /// Adds everything, changes it, takes it back.
    async fn write_all(&mut self) -> anyhow::Result<Written> {
        let (card, doctor) = (self.card(), self.doctor().await?);
        let before = self.everything_at_bpjs().await?;
        let filling = self.filling(&card, &doctor);
        let (add, undo) = (self.flow.additions(&filling)?, self.flow.undoing(&filling)?);
        let mut written = Written::default();
        for (name, entries) in [(self.reference.clone(), add), (format!("{}-hapus", self.reference), undo)] {
            let answer = self.hand_in(&name, &entries).await?;
            if written.submission.is_empty() {
                written.submission = word(&answer, "id").to_owned();
            }
            for one in answer["deliveries"].as_array().into_iter().flatten() {
                let done = self.finished(word(one, "id")).await?;
                let text = |name| word(&done, name).to_owned();
                let (operation, state, id) = (text("operation"), text("state"), text("id"));
                written.rows.push(Done { operation, state, code: code(&done), id });
            }
        }
        written.left = self.everything_at_bpjs().await?;
        for (operation, left) in &mut written.left {
            *left = left.abs_diff(before.get(operation).copied().unwrap_or_default());
        }
        Ok(written)
    }

    async fn same_submission(&mut self) -> anyhow::Result<Seen> {
        let (card, doctor) = (self.state.cards.first().cloned(), self.doctor().await?);
        let card = card.ok_or_else(|| anyhow!("belum ada entri yang ditulis"))?;
        let entries = self.flow.additions(&self.filling(&card, &doctor))?;
        let before = self.bench.deliveries().await?.len();
        let answer = self.hand_in(&self.reference, &entries).await?;
        let first = self.state.written.as_ref().map(|written| written.submission.clone()).unwrap_or_default();
        ensure!(word(&answer, "id") == first, "dijawab dengan kiriman lain");
        let after = self.bench.deliveries().await?.len();
        ensure!(before == after, "{} entri menjadi {after}", before);
        Ok(seen("kiriman yang sama, tidak ada entri baru", &[("kiriman", &first)]))
    }

    async fn already_there(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        let operation = case.operations.first().cloned().unwrap_or_default();
        let payload = self.chain(&operation, &card).await?.last().map(|entry| entry["payload"].clone());
        self.mirror()?.order("/_sim/pendaftaran", &payload.unwrap_or_default()).await?;
        let before = self.at_bpjs(&operation).await?;
        let (submission, id) = self.start(case, &card).await?;
        let done = self.arrived(&id).await?;
        ensure!(done["how"] == "already_there", "sampai sebagai {}", word(&done, "how"));
        ensure!(self.at_bpjs(&operation).await? == before, "BPJS mempunyai salinan");
        Ok(seen("diakui, tidak ditambah", &[("kiriman", &submission), ("pengantaran", &id)]))
    }

    async fn refusal(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        self.mirror()?.order("/_sim/peserta", &json!({ "noKartu": card, "skrining": false })).await?;
        let (submission, id) = self.start(case, &card).await?;
        let done = self.finished(&id).await?;
        ensure!(done["state"] == "refused", "berakhir {}", word(&done, "state"));
        for name in ["message", "meaning", "who", "next"] {
            ensure!(done["why"][name].as_str().is_some_and(|text| !text.is_empty()), "tanpa {name}");
        }
        let who = word(&done["why"], "who");
        // What a person does next: the screening is filled in, and the entry is tried again on purpose.
        self.mirror()?.order("/_sim/peserta", &json!({ "noKartu": card, "skrining": true })).await?;
        let reason = json!({ "reason": "uji penerimaan: skrining diisi" });
        self.bench.order(Method::POST, &format!("/v1/deliveries/{id}/retry"), &reason).await?;
        self.arrived(&id).await?;
        Ok(seen(
            format!("ditolak ({}), yang bertindak: {who}; sampai setelah diperbaiki", code(&done)),
            &[("kiriman", &submission), ("pengantaran", &id)],
        ))
    }

    async fn lost_answer(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        let operation = case.operations.first().cloned().unwrap_or_default();
        let before = self.at_bpjs(&operation).await?;
        let lost = Fault { count: Some(1), ..Fault::new(&operation, Kind::LandThenTimeout) };
        self.mirror()?.simulator.add_faults(vec![lost]).map_err(|fault| anyhow!(fault))?;
        let (submission, id) = self.start(case, &card).await?;
        let done = self.arrived(&id).await?;
        ensure!(done["how"] == "adopted", "sampai sebagai {}", word(&done, "how"));
        let after = self.at_bpjs(&operation).await?;
        ensure!(after == before + 1, "BPJS mempunyai {} salinan", after.saturating_sub(before));
        Ok(seen("dicari, ditemukan, diakui; satu di BPJS", &[("kiriman", &submission), ("pengantaran", &id)]))
    }

    // ---- disturbances ---------------------------------------------------------------------------------------------

    async fn outage(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        // What the entries are made of is asked for before the line is cut.
        self.doctor().await?;
        self.mirror()?.simulator.down(DownMode::Refuse, None);
        let played = self.during_outage(case, &card).await;
        self.mirror()?.simulator.up();
        let (submission, id, outage) = played?;
        self.arrived(&id).await?;
        self.until("gangguan ditutup", async || {
            let now = self.bench.get(&format!("/v1/outages/{outage}")).await?;
            Ok(now["closed_at"].is_string().then_some(()))
        })
        .await?;
        Ok(seen(
            "diterima selama gangguan, sampai sesudahnya",
            &[("gangguan", &outage), ("kiriman", &submission), ("pengantaran", &id)],
        ))
    }

    async fn during_outage(&mut self, case: &Case, card: &str) -> anyhow::Result<(String, String, String)> {
        let (submission, id) = self.start(case, card).await?;
        let outage = self
            .until("gangguan tercatat", async || {
                let all = self.bench.outages().await?;
                Ok(all.iter().find(|one| one["closed_at"].is_null()).map(|one| one["id"].to_string()))
            })
            .await?;
        ensure!(!is_final(&self.delivery(&id).await?), "entri berakhir selama gangguan");
        Ok((submission, id, outage))
    }

    async fn credentials(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        self.mirror()?.simulator.set_password(Password::new(NEW_PASSWORD));
        self.secrets.push(Zeroizing::new(NEW_PASSWORD.to_owned()));
        let stopped = self.until_blocked(case, &card, "credentials").await;
        // Whatever happened, what follows needs the way in.
        let version =
            self.bench.vault.put(&self.facility, CredentialName::PcarePassword, NEW_PASSWORD, self.clock.now())?;
        let (submission, id) = stopped?;
        self.arrived(&id).await?;
        let version = version.to_string();
        Ok(seen(
            "pengiriman berhenti, lalu berlanjut dengan kata sandi baru",
            &[("kiriman", &submission), ("pengantaran", &id), ("versi kredensial", &version)],
        ))
    }

    /// Hands in and waits until the entry waits for this.
    async fn until_blocked(&mut self, case: &Case, card: &str, kind: &str) -> anyhow::Result<(String, String)> {
        let (submission, id) = self.start(case, card).await?;
        let now = self
            .until(&format!("entri menunggu ({kind})"), async || {
                let now = self.delivery(&id).await?;
                Ok((is_final(&now) || now["blocked_by"]["kind"] == kind).then_some(now))
            })
            .await?;
        ensure!(!is_final(&now), "entri berakhir {}", word(&now, "state"));
        Ok((submission, id))
    }

    async fn skew(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        self.doctor().await?;
        self.mirror()?.simulator.set_skew(SKEW_SECONDS);
        let played = self.during_skew(case, &card).await;
        self.mirror()?.simulator.set_skew(0);
        let (submission, id) = played?;
        self.arrived(&id).await?;
        Ok(seen(
            format!("selisih {SKEW_SECONDS} detik dikenali; entri menunggu, lalu sampai"),
            &[("kiriman", &submission), ("pengantaran", &id)],
        ))
    }

    async fn during_skew(&mut self, case: &Case, card: &str) -> anyhow::Result<(String, String)> {
        let (submission, id) = self.start(case, card).await?;
        self.until("selisih jam terlihat", async || {
            let health = self.bench.get("/health").await?;
            let mut checks = health["checks"].as_array().into_iter().flatten();
            Ok(checks.any(|check| check["name"] == "clock" && check["status"] != "ok").then_some(()))
        })
        .await?;
        let now = self.delivery(&id).await?;
        ensure!(!is_final(&now), "entri berakhir {}", word(&now, "state"));
        Ok((submission, id))
    }

    async fn pause(&mut self, case: &Case) -> anyhow::Result<Seen> {
        let card = self.card();
        let body = json!({ "facility": self.facility, "reason": "uji penerimaan" });
        self.bench.order(Method::POST, "/v1/pauses", &body).await?;
        let stopped = self.until_blocked(case, &card, "lane").await;
        let attempts = match &stopped {
            Ok((_, id)) => self.delivery(id).await?["attempts"].as_i64().unwrap_or_default(),
            Err(_) => 0,
        };
        self.bench.order(Method::DELETE, "/v1/pauses", &body).await?;
        let (submission, id) = stopped?;
        ensure!(attempts == 0, "{attempts} percobaan selama dijeda");
        self.arrived(&id).await?;
        Ok(seen(
            "diterima, tidak dikirim, sampai setelah dilanjutkan",
            &[("kiriman", &submission), ("pengantaran", &id)],
        ))
    }

    // ---- what is kept ---------------------------------------------------------------------------------------------

    async fn reconciliation(&self) -> anyhow::Result<Seen> {
        // What is younger than BPJS may take to show it is left out: compared again until nothing is.
        let found = self
            .until("semua entri dapat dibandingkan", async || {
                let found = self.bench.reconcile(&self.facility, self.day).await?;
                Ok((found["moving"] == 0).then_some(found))
            })
            .await?;
        ensure!(found["complete"] == true, "daftar BPJS tidak lengkap");
        let counts: BTreeMap<String, i64> = serde_json::from_value(found["counts"].clone()).context("counts")?;
        let of = |class: &str| counts.get(class).copied().unwrap_or_default();
        for class in ["differs", "only_here", "only_bpjs", "only_sim", "unanswered"] {
            ensure!(of(class) == 0, "{class}: {}", of(class));
        }
        ensure!(of("equal") > 0, "tidak ada yang dibandingkan");
        Ok(seen(format!("{} sama, tidak ada perbedaan", of("equal")), &[("rekonsiliasi", word(&found, "id"))]))
    }

    async fn security_log(&mut self) -> anyhow::Result<Seen> {
        // An act of a person, so that there is one to find.
        let body = json!({ "facility": self.facility, "reason": "uji penerimaan: log keamanan" });
        self.bench.order(Method::POST, "/v1/pauses", &body).await?;
        self.bench.order(Method::DELETE, "/v1/pauses", &body).await?;
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.bench.get_as_operator(&format!("/v1/audit?limit=1000{cursor}")).await?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let read = items.iter().map(crate::cli::audit::entry).collect::<Option<Vec<_>>>();
            entries.extend(read.ok_or_else(|| anyhow!("log tidak terbaca"))?);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => break,
            }
        }
        audit::verify(&audit::genesis(), 1, &entries).map_err(|seq| anyhow!("rantai putus pada catatan {seq}"))?;
        let last = entries.last().ok_or_else(|| anyhow!("log kosong"))?;
        self.state.checkpoint = Some((last.seq, last.hash.clone()));
        let cap = format!("{}:{}", last.seq, last.hash.chars().take(16).collect::<String>());
        Ok(seen(format!("{} catatan, rantai utuh", entries.len()), &[("cap jurnal", &cap)]))
    }

    fn secrets(&self) -> anyhow::Result<Seen> {
        let tokens = [self.bench.sim.expose().clone(), self.bench.viewer.expose().clone(), self.bench.operator()];
        let own = self.secrets.iter().map(|secret| secret.as_str());
        let needles: Vec<&str> =
            own.chain(tokens.iter().map(String::as_str)).chain(self.state.cards.iter().map(String::as_str)).collect();
        let (mut files, mut bytes) = (0_usize, 0_usize);
        let names =
            ["jembatan.db", "jembatan.db-wal", "vault", "vault.clients"].map(|name| self.bench.home().join(name));
        for path in names.iter().chain([&self.log]).filter(|path| path.exists()) {
            let content = std::fs::read(path).with_context(|| path.display().to_string())?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ensure!(!content.is_empty() || name.ends_with("-wal"), "{name} kosong");
            for needle in &needles {
                let there = content.windows(needle.len()).any(|part| part == needle.as_bytes());
                ensure!(!there, "{name} memuat rahasia atau nomor kartu");
            }
            (files, bytes) = (files + 1, bytes + content.len());
        }
        ensure!(files >= 4 && !needles.is_empty(), "tidak ada yang diperiksa");
        Ok(seen(format!("{} nilai dicari dalam {files} berkas ({bytes} byte), tidak ditemukan", needles.len()), &[]))
    }
}

fn is_final(delivery: &Value) -> bool {
    !matches!(delivery["state"].as_str(), Some("waiting" | "sending" | "unanswered") | None)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The code of why, never BPJS's words: they may name a patient.
fn code(delivery: &Value) -> String {
    delivery["why"]["code"].as_str().unwrap_or("tanpa kode").to_owned()
}
