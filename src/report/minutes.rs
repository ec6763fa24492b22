//! The berita acara of a reconciliation as a paper.

use super::frame::{Frame, Period};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use super::reconciliation::{ItemRow, OutageLine, Reconciliation, instant};

/// Ready to print and sign. The checkpoint is that of the reconciliation, not of the printing.
#[must_use]
pub fn minutes(frame: &Frame, report: &Reconciliation) -> Paper {
    let period = Period { from: report.from, to: report.to };
    let frame = Frame { checkpoint: report.checkpoint_parts(), ..frame.clone() };
    let mut footer = vec![format!("Rekonsiliasi {}, diminta oleh {}.", report.id, report.actor)];
    footer.extend(frame.footer());
    Paper {
        kind: "reconciliation",
        title: "Berita Acara Rekonsiliasi Data Pelayanan".to_owned(),
        subtitle: vec![period.words()],
        facts: facts(&frame, period),
        sections: vec![
            Section::new("1. Yang dibandingkan", compared(report)),
            Section::new("2. Hasil", vec![Part::text(agreement(report)), Part::Table(counts(report))]),
            Section::new("3. Perbedaan dan penyelesaiannya", differences(&report.items)),
            Section::new("4. Gangguan dalam periode ini", outages(&report.outages)),
            Section::new(
                "",
                vec![Part::text("Berita acara ini dibuat dalam rangkap dua dan ditandatangani kedua pihak.")],
            ),
        ],
        signatures: frame.both(),
        footer,
        made: frame.now,
        wide: false,
    }
}

fn facts(frame: &Frame, period: Period) -> Vec<Fact> {
    let mut facts = vec![Fact::new("Nomor", Cell::Blank), Fact::new("Hari, tanggal", Cell::Blank)];
    facts.extend(frame.parties());
    facts.push(Fact::new("Periode", Cell::Text(period.words())));
    facts
}

fn compared(report: &Reconciliation) -> Vec<Part> {
    let mut parts = vec![Part::Paragraph(format!(
        "Jurnal jembatan PIHAK KEDUA dibandingkan dengan data yang dibaca dari layanan web PIHAK KESATU pada {}.",
        instant(&report.finished_at)
    ))];
    if report.moving > 0 {
        parts.push(Part::Paragraph(format!(
            "{} entri sedang dikirim pada saat itu dan tidak ikut dibandingkan.",
            report.moving
        )));
    }
    if !report.complete {
        parts.push(Part::Paragraph(format!(
            "Tidak lengkap: layanan PIHAK KESATU tidak menjawab untuk {}.",
            report.unread.join(", ")
        )));
    }
    let rows = report.compared.iter().map(|row| {
        vec![
            Cell::Text(row.title.clone()),
            Cell::Whole(row.here),
            row.bpjs.map_or_else(|| Cell::text("–"), Cell::Whole),
        ]
    });
    parts.push(Part::Table(Table {
        name: "Dibandingkan",
        columns: vec![Column::words("Jenis", 8), Column::figures("Jembatan", 3), Column::figures("BPJS Kesehatan", 3)],
        rows: rows.collect(),
        totals: Vec::new(),
    }));
    parts
}

fn agreement(report: &Reconciliation) -> String {
    let equal = Cell::Whole(report.count("equal")).shown();
    if report.adopted == 0 {
        return format!("{equal} data sama pada kedua pihak.");
    }
    format!(
        "{equal} data sama pada kedua pihak; {} di antaranya diakui dalam rekonsiliasi ini karena jawaban PIHAK KESATU \
         sebelumnya tidak sampai.",
        report.adopted
    )
}

fn counts(report: &Reconciliation) -> Table {
    let row = |title: &str, count: i64| vec![Cell::text(title), Cell::Whole(count)];
    let mut rows: Vec<Vec<Cell>> = report.counts.iter().map(|count| row(&count.title, count.count)).collect();
    rows.push(row("Lewat batas waktu menurut perjanjian", report.late));
    Table {
        name: "Hasil",
        columns: vec![Column::words("Golongan", 8), Column::figures("Jumlah", 3)],
        rows,
        totals: Vec::new(),
    }
}

