//! What the information systems hand in: planned from the seed, every entry recognisable at BPJS.
//!
//! Each add and edit carries a mark of its own in a field that BPJS keeps (a participant by its card), so that a row or a
//! request can be told whose it is without asking the bridge.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::dice::Dice;
use super::options::Options;

/// A planned entry.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) submission: usize,
    pub(super) name: String,
    pub(super) operation: &'static str,
    pub(super) facility: usize,
    /// The mark, for what has a body. Lawful twins share one.
    pub(super) mark: Option<String>,
    /// Whose it is.
    pub(super) card: String,
    /// The day of service.
    pub(super) day: Date,
    /// What it comes after, by place in the plan.
    pub(super) after: Vec<usize>,
    pub(super) payload: Value,
    /// The payload is wrong: BPJS refuses it until a person mends it.
    pub(super) faulty: bool,
}

/// A planned submission.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) body: Value,
    /// When, since the beginning.
    pub(super) at: Duration,
    /// Its entries, by place in the plan.
    pub(super) entries: Vec<usize>,
    /// What is handed in one after the other.
    pub(super) chain: usize,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) entries: Vec<Planned>,
    pub(super) submissions: Vec<Handed>,
    pub(super) chains: usize,
}

/// A facility of the run.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) code: &'static str,
    pub(super) zone: TimeZone,
}

pub(super) const SITES: [(&str, &str); 3] =
    [("0114A026", "Asia/Makassar"), ("0901B011", "Asia/Jakarta"), ("2601C003", "Asia/Jayapura")];

pub(super) fn sites(options: &Options) -> Vec<Site> {
    let first = usize::try_from(options.seed % 3).unwrap_or(0);
    (0..options.facilities)
        .map(|n| SITES[(first + n) % SITES.len()])
        .map(|(code, zone)| Site { code, zone: TimeZone::get(zone).expect("a zone") })
        .collect()
}

pub(super) fn dmy(day: Date) -> String {
    format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year())
}

struct Maker<'a> {
    dice: Dice,
    /// Who is dated ahead; dice of their own, so that the other entries of a seed stay as they are.
    ahead: Dice,
    options: &'a Options,
    sites: &'a [Site],
    plan: Plan,
    marks: u64,
}

/// A submission in the making.
struct Draft {
    facility: usize,
    day: Date,
    at: Duration,
    occurred: Option<Timestamp>,
    card: String,
    chain: usize,
    number: usize,
    entries: Vec<usize>,
}

pub(super) fn plan(options: &Options, sites: &[Site]) -> Plan {
    let dice = Dice::new(options.seed, "workload");
    let ahead = Dice::new(options.seed, "dated ahead");
    let mut maker = Maker { dice, ahead, options, sites, plan: Plan::default(), marks: 100 };
    for patient in 0..options.patients {
        maker.patient(patient);
    }
    for club in 0..u64::from(maker.dice.strikes(250)) + options.patients / 40 {
        maker.club(club);
    }
    maker.plan
}

