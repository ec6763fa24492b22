//! The SIM of the crash tests: it hands in, repeats what was not answered, and remembers every 202. What it wants of
//! BPJS is its own account, which knows nothing of the bridge's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::bridge::{Bridge, card, daftar, drug, kunjungan, obat, submission, visit, wire};

/// What was acknowledged, and what that makes of BPJS's ledger.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Submission by its ref.
    pub(crate) accepted: BTreeMap<String, String>,
    /// What must stand at BPJS, and how often.
    pub(crate) wanted: BTreeMap<String, u32>,
    /// Reasons of the acts that were acknowledged.
    pub(crate) acts: BTreeSet<String>,
    /// What no SIM should meet.
    pub(crate) faults: Vec<String>,
}

/// What all hands share.
pub(crate) struct Desk {
    url: String,
    token: String,
    day: Date,
    next: AtomicU32,
    allowed: AtomicU32,
    over: AtomicBool,
    /// The control: what was not answered is handed in under a new ref, as if it were new.
    blind: bool,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) ledger: Mutex<Ledger>,
}

/// A SIM with some hands.
pub(crate) struct Sim {
    pub(crate) desk: Arc<Desk>,
    hands: Vec<JoinHandle<()>>,
}

/// What one patient's visit hands in, in this order, and what must come of it.
struct Wish {
    bodies: Vec<Value>,
    wanted: Vec<String>,
}

impl Sim {
    pub(crate) fn open(bridge: &Bridge, day: Date, hands: usize, blind: bool) -> Self {
        let desk = Arc::new(Desk {
            url: format!("http://127.0.0.1:{}/v1/submissions", bridge.port),
            token: bridge.sim.clone(),
            day,
            next: AtomicU32::new(0),
            allowed: AtomicU32::new(0),
            over: AtomicBool::new(false),
            blind,
            acknowledged: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            ledger: Mutex::default(),
        });
        let one = |_| {
            let desk = Arc::clone(&desk);
            std::thread::spawn(move || desk.work())
        };
        let hands = (0..hands).map(one).collect();
        Self { desk, hands }
    }

    /// Lets `more` further patients come.
    pub(crate) fn allow(&self, more: u32) {
        self.desk.allowed.fetch_add(more, Ordering::SeqCst);
    }

    /// Waits until everything that was begun is acknowledged.
    pub(crate) fn close(&mut self) {
        self.desk.over.store(true, Ordering::SeqCst);
        for hand in self.hands.drain(..) {
            hand.join().unwrap();
        }
    }
}

impl Desk {
    fn work(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        while let Some(n) = self.take() {
            let wish = wish(n, self.day);
            for body in wish.bodies {
                runtime.block_on(self.hand_in(&http, body));
            }
            let mut ledger = self.ledger.lock().unwrap();
            for key in wish.wanted {
                *ledger.wanted.entry(key).or_default() += 1;
            }
        }
    }

    /// The next patient; none when the day is over.
    fn take(&self) -> Option<u32> {
        loop {
            let next = self.next.load(Ordering::SeqCst);
            if next >= self.allowed.load(Ordering::SeqCst) {
                if self.over.load(Ordering::SeqCst) {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(2));
            } else if self.next.compare_exchange(next, next + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Some(next);
            }
        }
    }

    /// Repeats until it is acknowledged: the one thing that a SIM must do.
    async fn hand_in(&self, http: &reqwest::Client, mut body: Value) {
        let first = body["ref"].as_str().unwrap().to_owned();
        for round in 0_u32.. {
            let asked = http.post(&self.url).bearer_auth(&self.token).header("content-type", "application/json");
            let answer = match asked.body(body.to_string()).send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    answer.text().await.ok().map(|text| (status, text))
                }
                Err(_) => None,
            };
            let reference = body["ref"].as_str().unwrap().to_owned();
            match answer {
                Some((200 | 202, text)) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    let id = told["id"].as_str().unwrap().to_owned();
                    let mut ledger = self.ledger.lock().unwrap();
                    if let Some(before) = ledger.accepted.insert(reference.clone(), id.clone()).filter(|old| *old != id)
                    {
                        ledger.faults.push(format!("{reference}: first {before}, then {id}"));
                    }
                    drop(ledger);
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                // No answer, or one that says "the same again, later".
                None | Some((429 | 503 | 507, _)) => {
                    self.repeated.fetch_add(1, Ordering::SeqCst);
                    if self.blind && answer.is_none() && body["entries"][0]["after"].is_array() {
                        body["ref"] = json!(format!("{first}-lagi-{round}"));
                    }
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
                Some((status, text)) => {
                    self.ledger.lock().unwrap().faults.push(format!("{reference}: {status} {text}"));
                    return;
                }
            }
        }
    }
}

