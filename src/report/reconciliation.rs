//! A reconciliation as a document: what a *berita acara* needs (contract §5; Lampiran X angka 6 huruf d).
//!
//! Job: from the stored report and the outages of its days to one typed struct. Invariants: every count of the stored
//! report is there; BPJS's own words stay out. What it does not do: compare, lay out.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

/// The classes in the order of documents and screens.
pub const CLASSES: [&str; 6] = ["equal", "differs", "only_sim", "only_here", "only_bpjs", "unanswered"];

/// A stored report that lacks what every report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored report without {0}")]
pub struct Malformed(&'static str);

/// One reconciliation of one facility and some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Its id.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// Name of the puskesmas.
    pub facility_name: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// End of the comparison, RFC 3339 with the facility's offset.
    pub finished_at: String,
    /// Who asked for it.
    pub actor: String,
    /// Whether BPJS answered every question.
    pub complete: bool,
    /// What BPJS did not answer.
    pub unread: Vec<String>,
    /// Entries that were moving and left out.
    pub moving: i64,
    /// Entries found at BPJS whose ids were adopted.
    pub adopted: i64,
    /// How much was compared, by operation.
    pub compared: Vec<ComparedRow>,
    /// Counts by class, in the order of [`CLASSES`].
    pub counts: Vec<ClassCount>,
    /// Entries past their limit.
    pub late: i64,
    /// Every difference.
    pub items: Vec<ItemRow>,
    /// Outages in these days.
    pub outages: Vec<OutageLine>,
    /// The last entry of the security log that it covers, `number:hash`.
    pub checkpoint: Option<String>,
}

/// How much of one operation both sides have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedRow {
    /// Operation.
    pub operation: String,
    /// What people call it.
    pub title: String,
    /// In the bridge's journal.
    pub here: i64,
    /// At BPJS; operations without rows of their own (edits, deletes) have none.
    pub bpjs: Option<i64>,
}

/// How many of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class's word.
    pub class: String,
    /// In Indonesian.
    pub title: String,
    /// How many.
    pub count: i64,
}

/// A difference, or an adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemRow {
    /// The class's word.
    pub class: String,
    /// In Indonesian.
    pub class_title: String,
    /// Day of the comparison that found it: BPJS numbers registrations anew each day.
    pub day: Option<Date>,
    /// Operation.
    pub operation: String,
    /// What people call it.
    pub title: String,
    /// The SIM's reference.
    #[serde(rename = "ref")]
    pub reference: String,
    /// State of the delivery.
    pub state: String,
    /// The id BPJS assigned.
    pub id: String,
    /// Fields that differ.
    pub fields: Vec<String>,
    /// Why, in Indonesian.
    pub cause: String,
    /// What the bridge did about it; empty: to be filled in by the parties.
    pub settlement: String,
    /// Past its limit.
    pub late: bool,
}

/// An outage in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutageLine {
    /// Its number.
    pub id: i64,
    /// What people call the service.
    pub service: String,
    /// First evidence.
    pub opened_at: String,
    /// Its end, if it ended.
    pub closed_at: Option<String>,
    /// Whose fault, in Indonesian.
    pub side: String,
    /// The layer that failed.
    pub cause: String,
    /// Entries accepted while it lasted.
    pub accepted: i64,
    /// Entries that became late because of it.
    pub late: i64,
}

