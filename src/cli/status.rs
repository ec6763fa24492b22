//! `jembatan status`: one screen for the person in charge.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Language;
use super::api::Api;
use super::obligations::UNCERTAIN;
use super::root::CliError;
use super::words::{cause, instant, local, service, side, span, state, table, text, who};
use crate::config::Config;
use crate::queue::State;

/// Arguments of `jembatan status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Hanya faskes ini (only this facility)
    #[arg(long, value_name = "KODE")]
    pub facility: Option<String>,
    /// Entri yang akan terlambat menurut laju sekarang, satu per satu (which entries will miss which date)
    #[arg(long)]
    pub forecast: bool,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Shows the screen.
///
/// # Errors
/// The daemon does not answer; [`CliError::NeedsPerson`] if the bridge stands still.
pub fn run(args: &StatusArgs, api: &Api, config: &Config, language: Language) -> Result<(), CliError> {
    let query: Vec<(&str, &str)> = args.facility.iter().map(|code| ("facility", code.as_str())).collect();
    if args.forecast {
        return foretell(args, api, &query, language);
    }
    let view = api.get("/v1/status", &query)?;
    if args.json {
        say!("{view}");
    } else {
        let zone = config.facilities.first().map_or(TimeZone::UTC, |facility| facility.timezone.clone());
        say!("{}", Screen { view: &view, zone: &zone, language }.render().trim_end());
    }
    if view["report"]["status"] == "down" {
        let text =
            language.pick("jembatan berhenti bekerja: lihat langkah di atas", "the bridge stands still: see above");
        return Err(CliError::NeedsPerson(text.to_owned()));
    }
    Ok(())
}

/// Entries shown at most.
const FORETOLD: usize = 1000;

/// Every lane's outlook and every entry at risk, in dispatch order.
fn foretell(args: &StatusArgs, api: &Api, query: &[(&str, &str)], language: Language) -> Result<(), CliError> {
    let page = api.get("/v1/forecast", &[query, &[("limit", &FORETOLD.to_string())]].concat())?;
    if args.json {
        say!("{page}");
        return Ok(());
    }
    let when = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), local);
    let lane = |row: &Value| {
        let rate = if row["stopped_since"].is_null() {
            format!("{:.1}", row["per_minute"].as_f64().unwrap_or_default())
        } else {
            format!("{} {}", language.pick("berhenti sejak", "stopped since"), when(&row["stopped_since"]))
        };
        vec![
            text(row, "facility").to_owned(),
            service(text(row, "service")).to_owned(),
            row["unfinished"].to_string(),
            rate,
            row["late"].to_string(),
            row["at_risk"].to_string(),
            when(&row["first_at_risk"]),
            when(&row["empty_at"]),
        ]
    };
    let entry = |row: &Value| {
        let seen = &row["forecast"];
        vec![
            text(row, "id").to_owned(),
            text(row, "facility").to_owned(),
            text(row, "operation").to_owned(),
            text(row, "ref").to_owned(),
            when(&seen["misses"]),
            when(&seen["expected"]),
        ]
    };
    let rows = |name: &str| page[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let (lanes, entries) = match language {
        Language::Indonesian => (
            ["FASKES", "LAYANAN", "BELUM", "PER MENIT", "LEWAT", "AKAN LEWAT", "BATAS PERTAMA", "HABIS"],
            ["ID", "FASKES", "OPERASI", "REF", "BATAS", "PERKIRAAN SAMPAI"],
        ),
        Language::English => (
            ["FACILITY", "SERVICE", "OPEN", "A MINUTE", "LATE", "WILL BE", "FIRST LIMIT", "EMPTY"],
            ["ID", "FACILITY", "OPERATION", "REF", "LIMIT", "EXPECTED"],
        ),
    };
    say!("{}", table(&lanes, &rows("lanes").iter().map(lane).collect::<Vec<_>>()));
    if rows("items").is_empty() {
        say!("{}", language.pick("Tidak ada entri yang akan terlambat.", "No entry will be late."));
    } else {
        say!("\n{}", table(&entries, &rows("items").iter().map(entry).collect::<Vec<_>>()));
    }
    if page["capped"] == true || !page["next"].is_null() {
        say!("{}", language.pick("Antrean besar: angka di atas paling sedikit.", "A long queue: at least these."));
    }
    Ok(())
}

