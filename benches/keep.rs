//! What a read costs while BPJS is away: `cargo bench --bench keep`.
//!
//! A store on disk with 15 000 diagnoses, 2 000 drugs and 5 000 members, all invented, kept as the gateway and the loop
//! that fetches ahead do. Prints median and 99th percentile of an answer from what is kept (goal: less than 5 ms), and
//! what the first answer after a start costs, when the list is still sealed on disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jembatan::catalogue::Catalogue;
use jembatan::config::KeepConfig;
use jembatan::keep::{Ask, Keep};
use jembatan::remote::{Answer, Evidence, Passed};
use jembatan::secret::Private;
use jembatan::store::sqlite::{Settings, SqliteStore};
use jembatan::store::{Sealer, SharedStore};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

const FACILITY: &str = "0114A026";
const DIAGNOSES: usize = 15_000;
const DRUGS: usize = 2_000;
const MEMBERS: usize = 5_000;
/// Rows of one answer while the lists are filled.
const PAGE: usize = 500;
const TURNS: usize = 1_000;

const WORDS: [&str; 12] = [
    "acute",
    "chronic",
    "unspecified",
    "infection",
    "fracture",
    "of lung",
    "of skin",
    "in childhood",
    "tuberculosis",
    "without complication",
    "malignant",
    "benign",
];

type Failed = Box<dyn std::error::Error + Send + Sync>;

struct Bench {
    keep: Keep,
    catalogue: Arc<Catalogue>,
    zone: TimeZone,
    now: Timestamp,
}

impl Bench {
    fn ask<'a>(&'a self, operation: &str, params: &'a [(String, String)]) -> Result<Ask<'a>, Failed> {
        let operation = self.catalogue.operation(operation).ok_or("no such operation")?;
        Ok(Ask { facility: FACILITY, operation, params })
    }

    async fn hear(&self, operation: &str, params: &[(String, String)], value: Value) -> Result<(), Failed> {
        let passed = Passed {
            packed: None,
            status: 200,
            code: 200,
            message: Private::new("OK".to_owned()),
            success: true,
            response: Private::new(Answer::Sealed(value)),
            not_authorised: None,
            evidence: Evidence::Alive,
            credential_version: 1,
            skew_seconds: None,
            took: Duration::ZERO,
        };
        self.keep.heard(self.ask(operation, params)?, &passed, self.now).await?;
        Ok(())
    }

    async fn pages(&self, operation: &str, rows: &[Value]) -> Result<(), Failed> {
        for (page, part) in rows.chunks(PAGE).enumerate() {
            let params = words("a", page * PAGE, PAGE);
            self.hear(operation, &params, json!({ "count": rows.len(), "list": part })).await?;
        }
        Ok(())
    }

    /// Bytes of one answer and how long it took.
    async fn give(&self, operation: &str, params: &[(String, String)]) -> Result<(usize, Duration), Failed> {
        let began = Instant::now();
        let served = self.keep.served(self.ask(operation, params)?, &self.zone, self.now).await?;
        let bytes = served.ok_or("not kept")?.answer.value.expose().to_string().len();
        Ok((bytes, began.elapsed()))
    }

    async fn measure(
        &self,
        name: &str,
        operation: &str,
        params: impl Fn(usize) -> Vec<(String, String)>,
    ) -> Result<(), Failed> {
        let (_, first) = self.give(operation, &params(0)).await?;
        let mut times = Vec::with_capacity(TURNS);
        let mut bytes = 0;
        for turn in 0..TURNS {
            let (size, took) = self.give(operation, &params(turn)).await?;
            bytes = size;
            times.push(took);
        }
        times.sort_unstable();
        println!("{name:<34} {bytes:>9} {:>11.2?} {:>11.2?} {first:>11.2?}", times[TURNS / 2], times[TURNS * 99 / 100]);
        Ok(())
    }
}

fn words(words: &str, start: usize, limit: usize) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![pair("kataKunci", words.to_owned()), pair("start", start.to_string()), pair("limit", limit.to_string())]
}

fn card(n: usize) -> String {
    format!("00099{n:08}")
}

fn open(folder: &std::path::Path) -> Result<Bench, Failed> {
    let catalogue = Arc::new(Catalogue::shipped()?);
    let sealer = Sealer::new(&[7; 32], &[8; 32]);
    let settings = Settings { path: folder.join("jembatan.db"), sealer, catalogue: Arc::clone(&catalogue) };
    let store: SharedStore = Arc::new(SqliteStore::open(settings)?.0);
    let keep = Keep::new(store, Arc::clone(&catalogue), KeepConfig::default(), TimeZone::get("Asia/Jakarta")?);
    Ok(Bench { keep, catalogue, zone: TimeZone::get("Asia/Makassar")?, now: "2026-11-21T05:00:00Z".parse()? })
}

fn main() -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let bench = open(folder.path())?;
    let word = |n: usize| WORDS[n % WORDS.len()];
    let diagnosis = |n: usize| {
        let letter = char::from(b'A' + u8::try_from(n / 1000).unwrap_or(0));
        let name = format!("{} {} {}", word(n), word(n / 7), word(n / 49));
        json!({ "kdDiag": format!("{letter}{:03}", n % 1000), "nmDiag": name, "nonSpesialis": n.is_multiple_of(3) })
    };
    let diagnoses: Vec<Value> = (0..DIAGNOSES).map(diagnosis).collect();
    let drug = |n: usize| json!({ "kdObat": format!("13010{n:04}"), "nmObat": format!("obat a {} tab {n} mg", word(n)), "sedia": 100 });
    let drugs: Vec<Value> = (0..DRUGS).map(drug).collect();
    let began = Instant::now();
    bench.pages("pcare.diagnosa.cari", &diagnoses).await?;
    bench.pages("pcare.obat.dpho", &drugs).await?;
    for n in 0..MEMBERS {
        let member = json!({ "noKartu": card(n), "nama": format!("PESERTA CONTOH {n}"), "aktif": true, "ketAktif": "AKTIF",
            "kdProviderPst": { "kdProvider": FACILITY, "nmProvider": "PKM CONTOH" }, "noHP": "081200000000" });
        bench.hear("pcare.peserta.get", &[("noKartu".to_owned(), card(n))], member).await?;
    }
    println!("kept {DIAGNOSES} diagnoses, {DRUGS} drugs, {MEMBERS} members in {:.1?}\n", began.elapsed());
    drop(bench);
    let bench = open(folder.path())?;
    println!("{:<34} {:>9} {:>11} {:>11} {:>11}", "answer from what is kept", "bytes", "median", "p99", "first");
    let params = |text: &'static str| move |turn: usize| words(text, turn % 5, 100);
    bench.measure("diagnosa, a code, 100 rows", "pcare.diagnosa.cari", params("a0")).await?;
    bench.measure("diagnosa, a word, 100 rows", "pcare.diagnosa.cari", params("acute")).await?;
    bench.measure("diagnosa, all of a letter, 500 rows", "pcare.diagnosa.cari", |_| words("a", 0, 500)).await?;
    bench.measure("diagnosa, words not there", "pcare.diagnosa.cari", params("akut sekali")).await?;
    bench.measure("obat, a word, 100 rows", "pcare.obat.dpho", params("a chronic")).await?;
    bench
        .measure("peserta", "pcare.peserta.get", |turn| vec![("noKartu".to_owned(), card(turn * 3 % MEMBERS))])
        .await?;
    Ok(())
}