impl Reconciliation {
    /// Reads a stored report (`GET /v1/reconciliations/{id}`) and the facility's outages (`GET /v1/outages`); `title`
    /// names an operation for people.
    ///
    /// # Errors
    /// [`Malformed`] names what is missing.
    pub fn read(
        report: &Value,
        outages: &[Value],
        facility_name: &str,
        title: impl Fn(&str) -> String,
    ) -> Result<Self, Malformed> {
        let day = |name: &'static str| text(report, name).parse::<Date>().map_err(|_| Malformed(name));
        let (from, to, facility) = (day("from")?, day("to")?, text(report, "facility"));
        if !report["counts"].is_object() {
            return Err(Malformed("counts"));
        }
        let unread = report["unread"].as_array().into_iter().flatten().map(|read| title(&text(read, "operation")));
        let items = report["items"].as_array().into_iter().flatten();
        Ok(Self {
            id: text(report, "id"),
            facility_name: facility_name.to_owned(),
            finished_at: text(report, "finished_at"),
            actor: text(report, "actor"),
            complete: report["complete"].as_bool().unwrap_or(false),
            unread: unread.collect::<BTreeSet<_>>().into_iter().collect(),
            moving: number(&report["moving"]),
            adopted: number(&report["adopted"]),
            compared: compared(report, &title),
            counts: CLASSES
                .iter()
                .map(|class| ClassCount {
                    class: (*class).to_owned(),
                    title: class_title(class).to_owned(),
                    count: number(&report["counts"][*class]),
                })
                .collect(),
            late: number(&report["counts"]["late"]),
            items: items.map(|item| item_row(item, (from == to).then_some(from), &title)).collect(),
            outages: outage_lines(outages, &facility, from, to),
            checkpoint: checkpoint(&report["checkpoint"]),
            facility,
            from,
            to,
        })
    }

    /// The checkpoint as number and hash.
    #[must_use]
    pub fn checkpoint_parts(&self) -> Option<(i64, String)> {
        let (seq, hash) = self.checkpoint.as_deref()?.split_once(':')?;
        Some((seq.parse().ok()?, hash.to_owned()))
    }

    /// How many of a class.
    #[must_use]
    pub fn count(&self, class: &str) -> i64 {
        self.counts.iter().find(|count| count.class == class).map_or(0, |count| count.count)
    }
}

/// An instant of the API, which carries the facility's offset: `20 November 2026 08.12 WITA`.
pub(super) fn instant(text: &str) -> String {
    let date = text.get(..10).and_then(|text| text.parse().ok()).map(super::frame::day);
    match (date, text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {} {}", time.replace(':', "."), zone(text)).trim_end().to_owned(),
        (_, _) => text.to_owned(),
    }
}