struct Screen<'a> {
    view: &'a Value,
    zone: &'a TimeZone,
    language: Language,
}

impl Screen<'_> {
    fn render(&self) -> String {
        let mut out = self.light();
        let parts = [
            self.attention(),
            self.duties(),
            self.counts(),
            self.outages(),
            self.pauses(),
            self.credentials(),
            self.nodes(),
        ];
        for part in parts {
            if !part.is_empty() {
                out.push('\n');
                out.push_str(&part);
            }
        }
        out
    }

    fn say<'t>(&self, indonesian: &'t str, english: &'t str) -> &'t str {
        self.language.pick(indonesian, english)
    }

    fn at(&self, value: &Value) -> Option<Timestamp> {
        value.as_str()?.parse().ok()
    }

    fn when(&self, value: &Value) -> String {
        self.at(value).map_or_else(|| "-".to_owned(), |at| instant(at, self.zone))
    }

    fn light(&self) -> String {
        let (headline, report) = (&self.view["headline"], &self.view["report"]);
        let word = match text(report, "status") {
            "ok" => self.say("BERJALAN", "RUNNING"),
            "degraded" => self.say("TERGANGGU", "DEGRADED"),
            _ => self.say("BERHENTI", "DOWN"),
        };
        let side = match text(report, "verdict") {
            "none" => self.say("tidak ada gangguan", "no fault").to_owned(),
            other => side(other, self.language).to_owned(),
        };
        let time = &self.view["time"];
        let now = self.at(&self.view["at"]).unwrap_or_default();
        let oldest = self.at(&time["oldest_unfinished"]).map_or_else(
            || self.say("tidak ada yang menunggu", "nothing waits").to_owned(),
            |at| span(now.duration_since(at), self.language),
        );
        let nearest = self.at(&time["nearest"]).map_or_else(
            || self.say("tidak ada", "none").to_owned(),
            |at| {
                let left = span(at.duration_since(now), self.language);
                format!("{} ({left} {})", instant(at, self.zone), self.say("lagi", "left"))
            },
        );
        let mut lines = vec![
            (self.say("Keadaan", "State"), format!("{word} · {}", self.when(&self.view["at"]))),
            (
                self.say("Pihak", "Fault"),
                format!("{side} · {} {}", self.say("sejak", "since"), self.when(&headline["since"])),
            ),
            ("", text(headline, "meanwhile").to_owned()),
            (self.say("Langkah", "Next"), text(headline, "next").to_owned()),
            (self.say("Entri tertua", "Oldest entry"), oldest),
            (self.say("Batas terdekat", "Nearest limit"), nearest),
        ];
        if time["late"] != 0 || time["at_risk"] != 0 {
            let late = format!(
                "{} {}, {} {}",
                time["late"],
                self.say("lewat batas", "late"),
                time["at_risk"],
                self.say("hampir", "nearly")
            );
            lines.push((self.say("Terlambat", "Late"), late));
        }
        if time["foreseen"].as_i64().is_some_and(|count| count > 0) {
            let first = self.when(&time["foreseen_first"]);
            let words =
                self.say("entri menurut laju sekarang, batas pertama", "entries at the present rate, first limit");
            let more = self.say("rincian: jembatan status --forecast", "details: jembatan status --forecast");
            lines.push((
                self.say("Akan terlambat", "Will be late"),
                format!("{} {words} {first} ({more})", time["foreseen"]),
            ));
        }
        lines.into_iter().map(|(label, value)| format!("{label:<15} {value}").trim_end().to_owned() + "\n").collect()
    }

    fn section(&self, title: &str, lines: &[String]) -> String {
        if lines.is_empty() {
            return String::new();
        }
        lines.iter().fold(format!("{title}\n"), |text, line| text + "  " + line + "\n")
    }

    fn items(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.view[name].as_array().into_iter().flatten()
    }

    fn attention(&self) -> String {
        let mut lines = Vec::new();
        for item in self.items("attention") {
            let word = state(text(item, "state"), self.language);
            lines.push(format!("{} {word}: {}", item["count"], text(item, "meaning")));
            let who = item["who"].as_str().map(|word| format!(" ({})", who(word, self.language))).unwrap_or_default();
            lines.push(format!("  → {}{who}", text(item, "next")));
        }
        self.section(self.say("Yang harus dikerjakan", "To do"), &lines)
    }

    fn duties(&self) -> String {
        let line = |duty: &Value| {
            let word = match (duty["overdue"] == true, duty["due"].is_null()) {
                (_, true) => "!",
                (true, false) => self.say("TERLAMBAT", "OVERDUE"),
                (false, false) => self.say("segera", "due soon"),
            };
            let due = if duty["due"].is_null() { String::new() } else { format!("{} · ", self.when(&duty["due"])) };
            let doubt = if duty["uncertain"].is_null() { "" } else { " *" };
            format!("{word} {due}{}{doubt}", text(duty, "title"))
        };
        let mut lines: Vec<String> = self.items("duties").map(line).collect();
        if self.items("duties").any(|duty| !duty["uncertain"].is_null()) {
            lines.push(self.say(UNCERTAIN.0, UNCERTAIN.1).to_owned());
        }
        self.section(self.say("Kewajiban perjanjian", "Duties of the agreement"), &lines)
    }

    fn counts(&self) -> String {
        let mut head = vec![self.say("Faskes", "Facility"), self.say("Layanan", "Service")];
        head.extend(State::ALL.iter().map(|one| state(one.word(), self.language)));
        let rows: Vec<Vec<String>> = self
            .items("counts")
            .map(|row| {
                let mut cells = vec![text(row, "facility").to_owned(), service(text(row, "service")).to_owned()];
                cells.extend(State::ALL.iter().map(|one| row["states"][one.word()].as_i64().unwrap_or(0).to_string()));
                cells
            })
            .collect();
        if rows.is_empty() { String::new() } else { table(&head, &rows) + "\n" }
    }

    fn outages(&self) -> String {
        let open = self.items("outages").filter(|outage| outage["closed_at"].is_null());
        let lines: Vec<String> = open
            .map(|outage| {
                format!(
                    "#{} {} {}: {} · {} {} · {} {}",
                    outage["id"],
                    text(outage, "facility"),
                    service(text(outage, "service")),
                    cause(text(outage, "cause"), self.language),
                    self.say("pihak", "fault"),
                    side(text(outage, "verdict"), self.language),
                    self.say("sejak", "since"),
                    self.when(&outage["opened_at"])
                )
            })
            .collect();
        self.section(self.say("Gangguan terbuka", "Open outages"), &lines)
    }

    fn pauses(&self) -> String {
        let line = |pause: &Value| {
            let facility = if pause["facility"] == "*" { self.say("semua", "all") } else { text(pause, "facility") };
            let (reason, actor) = (text(pause, "reason"), text(pause, "actor"));
            format!("{facility}: {reason} · {actor} · {}", self.when(&pause["since"]))
        };
        let lines: Vec<String> = self.items("pauses").map(line).collect();
        self.section(self.say("Dijeda", "Paused"), &lines)
    }

    /// Nothing where the process is alone on its database.
    fn nodes(&self) -> String {
        let line = |node: &Value| {
            let how = if node["live"] == true {
                self.say("hidup", "alive").to_owned()
            } else {
                format!("{} {}", self.say("tidak terlihat sejak", "not seen since"), self.when(&node["seen_at"]))
            };
            let own: Vec<&str> =
                node["facilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let own =
                if own.is_empty() { self.say("tidak mengirim", "sends nothing").to_owned() } else { own.join(", ") };
            format!("{} ({how}): {own}", text(node, "name"))
        };
        let lines: Vec<String> = self.items("nodes").map(line).collect();
        self.section(self.say("Simpul", "Nodes"), &lines)
    }

    fn credentials(&self) -> String {
        let stopped = self.items("lanes").filter(|lane| !lane["credentials_refused_since"].is_null());
        let lines: Vec<String> = stopped
            .map(|lane| {
                let since = self.when(&lane["credentials_refused_since"]);
                let (facility, service) = (text(lane, "facility"), service(text(lane, "service")));
                format!("{facility} {service}: {} {since}", self.say("ditolak BPJS sejak", "refused by BPJS since"))
            })
            .collect();
        self.section(self.say("Kredensial", "Credentials"), &lines)
    }
}
