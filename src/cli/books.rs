//! `jembatan claims`, `network` and `telekonsultasi`: the books of a month as listings.
//!
//! Job: ask the API and lay its answers out. Invariants: listings show no name, card or diagnosis; figures are the
//! documents'. Neighbours: `/v1/claims`, `/v1/network`, `/v1/telekonsultasi`; `report` prints the same as documents. What it
//! does not do: reckon.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::Language;
use super::api::Api;
use super::report::ShareArgs;
use super::root::CliError;
use super::words::{local, short, state, table, text};

/// Which month of which facility.
#[derive(Debug, Args)]
pub struct MonthArgs {
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE")]
    pub facility: String,
    /// Bulan (month)
    #[arg(long, value_name = "YYYY-MM")]
    pub month: String,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

impl MonthArgs {
    fn query(&self) -> Vec<(&str, &str)> {
        vec![("facility", &self.facility), ("month", &self.month)]
    }
}

/// Arguments of `jembatan claims`.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: ClaimsCommand,
}

/// Klaim nonkapitasi, entri demi entri (non-capitation claims).
#[derive(Debug, Subcommand)]
pub enum ClaimsCommand {
    /// Daftar klaim satu bulan: sudah dientri, tertahan, mendekati kedaluwarsa, tanpa tindakan (list)
    List(ClaimsListArgs),
}

/// Which claims.
#[derive(Debug, Args)]
pub struct ClaimsListArgs {
    /// Faskes dan bulan.
    #[command(flatten)]
    pub month: MonthArgs,
    /// Hanya bagian ini (only this section)
    #[arg(long, value_enum, value_name = "BAGIAN")]
    pub section: Option<ClaimsSection>,
    /// Klaim siapa.
    #[command(flatten)]
    pub share: ShareArgs,
}

/// Lists of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClaimsSection {
    /// Sudah sampai di BPJS (entered)
    Entered,
    /// Dalam perjalanan (on its way)
    Open,
    /// Ditolak, ditahan, atau kedaluwarsa: perlu orang (refused, held or expired)
    Stopped,
    /// Mendekati atau melewati kedaluwarsa, juga dari bulan lain (near or past its last date)
    Near,
    /// Kode tanpa tarif dalam perjanjian (code without a tariff)
    Untariffed,
    /// Kunjungan yang seharusnya mempunyai tindakan (visits that lack a procedure)
    Missing,
}

/// Lists the claims of a month.
///
/// # Errors
/// What the daemon answers.
pub fn claims(args: &ClaimsArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let ClaimsCommand::List(args) = &args.command;
    let share = args.share.query();
    let section = args.section.and_then(|section| section.to_possible_value());
    let mut query = args.month.query();
    query.extend(section.as_ref().map(|section| ("section", section.get_name())));
    query.extend(share.iter().map(|(name, value)| (*name, value.as_str())));
    let page = api.get("/v1/claims", &query)?;
    if args.month.json {
        say!("{page}");
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => [
            "TANGGAL",
            "JENIS",
            "KODE",
            "PENAGIH",
            "KEADAAN",
            "BIAYA",
            "TARIF",
            "KEDALUWARSA",
            "SISA",
            "KIRIMAN",
            "CATATAN",
        ],
        Language::English => {
            ["DATE", "KIND", "CODE", "CLAIMANT", "STATE", "COST", "TARIFF", "LAST DATE", "LEFT", "ENTRY", "REMARK"]
        }
    };
    let rows: Vec<Vec<String>> = items(&page).iter().map(|item| claim(item, language)).collect();
    say!("{}", table(&head, &rows));
    let names = [
        ("entered", "sudah dientri", "entered"),
        ("open", "dalam perjalanan", "on their way"),
        ("stopped", "ditolak, ditahan, kedaluwarsa", "refused, held, expired"),
        ("near", "mendekati kedaluwarsa", "near their last date"),
        ("untariffed", "tanpa tarif", "without a tariff"),
        ("missing", "kunjungan tanpa tindakan", "visits without a procedure"),
    ];
    for (word, indonesian, english) in names {
        say!("{}: {}", language.pick(indonesian, english), page["counts"][word]);
    }
    Ok(())
}

fn claim(item: &Value, language: Language) -> Vec<String> {
    let own = language.pick("puskesmas", "facility");
    let sections = item["sections"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let remarks = sections.filter_map(|word| match word {
        "near" => Some(language.pick("mendekati kedaluwarsa", "near its last date")),
        "untariffed" => Some(language.pick("tanpa tarif", "no tariff")),
        _other => None,
    });
    let missing = item["missing"]["text"].as_str();
    let remarks: Vec<&str> = remarks.chain(missing).collect();
    vec![
        shown(&item["date"]),
        shown(&item["kind"]),
        shown(&item["code"]),
        item["claimant"].as_str().unwrap_or(own).to_owned(),
        state(text(item, "state"), language).to_owned(),
        shown(&item["cost"]),
        shown(&item["tariff"]["amount"]),
        shown(&item["last"]),
        shown(&item["left"]),
        short(text(item, "ref"), 30),
        remarks.join("; "),
    ]
}

/// Lists what the network handed in.
///
/// # Errors
/// What the daemon answers.
pub fn network(args: &MonthArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let page = api.get("/v1/network", &args.query())?;
    if args.json {
        say!("{page}");
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => {
            ["KLIEN", "JENIS", "DISERAHKAN", "DISETUJUI", "MENUNGGU", "DIBATALKAN", "SAMPAI", "BELUM", "TERLAMBAT"]
        }
        Language::English => {
            ["CLIENT", "KIND", "HANDED IN", "APPROVED", "WAITING", "CANCELLED", "DELIVERED", "UNFINISHED", "LATE"]
        }
    };
    let names = [
        "client",
        "kind",
        "entries",
        "approved",
        "waiting_for_approval",
        "cancelled",
        "delivered",
        "unfinished",
        "late",
    ];
    let row = |item: &Value| names.iter().map(|name| shown(&item[*name])).collect::<Vec<_>>();
    say!("{}", table(&head, &items(&page).iter().map(row).collect::<Vec<_>>()));
    let waiting: i64 = items(&page).iter().filter_map(|item| item["waiting_for_approval"].as_i64()).sum();
    if waiting > 0 {
        let release =
            format!("jembatan queue release --state held --why approval --facility {} --reason \"…\"", args.facility);
        say!("{}: {release}", language.pick("menyetujui yang menunggu", "to approve what waits"));
    }
    Ok(())
}

/// Lists the log book of telekonsultasi; cards and complaints only as JSON or as the document.
///
/// # Errors
/// What the daemon answers.
pub fn telekonsultasi(args: &MonthArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let page = api.get("/v1/telekonsultasi", &args.query())?;
    if args.json {
        say!("{page}");
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => ["TANGGAL", "WAKTU", "KIRIMAN", "ENTRI", "KEADAAN", "ID"],
        Language::English => ["DATE", "TIME", "ENTRY", "OPERATION", "STATE", "ID"],
    };
    let row = |item: &Value| {
        vec![
            shown(&item["date"]),
            item["occurred_at"].as_str().map_or_else(|| "-".to_owned(), local),
            short(text(item, "ref"), 40),
            text(item, "operation").to_owned(),
            state(text(item, "state"), language).to_owned(),
            text(item, "delivery").to_owned(),
        ]
    };
    say!("{}", table(&head, &items(&page).iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A value in a column; `-` where there is none.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => "-".to_owned(),
    }
}
