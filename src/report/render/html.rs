//! HTML for paper: A4, no script, no font or picture from elsewhere, Indonesian.

use askama::Template;
use jiff::civil::Date;

use crate::report::reconciliation::Reconciliation;

#[derive(Template)]
#[template(path = "reconciliation.html", config = "src/report/askama.toml")]
struct Page<'a> {
    report: &'a Reconciliation,
    period: String,
    finished: String,
    agree: i64,
    outages: Vec<OutageCells>,
}

struct OutageCells {
    service: String,
    opened: String,
    closed: String,
    cause: String,
    side: String,
    late: i64,
}

/// The berita acara of a reconciliation, ready to print and sign.
///
/// # Errors
/// The template's, which writing to memory excludes.
pub fn reconciliation(report: &Reconciliation) -> Result<Vec<u8>, askama::Error> {
    let outages = report.outages.iter().map(|outage| OutageCells {
        service: service(&outage.service).to_owned(),
        opened: instant(&outage.opened_at),
        closed: outage.closed_at.as_deref().map_or_else(|| "masih berlangsung".to_owned(), instant),
        cause: outage.cause.clone(),
        side: outage.side.clone(),
        late: outage.late,
    });
    let page = Page {
        report,
        period: period(report.from, report.to),
        finished: instant(&report.finished_at),
        agree: report.count("equal"),
        outages: outages.collect(),
    };
    Ok(page.render()?.into_bytes())
}

fn service(word: &str) -> &str {
    match word {
        "pcare" => "P-Care",
        "vclaim" => "V-Claim",
        "antrean_fktp" => "Antrean FKTP",
        "icare" => "i-Care",
        other => other,
    }
}

fn period(from: Date, to: Date) -> String {
    if from == to { day(from) } else { format!("{} sampai {}", day(from), day(to)) }
}

/// `20 November 2026`.
fn day(date: Date) -> String {
    const MONTHS: [&str; 12] = [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ];
    let month = usize::try_from(date.month() - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"");
    format!("{} {month} {}", date.day(), date.year())
}

/// An instant of the API, which carries the facility's offset: `20 November 2026 08.12`.
fn instant(text: &str) -> String {
    let date = text.get(..10).and_then(|text| text.parse().ok()).map(day);
    match (date, text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {}", time.replace(':', ".")),
        (_, _) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::reconciliation::tests::sample;

    #[test]
    fn the_page_has_what_a_berita_acara_needs() {
        let page = String::from_utf8(reconciliation(&sample()).unwrap()).unwrap();
        for wanted in [
            "PIHAK KESATU",
            "PIHAK KEDUA",
            "PKM Contoh",
            "0114A026",
            "20 November 2026",
            "PIC",
            "Penyelesaian",
            "kdDiag1",
            "Judul pcare.kunjungan.add",
            "12:abab",
            "19 November 2026 23.00",
            "masih berlangsung",
            "tidak menjawab",
            "@page",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert_eq!(page.matches("class=\"signature\"").count(), 2);
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let page = String::from_utf8(reconciliation(&sample()).unwrap()).unwrap();
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn several_days_are_written_as_a_span() {
        assert_eq!(
            period(Date::constant(2026, 11, 1), Date::constant(2026, 11, 30)),
            "1 November 2026 sampai 30 November 2026"
        );
    }
}