impl Maker<'_> {
    fn mark(&mut self) -> u64 {
        self.marks += 1;
        self.marks
    }

    /// The day of service: mostly today, sometimes yesterday, long ago or tomorrow.
    fn draft(&mut self, card: &str, facility: usize, at: Duration, ago: i64) -> Draft {
        let chain = self.plan.chains;
        let now = self.options.start + at;
        let zone = self.sites[facility].zone.clone();
        let day = now.to_zoned(zone.clone()).date().saturating_sub(ago.days());
        let occurred = (ago == 0 && self.dice.strikes(500)).then(|| now - self.dice.millis(0, 600_000));
        let occurred = occurred.filter(|then| then.to_zoned(zone).date() == day);
        let number = self.plan.submissions.len();
        Draft { facility, day, at, occurred, card: card.to_owned(), chain, number, entries: Vec::new() }
    }

    fn entry(
        &mut self,
        draft: &mut Draft,
        operation: &'static str,
        mark: Option<String>,
        after: &[usize],
        payload: Value,
    ) -> usize {
        let place = self.plan.entries.len();
        self.plan.entries.push(Planned {
            submission: draft.number,
            name: format!("e{}", draft.entries.len()),
            operation,
            facility: draft.facility,
            mark,
            card: draft.card.clone(),
            day: draft.day,
            after: after.to_vec(),
            payload,
            faulty: false,
        });
        draft.entries.push(place);
        place
    }

    fn hand_in(&mut self, draft: Draft) {
        let facility = self.sites[draft.facility].code;
        let reference = format!("r{}", draft.number);
        let entries: Vec<Value> = draft
            .entries
            .iter()
            .map(|&place| {
                let entry = &self.plan.entries[place];
                let after: Vec<String> = entry
                    .after
                    .iter()
                    .map(|&before| {
                        let other = &self.plan.entries[before];
                        if other.submission == draft.number {
                            other.name.clone()
                        } else {
                            format!("r{}/{}", other.submission, other.name)
                        }
                    })
                    .collect();
                let mut shown = json!({ "ref": entry.name, "operation": entry.operation, "after": after,
                    "payload": entry.payload });
                if let Some(then) = draft.occurred {
                    shown["occurred_at"] = json!(then.to_string());
                }
                shown
            })
            .collect();
        let mut body = json!({ "facility": facility, "ref": reference, "entries": entries });
        // A club's submission is about many.
        if draft.entries.iter().all(|&place| self.plan.entries[place].card == draft.card) {
            body["patient"] = json!({ "noKartu": draft.card });
        }
        let Draft { at, entries, chain, .. } = draft;
        self.plan.submissions.push(Handed { body, at, entries, chain });
    }

    fn patient(&mut self, number: u64) {
        let facility = self.dice.place(self.sites.len());
        let card = format!("00099{:08}", number + 1);
        let span = u64::try_from(self.options.span.as_millis()).unwrap_or(0);
        let mut at = self.dice.millis(0, span);
        let ahead = self.ahead.strikes(60);
        let visits = if self.dice.strikes(150) || ahead { 2 } else { 1 };
        for visit in 0..visits {
            let mut ago = self.dice.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 9]);
            if self.dice.strikes(50) {
                ago = self.six_months(facility, at);
            }
            // The first visit is registered for tomorrow, and today the patient comes after all.
            if visit == 0 && ahead {
                ago = -1;
            }
            let clinic = ["001", "002", "003"][(usize::try_from(number).unwrap_or(0) + visit) % 3];
            let mut draft = self.draft(&card, facility, at, ago);
            let (registration, kunjungan) = self.visit(&mut draft, clinic);
            let children = kunjungan.map(|kunjungan| self.children(&mut draft, kunjungan)).unwrap_or_default();
            // The SIM hands some of it in by itself, when it is known.
            if self.dice.strikes(300) && draft.entries.len() > 2 {
                self.split(draft, facility, &card, ago);
            } else {
                self.hand_in(draft);
            }
            self.later(&card, facility, at, ago, registration, kunjungan, &children);
            at += self.dice.millis(0, 60_000);
        }
        self.plan.chains += 1;
    }

    /// So many days ago that what the contract lets be claimed for six months ends today.
    fn six_months(&self, facility: usize, at: Duration) -> i64 {
        let today = (self.options.start + at).to_zoned(self.sites[facility].zone.clone()).date();
        let then = today.saturating_sub(6.months());
        i64::from(today.since(then).map_or(0, |span| span.get_days()))
    }

    /// Hands the last entries of a draft in with a submission of their own.
    fn split(&mut self, mut draft: Draft, facility: usize, card: &str, ago: i64) {
        let keep = 1 + self.dice.place(draft.entries.len() - 1);
        let late = draft.entries.split_off(keep);
        let at = draft.at + self.dice.millis(0, 90_000);
        let (day, chain) = (draft.day, draft.chain);
        self.hand_in(draft);
        let mut second = self.draft(card, facility, at, ago);
        (second.day, second.chain, second.occurred) = (day, chain, None);
        for (number, &place) in late.iter().enumerate() {
            self.plan.entries[place].submission = second.number;
            self.plan.entries[place].name = format!("s{number}");
        }
        second.entries = late;
        self.hand_in(second);
    }

    fn visit(&mut self, draft: &mut Draft, clinic: &str) -> (usize, Option<usize>) {
        let (day, code) = (dmy(draft.day), self.sites[draft.facility].code);
        let mark = format!("k{}", self.mark());
        let mut payload = json!({ "kdProviderPeserta": code, "tglDaftar": day, "noKartu": draft.card, "kdPoli": clinic,
            "keluhan": mark, "kunjSakit": true, "sistole": 120, "diastole": 80, "beratBadan": 55, "tinggiBadan": 160,
            "respRate": 18, "lingkarPerut": 70, "heartRate": 80, "rujukBalik": 0, "kdTkp": "10" });
        let faulty = self.dice.strikes(40);
        if faulty {
            payload["kunjSakit"] = json!(false);
        }
        let registration = self.entry(draft, "pcare.pendaftaran.add", Some(mark), &[], payload);
        self.plan.entries[registration].faulty = faulty;
        if self.dice.strikes(120) {
            return (registration, None);
        }
        let mark = format!("k{}", self.mark());
        let payload = visit_payload(&draft.card, &day, clinic, &mark, "J45.9");
        let kunjungan = self.entry(draft, "pcare.kunjungan.add", Some(mark), &[registration], payload);
        (registration, Some(kunjungan))
    }

    fn children(&mut self, draft: &mut Draft, kunjungan: usize) -> Vec<usize> {
        let mut made = Vec::new();
        for _ in 0..self.dice.below(4) {
            match self.dice.below(5) {
                0 | 1 => {
                    let (mark, code) = (self.mark(), self.dice.pick(&["130103595", "130103596"]));
                    // The same drug twice in one visit is lawful.
                    for _ in 0..1 + u64::from(self.dice.strikes(120)) {
                        let payload = drug_payload(mark, code);
                        made.push(self.entry(draft, "pcare.obat.add", Some(mark.to_string()), &[kunjungan], payload));
                    }
                }
                2 | 3 => {
                    let mark = format!("k{}", self.mark());
                    let payload = treatment_payload(&mark, 0);
                    made.push(self.entry(draft, "pcare.tindakan.add", Some(mark), &[kunjungan], payload));
                }
                _ => {
                    let mark = self.mark();
                    let payload = check_up_payload(mark, self.sites[draft.facility].code, &dmy(draft.day));
                    made.push(self.entry(draft, "pcare.mcu.add", Some(mark.to_string()), &[kunjungan], payload));
                }
            }
        }
        made
    }

    /// Edits and deletes, some time after.
    #[expect(clippy::too_many_arguments, reason = "what there is of one visit")]
    fn later(
        &mut self,
        card: &str,
        facility: usize,
        at: Duration,
        ago: i64,
        registration: usize,
        kunjungan: Option<usize>,
        children: &[usize],
    ) {
        if !self.dice.strikes(350) {
            return;
        }
        let after = at + self.dice.millis(0, 240_000);
        let mut draft = self.draft(card, facility, after, ago);
        let registered = self.plan.entries[registration].payload.clone();
        let (day, clinic) = (registered["tglDaftar"].clone(), registered["kdPoli"].clone());
        let Some(kunjungan) = kunjungan else {
            let payload = json!({ "noKartu": card, "tglDaftar": day, "noUrut": null, "kdPoli": clinic });
            self.entry(&mut draft, "pcare.pendaftaran.delete", None, &[registration], payload);
            return self.hand_in(draft);
        };
        match (self.dice.below(4), children) {
            (0, _) => {
                let mark = format!("k{}", self.mark());
                let (day, clinic) = (day.as_str().unwrap_or_default(), clinic.as_str().unwrap_or_default());
                let mut payload = visit_payload(card, day, clinic, &mark, "J06.9");
                payload["noKunjungan"] = Value::Null;
                self.entry(&mut draft, "pcare.kunjungan.edit", Some(mark), &[kunjungan], payload);
            }
            (1, []) => {
                self.entry(&mut draft, "pcare.kunjungan.delete", None, &[kunjungan], json!({ "noKunjungan": null }));
            }
            (_, []) => return,
            (_, some) => {
                let target = some[self.dice.place(some.len())];
                self.change(&mut draft, target);
            }
        }
        self.hand_in(draft);
    }

    fn change(&mut self, draft: &mut Draft, target: usize) {
        let code = self.sites[draft.facility].code;
        match (self.plan.entries[target].operation, self.dice.strikes(500)) {
            ("pcare.tindakan.add", true) => {
                let mark = format!("k{}", self.mark());
                let mut payload = treatment_payload(&mark, 5000);
                payload["kdTindakanSK"] = Value::Null;
                self.entry(draft, "pcare.tindakan.edit", Some(mark), &[target], payload);
            }
            ("pcare.tindakan.add", false) => {
                let payload = json!({ "kdTindakanSK": null, "noKunjungan": null });
                self.entry(draft, "pcare.tindakan.delete", None, &[target], payload);
            }
            ("pcare.obat.add", _) => {
                let payload = json!({ "kdObatSK": null, "noKunjungan": null });
                self.entry(draft, "pcare.obat.delete", None, &[target], payload);
            }
            (_, true) => {
                let mark = self.mark();
                let mut payload = check_up_payload(mark, code, &dmy(draft.day));
                payload["kdMCU"] = Value::Null;
                self.entry(draft, "pcare.mcu.edit", Some(mark.to_string()), &[target], payload);
            }
            (_, false) => {
                let payload = json!({ "kdMCU": null, "noKunjungan": null });
                self.entry(draft, "pcare.mcu.delete", None, &[target], payload);
            }
        }
    }

    /// An activity of a club with its participants; sometimes one leaves again.
    fn club(&mut self, number: u64) {
        let facility = self.dice.place(self.sites.len());
        let span = u64::try_from(self.options.span.as_millis()).unwrap_or(0);
        let at = self.dice.millis(0, span);
        let cards: Vec<String> =
            (0..self.dice.between(0, 4)).map(|n| format!("00099{:08}", 50_000_000 + number * 100 + n)).collect();
        // The activity itself has no card: the submission names none.
        let mut draft = self.draft(&format!("00099{:08}", 60_000_000 + number), facility, at, 0);
        let mark = format!("k{}", self.mark());
        let payload = json!({ "eduId": null, "clubId": 36, "tglPelayanan": dmy(draft.day), "kdKegiatan": "01",
            "kdKelompok": "01", "materi": mark, "pembicara": "Instruktur", "lokasi": "Halaman", "keterangan": "",
            "biaya": 100_000 });
        let activity = self.entry(&mut draft, "pcare.kelompok.kegiatan.add", Some(mark), &[], payload);
        let mut last = None;
        for card in &cards {
            draft.card.clone_from(card);
            let payload = json!({ "eduId": null, "noKartu": card });
            last = Some(self.entry(&mut draft, "pcare.kelompok.peserta.add", Some(card.clone()), &[activity], payload));
        }
        self.hand_in(draft);
        if let Some(last) = last.filter(|_| self.dice.strikes(300)) {
            let mut draft = self.draft(&cards[cards.len() - 1], facility, at + self.dice.millis(0, 120_000), 0);
            let payload = json!({ "eduId": null, "noKartu": cards[cards.len() - 1] });
            self.entry(&mut draft, "pcare.kelompok.peserta.delete", None, &[activity, last], payload);
            self.hand_in(draft);
        }
        self.plan.chains += 1;
    }
}