fn differences(items: &[ItemRow]) -> Vec<Part> {
    if items.is_empty() {
        return vec![Part::text("Tidak ada perbedaan.")];
    }
    let row = |(at, item): (usize, &ItemRow)| {
        let fields = if item.fields.is_empty() { String::new() } else { format!(": {}", item.fields.join(", ")) };
        let late = if item.late { "ya" } else { "" };
        vec![
            Cell::count(at + 1),
            Cell::maybe(item.day, Cell::Day),
            Cell::Text(item.title.clone()),
            Cell::Text(item.reference.clone()),
            Cell::Text(item.id.clone()),
            Cell::Text(format!("{}{fields}", item.class_title)),
            Cell::Text(item.cause.clone()),
            Cell::text(late),
            Cell::Text(item.settlement.clone()),
        ]
    };
    vec![Part::Table(Table {
        name: "Perbedaan",
        columns: vec![
            Column::figures("No", 4),
            Column::words("Tanggal", 9),
            Column::words("Jenis", 9),
            Column::words("Ref SIM", 10),
            Column::words("No. BPJS", 11),
            Column::words("Golongan", 11),
            Column::words("Sebab", 13),
            Column::words("Telat", 5),
            Column::words("Penyelesaian", 14),
        ],
        rows: items.iter().enumerate().map(row).collect(),
        totals: Vec::new(),
    })]
}

fn outages(lines: &[OutageLine]) -> Vec<Part> {
    if lines.is_empty() {
        return vec![Part::text("Tidak ada gangguan tercatat.")];
    }
    let row = |line: &OutageLine| {
        vec![
            Cell::Whole(line.id),
            Cell::Text(line.service.clone()),
            Cell::Text(instant(&line.opened_at)),
            Cell::Text(line.closed_at.as_deref().map_or_else(|| "masih berlangsung".to_owned(), instant)),
            Cell::Text(line.cause.clone()),
            Cell::Text(line.side.clone()),
            Cell::Whole(line.late),
        ]
    };
    vec![Part::Table(Table {
        name: "Gangguan",
        columns: vec![
            Column::figures("No", 2),
            Column::words("Layanan", 3),
            Column::words("Mulai", 5),
            Column::words("Selesai", 5),
            Column::words("Sebab", 5),
            Column::words("Pihak", 5),
            Column::figures("Terlambat karenanya", 4),
        ],
        rows: lines.iter().map(row).collect(),
        totals: Vec::new(),
    })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::frame::tests::{frame, named};
    use crate::report::reconciliation::tests::sample;
    use crate::report::render::Form;

    #[test]
    fn the_page_has_what_a_berita_acara_needs() {
        let page = String::from_utf8(Form::Html.render(&minutes(&frame(), &sample())).unwrap()).unwrap();
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
            "19 November 2026 23.00 WITA",
            "masih berlangsung",
            "tidak menjawab",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("class=\"signature\"").count(), 2);
    }

    #[test]
    fn names_and_pics_of_the_configuration_are_printed_in_every_form() {
        let paper = minutes(&named(), &sample());
        for form in [Form::Html, Form::Json] {
            let page = String::from_utf8(form.render(&paper).unwrap()).unwrap();
            for wanted in ["BUDI CONTOH (NPP 00001)", "dr. EKA CONTOH", "ANI CONTOH, Staf TI", "Cabang Contoh"] {
                assert!(page.contains(wanted), "{form}: {wanted}");
            }
        }
    }

    #[test]
    fn every_difference_stands_in_the_table_with_room_for_its_settlement() {
        let paper = minutes(&frame(), &sample());
        let table = paper.tables().find(|table| table.name == "Perbedaan").unwrap();
        assert_eq!(table.rows.len(), 3);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
    }
}