/// The n-th patient: a fresh card, one of five kinds of visit.
fn wish(n: u32, day: Date) -> Wish {
    let (card, name) = (card(n), format!("p{n}"));
    let amount = 5 + n % 20;
    let seen = |words: &str| format!("kunjungan/{card}/{words}");
    let (registered, once) = (format!("pendaftaran/{card}"), format!("obat/{card}/130103595/{amount}"));
    let opened = || [daftar(&card, day), kunjungan(&card, day)];
    match n % 5 {
        // Two equal drugs, which BPJS cannot tell apart, and a treatment.
        0 => {
            let treatment = json!({ "ref": "tindakan", "operation": "pcare.tindakan.add", "after": ["kunjungan"],
                "payload": { "kdTindakanSK": 0, "noKunjungan": null, "kdTindakan": "05001", "biaya": 0,
                    "keterangan": "GDP", "hasil": 0 } });
            let [a, b] = ["obat-1", "obat-2"].map(|name| obat(name, "130103595", amount));
            let entries = [&opened()[..], &[a, b, treatment]].concat();
            let wanted = vec![registered, seen("demam"), once.clone(), once, format!("tindakan/{card}/05001")];
            Wish { bodies: vec![submission(&name, &entries)], wanted }
        }
        // The drug comes later, with a call of its own.
        1 | 2 => {
            let later = json!({ "ref": "obat", "operation": "pcare.obat.add", "after": [format!("{name}/kunjungan")],
                "payload": drug("130103595", amount) });
            let bodies = vec![submission(&name, &opened()), submission(&format!("{name}-obat"), &[later])];
            Wish { bodies, wanted: vec![registered, seen("demam"), once] }
        }
        // Registered, then it was the wrong one.
        3 => {
            let gone = json!({ "ref": "hapus", "operation": "pcare.pendaftaran.delete", "after": ["daftar"],
                "payload": { "noKartu": card, "tglDaftar": wire(day), "noUrut": null, "kdPoli": "001" } });
            Wish { bodies: vec![submission(&name, &[daftar(&card, day), gone])], wanted: Vec::new() }
        }
        // The visit is changed afterwards.
        _ => {
            let mut changed = visit(&card, day);
            changed["keluhan"] = json!("demam, batuk");
            let edit = json!({ "ref": "ubah", "operation": "pcare.kunjungan.edit", "after": ["kunjungan"],
                "payload": changed });
            let entries = [&opened()[..], &[edit]].concat();
            Wish { bodies: vec![submission(&name, &entries)], wanted: vec![registered, seen("demam, batuk")] }
        }
    }
}

/// What stands at BPJS, in the words of [`Ledger::wanted`].
pub(crate) fn at_bpjs(bridge: &Bridge) -> BTreeMap<String, u32> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut there = BTreeMap::new();
    let mut count = |key: String| *there.entry(key).or_default() += 1;
    let mut cards = BTreeMap::new();
    for row in bridge.ledger("pendaftaran") {
        count(format!("pendaftaran/{}", text(&row["noKartu"])));
    }
    for row in bridge.ledger("kunjungan") {
        cards.insert(text(&row["noKunjungan"]), text(&row["noKartu"]));
        count(format!("kunjungan/{}/{}", text(&row["noKartu"]), text(&row["content"]["keluhan"])));
    }
    for row in bridge.ledger("obat") {
        let (card, content) = (&cards[&text(&row["noKunjungan"])], &row["content"]);
        count(format!("obat/{card}/{}/{}", text(&content["kdObat"]), text(&content["jmlObat"])));
    }
    for row in bridge.ledger("tindakan") {
        let card = &cards[&text(&row["noKunjungan"])];
        count(format!("tindakan/{card}/{}", text(&row["content"]["kdTindakan"])));
    }
    there
}