/// Indonesia's zones by their offsets.
fn zone(text: &str) -> &'static str {
    match text.get(text.len().saturating_sub(6)..) {
        Some("+07:00") => "WIB",
        Some("+08:00") => "WITA",
        Some("+09:00") => "WIT",
        Some(_) | None => "",
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn checkpoint(value: &Value) -> Option<String> {
    Some(format!("{}:{}", value["seq"].as_i64()?, value["hash"].as_str()?))
}

fn compared(report: &Value, title: &impl Fn(&str) -> String) -> Vec<ComparedRow> {
    let names = |side: &str| {
        report[side].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<String> = names("journal").into_iter().chain(names("bpjs")).collect();
    let row = |operation: String| {
        let adds = operation.ends_with(".add");
        ComparedRow {
            title: title(&operation),
            here: number(&report["journal"][&operation]),
            bpjs: adds.then(|| number(&report["bpjs"][&operation])),
            operation,
        }
    };
    all.into_iter().map(row).collect()
}

/// `only` is the day of a report about a single one; reports about several name it in each item.
fn item_row(item: &Value, only: Option<Date>, title: &impl Fn(&str) -> String) -> ItemRow {
    let (class, operation) = (text(item, "class"), text(item, "operation"));
    let adopted = item["adopted"] == true;
    let meaning = text(&item["why"], "meaning");
    let cause = if adopted {
        "Jawaban BPJS tidak sampai; entrinya ditemukan di BPJS.".to_owned()
    } else if meaning.is_empty() {
        class_cause(&class).to_owned()
    } else {
        meaning
    };
    let by_hand = &item["settlement"];
    let settlement = if adopted {
        "Nomor BPJS sudah diakui jembatan.".to_owned()
    } else if by_hand.is_object() {
        format!("{}: {} ({})", settled(&text(by_hand, "how")), text(by_hand, "reason"), text(by_hand, "actor"))
    } else {
        String::new()
    };
    // A line of the SIM's list stands for the day that it names itself.
    let named = || text(&item["key"], "tglDaftar").parse().ok();
    ItemRow {
        day: text(item, "day").parse().ok().or(only).or_else(named),
        class_title: class_title(&class).to_owned(),
        title: if operation.is_empty() { String::new() } else { title(&operation) },
        reference: text(item, "ref"),
        state: text(item, "state"),
        id: text(item, "id"),
        fields: item["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        cause,
        settlement,
        late: item["late"] == true,
        class,
        operation,
    }
}

/// The facility's outages that touch the days, in the order in which they began.
fn outage_lines(outages: &[Value], facility: &str, from: Date, to: Date) -> Vec<OutageLine> {
    let own = outages.iter().filter(|one| one["facility"] == facility);
    let mut lines: Vec<OutageLine> = own.filter_map(|one| outage(one, from, to)).collect();
    // The same offset in all of them: their order as text is that of time.
    lines.sort_by(|a, b| (&a.opened_at, a.id).cmp(&(&b.opened_at, b.id)));
    lines
}

/// An outage that touches the days; the API's instants carry the facility's offset, so their first ten letters are its
/// local day.
fn outage(value: &Value, from: Date, to: Date) -> Option<OutageLine> {
    let day = |text: &str| text.get(..10)?.parse::<Date>().ok();
    let opened_at = text(value, "opened_at");
    let closed_at = value["closed_at"].as_str().map(str::to_owned);
    let touches =
        day(&opened_at)? <= to && closed_at.as_deref().is_none_or(|at| day(at).is_some_and(|day| day >= from));
    touches.then(|| OutageLine {
        id: number(&value["id"]),
        service: service(&text(value, "service")).to_owned(),
        side: side(&text(value, "verdict")).to_owned(),
        cause: cause(&text(value, "cause")).to_owned(),
        accepted: number(&value["accepted"]),
        late: number(&value["late"]),
        opened_at,
        closed_at,
    })
}

fn settled(how: &str) -> &'static str {
    match how {
        "adopted" => "Nomor BPJS diakui",
        "entered" => "Dientri di P-Care",
        "cancelled" => "Dibatalkan",
        "corrected" => "Dibetulkan",
        "accepted" => "Diterima apa adanya",
        _ => "Lain",
    }
}

fn class_title(class: &str) -> &'static str {
    match class {
        "equal" => "Sama pada kedua pihak",
        "differs" => "Ada pada kedua pihak, isi berbeda",
        "only_sim" => "Hanya pada SIM",
        "only_here" => "Hanya pada jembatan",
        "only_bpjs" => "Hanya pada BPJS Kesehatan",
        "unanswered" => "Sudah dikirim, belum terjawab",
        _ => "Lain",
    }
}

fn class_cause(class: &str) -> &'static str {
    match class {
        "differs" => "Isi diubah setelah dikirim, atau dinormalkan oleh BPJS Kesehatan.",
        "only_sim" => "SIM mencatatnya sebagai diserahkan, tetapi jembatan tidak menerimanya.",
        "only_here" => "Belum sampai di BPJS Kesehatan, atau dihapus di sana.",
        "only_bpjs" => "Dientri langsung di P-Care, atau oleh aplikasi lain.",
        "unanswered" => "Jawaban BPJS Kesehatan tidak diterima; sedang dicari.",
        _ => "",
    }
}

fn side(verdict: &str) -> &'static str {
    match verdict {
        "us" => "PIHAK KEDUA (faskes)",
        "network" => "jaringan",
        "bpjs" => "PIHAK KESATU (BPJS Kesehatan)",
        _ => "belum ditentukan",
    }
}

/// What people call a service.
pub(super) fn service(word: &str) -> &str {
    match word {
        "pcare" => "P-Care",
        "vclaim" => "V-Claim",
        "antrean_fktp" => "Antrean FKTP",
        "icare" => "i-Care",
        other => other,
    }
}