fn visit_payload(card: &str, day: &str, clinic: &str, mark: &str, diagnosis: &str) -> Value {
    json!({ "noKunjungan": null, "noKartu": card, "tglDaftar": day, "kdPoli": clinic, "keluhan": mark,
        "kdSadar": "01", "sistole": 120, "diastole": 80, "beratBadan": 55, "tinggiBadan": 160, "respRate": 18,
        "lingkarPerut": 70, "heartRate": 80, "kdStatusPulang": "3", "tglPulang": day, "kdDokter": "001",
        "kdDiag1": diagnosis, "kdDiag2": null, "kdDiag3": null, "kdPoliRujukInternal": null, "rujukLanjut": null,
        "kdTacc": -1, "alasanTacc": null, "anamnesa": "uji", "alergiMakan": "00", "alergiUdara": "00",
        "alergiObat": "00", "kdPrognosa": "01", "terapiObat": "uji", "terapiNonObat": "uji", "bmhp": "-",
        "suhu": "36,8" })
}

fn drug_payload(mark: u64, code: &str) -> Value {
    json!({ "kdObatSK": 0, "noKunjungan": null, "racikan": false, "kdRacikan": null, "obatDPHO": true,
        "kdObat": code, "signa1": 3, "signa2": 1, "jmlObat": 10, "jmlPermintaan": mark, "nmObatNonDPHO": "" })
}

fn treatment_payload(mark: &str, cost: u64) -> Value {
    json!({ "kdTindakanSK": 0, "noKunjungan": null, "kdTindakan": "01010", "biaya": cost, "keterangan": mark,
        "hasil": 0 })
}

fn check_up_payload(mark: u64, facility: &str, day: &str) -> Value {
    json!({ "kdMCU": 0, "noKunjungan": null, "kdProvider": facility, "tglPelayanan": day,
        "tekananDarahSistole": 130, "tekananDarahDiastole": 80, "gulaDarahPuasa": mark })
}

/// The mark in a body on its way to BPJS, or in what BPJS keeps.
pub(super) fn mark_of(body: &Value) -> Option<String> {
    for field in ["keluhan", "materi", "keterangan"] {
        if let Some(text) = body.get(field).and_then(Value::as_str).filter(|text| text.starts_with('k')) {
            return Some(text.to_owned());
        }
    }
    for field in ["jmlPermintaan", "gulaDarahPuasa"] {
        if let Some(number) = body.get(field).and_then(Value::as_u64) {
            return Some(number.to_string());
        }
    }
    body.get("noKartu").and_then(Value::as_str).map(str::to_owned)
}
