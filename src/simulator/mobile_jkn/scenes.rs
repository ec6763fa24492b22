//! The play itself: what Mobile JKN asks, in which order, and what it expects.
//!
//! Job: the scenes of [`super::drive`]. Invariant: every answer must be an envelope with `metadata` in small letters and
//! a whole `code`; only then does a scene look further. Neighbours: `wire`. What it does not do: guess: where sources
//! differ (the code of an early day, the HTTP status), any of their answers passes.

use serde_json::{Value, json};

use super::wire::{Ask, Got, Wire};
use super::{Check, Plan, Target};
use crate::clock::Clock;
use crate::simulator::world::people::mix;

/// Words that a second booking is refused with.
const ONCE: &str = "Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama";
/// Words of a malformed day.
const DAY_FORMAT: &str = "Format Tanggal Tidak Sesuai";

/// How header names are spelt.
const SPELLINGS: [[&str; 3]; 3] = [
    ["x-username", "x-password", "x-token"],
    ["X-Username", "X-Password", "X-Token"],
    ["X-USERNAME", "X-PASSWORD", "X-TOKEN"],
];

/// What an envelope said.
#[derive(Clone, Debug, Default)]
struct Said {
    code: Option<i64>,
    message: String,
    response: Value,
    /// What to show where there is no envelope.
    instead: String,
}

impl Said {
    fn of(got: Result<Got, std::io::Error>) -> Self {
        let got = match got {
            Ok(got) => got,
            Err(error) => return Self { instead: error.kind().to_string(), ..Self::default() },
        };
        let meta = got.json.get("metadata");
        Self {
            code: meta.and_then(|meta| meta.get("code")).and_then(Value::as_i64),
            message: meta.and_then(|meta| meta["message"].as_str()).unwrap_or_default().to_owned(),
            response: got.json.get("response").cloned().unwrap_or_default(),
            instead: format!("HTTP {}", got.status),
        }
    }

    fn text(&self, field: &str) -> Option<String> {
        crate::simulator::world::text(&self.response, field)
    }
}

/// A member and how they book.
struct Guest {
    card: String,
    nik: String,
    version: u8,
}

/// A play in progress.
pub(super) struct Play<'a> {
    wire: Wire,
    target: &'a Target,
    plan: &'a Plan,
    clock: &'a Clock,
    token: String,
    doctor: Option<(u64, String)>,
    checks: Vec<Check>,
}

impl<'a> Play<'a> {
    pub(super) fn new(wire: Wire, target: &'a Target, plan: &'a Plan, clock: &'a Clock) -> Self {
        let doctor = plan.doctor.clone();
        Self { wire, target, plan, clock, token: String::new(), doctor, checks: Vec::new() }
    }

    /// Every scene; without a token there is only the first.
    pub(super) async fn run(mut self) -> Vec<Check> {
        self.auth().await;
        if self.token.is_empty() {
            return self.checks;
        }
        self.status().await;
        for version in self.plan.versions.clone() {
            self.visit(version).await;
        }
        self.bad_input().await;
        self.expiry().await;
        self.checks
    }

    fn note(&mut self, scene: &'static str, (step, expected): (&str, &str), said: &Said, passed: bool) {
        self.checks.push(Check {
            scene,
            step: step.to_owned(),
            expected: expected.to_owned(),
            got: said.code.map_or_else(|| said.instead.clone(), |code| code.to_string()),
            // A message is for the patient and may name them; a code is enough where it is as expected.
            message: if passed { String::new() } else { said.message.chars().take(120).collect() },
            passed: passed && said.code.is_some(),
        });
    }

    /// Notes whether the code is one of `codes`.
    fn expect(&mut self, scene: &'static str, step: &str, codes: &[i64], said: &Said) -> bool {
        let expected = codes.iter().map(i64::to_string).collect::<Vec<_>>().join(" / ");
        let passed = said.code.is_some_and(|code| codes.contains(&code));
        self.note(scene, (step, &expected), said, passed);
        passed
    }

    async fn ask(&self, ask: Ask<'_>) -> Said {
        Said::of(self.wire.call(&ask).await)
    }

    /// A call with the token, header names in one of the spellings.
    async fn call(&self, spelling: usize, method: &'static str, path: &str, body: Option<Value>) -> Said {
        self.call_as(&self.token, spelling, method, path, body).await
    }