/// The layer that failed, in Indonesian.
pub(super) fn cause(word: &str) -> &'static str {
    match word {
        "dns" => "nama server tidak ditemukan (DNS)",
        "tcp" => "server tidak terhubung (TCP)",
        "tls" => "sambungan aman gagal (TLS)",
        "http" => "server tidak menjawab, atau menjawab galat (HTTP)",
        "business" => "aplikasi menjawab galat",
        "manual" => "dicatat petugas",
        "maintenance" => "pemeliharaan yang diumumkan",
        _ => "sebab belum jelas",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A report as the store keeps it, with one of everything.
    pub(in crate::report) fn sample() -> Reconciliation {
        let report = json!({
            "id": "r1", "facility": "0114A026", "from": "2026-11-20", "to": "2026-11-20", "actor": "operator",
            "finished_at": "2026-11-21T08:00:00+08:00", "complete": false,
            "unread": [{ "operation": "pcare.obat.add", "why": "timeout" }, { "operation": "pcare.obat.add", "why": "timeout" }],
            "moving": 1, "adopted": 1, "journal": { "pcare.kunjungan.add": 5, "pcare.kunjungan.edit": 1 },
            "bpjs": { "pcare.kunjungan.add": 6 },
            "counts": { "equal": 3, "differs": 1, "only_sim": 1, "only_here": 0, "only_bpjs": 1, "unanswered": 0, "late": 2 },
            "items": [
                { "class": "equal", "operation": "pcare.kunjungan.add", "ref": "a/kunjungan", "state": "delivered", "id": "K1", "fields": [], "adopted": true, "late": true, "why": null },
                { "class": "differs", "operation": "pcare.kunjungan.add", "ref": "=b/kunjungan", "state": "delivered", "id": "K2", "fields": ["kdDiag1"], "adopted": false, "late": false, "why": null },
                { "class": "only_sim", "ref": "c<script>" },
            ],
            "checkpoint": { "seq": 12, "hash": "ab".repeat(32) },
        });
        let outage = |id: i64, facility: &str, opened: &str, closed: Option<&str>| json!({ "id": id, "facility": facility, "service": "pcare", "opened_at": opened, "closed_at": closed, "verdict": "bpjs", "cause": "http", "accepted": 4, "late": 1 });
        let outages = [
            outage(1, "0114A026", "2026-11-19T23:00:00+08:00", Some("2026-11-20T01:00:00+08:00")),
            outage(2, "0114A026", "2026-11-19T08:00:00+08:00", Some("2026-11-19T09:00:00+08:00")),
            outage(3, "0114A027", "2026-11-20T08:00:00+08:00", None),
            outage(4, "0114A026", "2026-11-20T08:00:00+08:00", None),
        ];
        Reconciliation::read(&report, &outages, "PKM Contoh", |name| format!("Judul {name}")).unwrap()
    }

    #[test]
    fn the_stored_report_is_read_whole() {
        let report = sample();
        assert_eq!((report.count("equal"), report.count("differs"), report.late), (3, 1, 2));
        assert_eq!(report.unread, ["Judul pcare.obat.add"]);
        assert_eq!(report.compared[0].bpjs, Some(6));
        assert_eq!(report.compared[1].bpjs, None);
        assert!(report.items[0].settlement.contains("diakui"));
        assert_eq!(report.items[2].cause, class_cause("only_sim"));
        assert!(report.checkpoint.as_deref().unwrap().starts_with("12:abab"));
    }

    #[test]
    fn only_outages_of_the_facility_and_its_days_are_shown() {
        let ids: Vec<i64> = sample().outages.iter().map(|outage| outage.id).collect();
        assert_eq!(ids, [1, 4]);
    }

    #[test]
    fn a_report_without_counts_is_refused() {
        let report = json!({ "from": "2026-11-20", "to": "2026-11-20" });
        assert_eq!(Reconciliation::read(&report, &[], "", str::to_owned).unwrap_err(), Malformed("counts"));
    }
}