    async fn call_as(
        &self,
        token: &str,
        spelling: usize,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Said {
        let [username, _, name] = SPELLINGS[spelling % SPELLINGS.len()];
        let headers = vec![(username, self.target.username.as_str()), (name, token)];
        self.ask(Ask { method, path: path.to_owned(), headers, body }).await
    }

    async fn log_in(&self, spelling: usize, password: &str) -> Said {
        let [username, name, _] = SPELLINGS[spelling % SPELLINGS.len()];
        let headers = vec![(username, self.target.username.as_str()), (name, password)];
        self.ask(Ask { method: "GET", path: "/auth".to_owned(), headers, body: None }).await
    }

    async fn auth(&mut self) {
        for (spelling, names) in SPELLINGS.iter().enumerate() {
            let said = self.log_in(spelling, self.target.password.expose()).await;
            let token = said.text("token").unwrap_or_default();
            let step = format!("masuk dengan header {}", names[0]);
            self.note("auth", (&step, "200 dan token"), &said, said.code == Some(200) && !token.is_empty());
            if !token.is_empty() {
                self.token = token;
            }
        }
        let said = self.log_in(0, "bukan-kata-sandinya").await;
        let no_token = said.text("token").is_none();
        self.note("auth", ("kata sandi salah", "201 tanpa token"), &said, said.code == Some(201) && no_token);
        let nobody = vec![("x-username", "bukan-siapa-siapa"), ("x-password", self.target.password.expose())];
        let said = self.ask(Ask { method: "GET", path: "/auth".to_owned(), headers: nobody, body: None }).await;
        self.expect("auth", "nama pengguna tidak dikenal", &[201], &said);
        if self.token.is_empty() {
            return;
        }
        let path = self.status_path(&self.plan.clinic, &self.plan.day.to_string());
        let forged: String = self.token.chars().rev().collect();
        let said = self.call_as(&forged, 0, "GET", &path, None).await;
        self.expect("auth", "token palsu", &[201, 401], &said);
        let bare = vec![("x-username", self.target.username.as_str())];
        let said = self.ask(Ask { method: "GET", path: path.clone(), headers: bare, body: None }).await;
        self.expect("auth", "tanpa token", &[201, 401], &said);
        let other = vec![("x-username", "faskes-lain"), ("x-token", self.token.as_str())];
        let said = self.ask(Ask { method: "GET", path, headers: other, body: None }).await;
        self.expect("auth", "token milik nama pengguna lain", &[201, 401], &said);
    }

    fn status_path(&self, clinic: &str, day: &str) -> String {
        format!("/antrean/status/{clinic}/{day}")
    }

    async fn status(&mut self) {
        let (clinic, day) = (self.plan.clinic.clone(), self.plan.day.to_string());
        let path = self.status_path(&clinic, &day);
        let said = self.call(0, "GET", &path, None).await;
        let form = form_of_status(&said.response);
        let expected = "200, objek v1 atau larik v2";
        self.note("status", ("status poli", expected), &said, said.code == Some(200) && form.is_some());
        if self.doctor.is_none() {
            self.doctor = doctor_of(&said.response);
        }
        let said = self.call(2, "GET", &format!("{path}/"), None).await;
        self.expect("status", "garis miring di akhir, header huruf besar", &[200], &said);
        let said = self.call(0, "GET", &self.status_path("ZZZ", &day), None).await;
        self.expect("status", "poli tidak dikenal", &[201], &said);
        let turned = format!("{:02}-{:02}-{}", self.plan.day.day(), self.plan.day.month(), self.plan.day.year());
        let said = self.call(0, "GET", &self.status_path(&clinic, &turned), None).await;
        let passed = said.code == Some(201) && said.message.contains(DAY_FORMAT);
        self.note("status", ("tanggal dd-mm-yyyy", "201 Format Tanggal Tidak Sesuai…"), &said, passed);
    }

    fn guest(&self, version: u8) -> Guest {
        let draw = mix(self.plan.seed ^ u64::from(version)) % 100_000_000;
        let card = format!("00099{draw:08}");
        Guest { nik: format!("647{card}"), card, version }
    }

    fn booking(&self, guest: &Guest) -> Value {
        let mut body = json!({ "nomorkartu": guest.card, "nik": guest.nik, "kodepoli": self.plan.clinic,
            "tanggalperiksa": self.plan.day.to_string(), "keluhan": "sakit kepala" });
        if guest.version == 2 {
            let (code, hours) = self.doctor.clone().unwrap_or_default();
            body["kodedokter"] = json!(code);
            body["jampraktek"] = json!(hours);
            body["norm"] = json!("");
            body["nohp"] = json!("081234567890");
        }
        body
    }

    /// The registration of a new patient; `kodekel` has a letter, as the catalogue's own sample.
    fn newcomer(&self, guest: &Guest) -> Value {
        json!({ "nomorkartu": guest.card, "nik": guest.nik, "nomorkk": "6470000000000001", "nama": "TAMU CONTOH",
            "jeniskelamin": "L", "tanggallahir": "1985-03-01", "alamat": "Jl. Contoh 1", "kodeprop": "64",
            "namaprop": "Kalimantan Timur", "kodedati2": "6474", "namadati2": "Kota Bontang", "kodekec": "6474010",
            "namakec": "Bontang Utara", "kodekel": "D2105", "namakel": "Contoh", "rw": "001", "rt": "013" })
    }

    fn cancellation(&self, guest: &Guest) -> Value {
        let mut body = json!({ "nomorkartu": guest.card, "kodepoli": self.plan.clinic,
            "tanggalperiksa": self.plan.day.to_string() });
        if guest.version == 2 {
            body["keterangan"] = json!("berhalangan hadir");
        }
        body
    }

    /// One patient from booking to cancellation.
    async fn visit(&mut self, version: u8) {
        let scene = if version == 2 { "v2" } else { "v1" };
        let guest = self.guest(version);
        let spelling = usize::from(version);
        let Some(number) = self.book(scene, &guest, spelling).await else { return };
        self.repeat(scene, &guest, spelling).await;
        let path = format!("/antrean/sisapeserta/{}/{}/{}", guest.card, self.plan.clinic, self.plan.day);
        let said = self.call(spelling, "GET", &path, None).await;
        let same = said.text("nomorantrean").as_deref() == Some(number.as_str());
        self.note(scene, ("sisa antrean", "200, nomor yang sama"), &said, said.code == Some(200) && same);
        let cancel = self.cancellation(&guest);
        let said = self.call(spelling, "PUT", "/antrean/batal", Some(cancel.clone())).await;
        self.expect(scene, "batal", &[200], &said);
        let said = self.call(spelling, "PUT", "/antrean/batal", Some(cancel.clone())).await;
        self.expect(scene, "batal sekali lagi", &[201], &said);
        let said = self.call(spelling, "GET", &path, None).await;
        self.expect(scene, "sisa setelah batal", &[201], &said);
        self.race(scene, &guest, spelling).await;
        let said = self.call(spelling, "PUT", "/antrean/batal", Some(cancel)).await;
        self.expect(scene, "batal di akhir", &[200], &said);
    }

    /// Books; a new patient is registered first. The number that was given.
    async fn book(&mut self, scene: &'static str, guest: &Guest, spelling: usize) -> Option<String> {
        let body = self.booking(guest);
        let mut said = self.call(spelling, "POST", "/antrean", Some(body.clone())).await;
        self.expect(scene, "ambil antrean", &[200, 202], &said);
        if said.code == Some(202) {
            let new = self.newcomer(guest);
            let registered = self.call(spelling, "POST", "/peserta", Some(new)).await;
            self.expect(scene, "pasien baru, kodekel dengan huruf", &[200], &registered);
            said = self.call(spelling, "POST", "/antrean", Some(body)).await;
            self.expect(scene, "ambil antrean setelah terdaftar", &[200], &said);
        }
        if said.code != Some(200) {
            return None;
        }
        let whole = ["nomorantrean", "angkaantrean", "namapoli", "sisaantrean", "antreanpanggil", "keterangan"];
        let missing: Vec<&str> = whole.into_iter().filter(|field| said.response.get(field).is_none()).collect();
        let expected =
            if missing.is_empty() { "semua ada".to_owned() } else { format!("tanpa {}", missing.join(", ")) };
        self.note(scene, ("isi jawaban ambil", &expected), &said, missing.is_empty());
        said.text("nomorantrean")
    }

    async fn repeat(&mut self, scene: &'static str, guest: &Guest, spelling: usize) {
        let said = self.call(spelling, "POST", "/antrean", Some(self.booking(guest))).await;
        let once = said.code == Some(201) && said.message == ONCE;
        self.note(scene, ("ambil sekali lagi", "201 …Hanya Dapat Diambil 1 Kali…"), &said, once);
    }

    /// Three bookings at once, as after a time-out of Mobile JKN: one number, two refusals.
    async fn race(&mut self, scene: &'static str, guest: &Guest, spelling: usize) {
        let body = self.booking(guest);
        let one = || self.call(spelling, "POST", "/antrean", Some(body.clone()));
        let (first, second, third) = tokio::join!(one(), one(), one());
        let all = [first, second, third];
        let taken = all.iter().filter(|said| said.code == Some(200)).count();
        let refused = all.iter().filter(|said| said.code == Some(201)).count();
        let worst = all.iter().find(|said| !matches!(said.code, Some(200 | 201))).unwrap_or(&all[0]).clone();
        let expected = format!("satu 200, dua 201 (datang {taken} dan {refused})");
        self.note(scene, ("tiga kali bersamaan setelah batal", &expected), &worst, (taken, refused) == (1, 2));
    }

    async fn bad_input(&mut self) {
        let version = self.plan.versions.first().copied().unwrap_or(1);
        let guest = Guest { card: "00012345678".to_owned(), nik: "6470001234567800".to_owned(), version };
        let said = self.call(0, "POST", "/antrean", Some(self.booking(&guest))).await;
        self.expect("masukan", "kartu 11 digit seperti contoh katalog", &[200, 201, 202], &said);
        if said.code == Some(200) {
            let said = self.call(0, "PUT", "/antrean/batal", Some(self.cancellation(&guest))).await;
            self.expect("masukan", "batal kartu 11 digit", &[200], &said);
        }
        let guest = self.guest(version);
        let mut past = self.booking(&guest);
        past["tanggalperiksa"] = json!("2020-01-28");
        let said = self.call(0, "POST", "/antrean", Some(past)).await;
        self.expect("masukan", "tanggal yang lewat", &[201], &said);
        let mut nowhere = self.booking(&guest);
        nowhere["kodepoli"] = json!("ZZZ");
        let said = self.call(0, "POST", "/antrean", Some(nowhere)).await;
        self.expect("masukan", "poli tidak dikenal", &[201], &said);
        for (what, body) in [("badan kosong", json!({})), ("badan bukan objek", json!([]))] {
            let said = self.call(0, "POST", "/antrean", Some(body)).await;
            self.expect("masukan", what, &[201], &said);
        }
        let mut stranger = self.cancellation(&guest);
        stranger["nomorkartu"] = json!("0009999999999");
        let said = self.call(0, "PUT", "/antrean/batal", Some(stranger)).await;
        self.expect("masukan", "batal tanpa antrean", &[201], &said);
    }

    async fn expiry(&mut self) {
        let Some(life) = self.plan.token_life else { return };
        self.clock.sleep(life + std::time::Duration::from_secs(1)).await;
        let path = self.status_path(&self.plan.clinic, &self.plan.day.to_string());
        let said = self.call(0, "GET", &path, None).await;
        self.expect("auth", "token kedaluwarsa", &[201, 401], &said);
        let said = self.log_in(1, self.target.password.expose()).await;
        self.expect("auth", "masuk lagi", &[200], &said);
    }
}

/// 1 for the object of v1, 2 for the array of v2, none for neither.
fn form_of_status(response: &Value) -> Option<u8> {
    let whole = |row: &Value, more: &[&str]| {
        ["namapoli", "totalantrean", "sisaantrean", "antreanpanggil", "keterangan"]
            .iter()
            .chain(more)
            .all(|field| row.get(field).is_some())
    };
    match response {
        Value::Object(_) if whole(response, &[]) => Some(1),
        Value::Array(rows) if rows.iter().all(|row| whole(row, &["kodedokter", "namadokter", "jampraktek"])) => Some(2),
        _ => None,
    }
}

/// The first doctor that a status of v2 names.
fn doctor_of(response: &Value) -> Option<(u64, String)> {
    let row = response.as_array()?.first()?;
    Some((row["kodedokter"].as_u64()?, row["jampraktek"].as_str()?.to_owned()))
}
