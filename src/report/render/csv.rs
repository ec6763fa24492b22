//! CSV as a spreadsheet with Indonesian settings opens it: semicolons, UTF-8 with BOM, CRLF.
//!
//! Invariants: no words are read as a formula (OWASP, CSV injection): a cell that begins like one gets an apostrophe;
//! figures are plain numbers and days ISO dates, so that a program can add them up.

use crate::report::paper::{Cell, Fact, Paper, Part, Table, thousandths};

/// A head and rows as one file.
pub fn sheet(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    file(std::iter::once(head).chain(rows).map(|row: Vec<String>| row.iter().map(|cell| guarded(cell)).collect()))
}

fn file(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let bytes = "\u{feff}".as_bytes().to_vec();
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(::csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(bytes);
    for row in rows {
        // Writing to memory cannot fail.
        let _infallible = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
}

/// A cell that no spreadsheet takes for a formula.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// The whole paper: facts first, then every section with its tables, an empty row between blocks.
#[must_use]
pub fn document(paper: &Paper) -> Vec<u8> {
    let mut rows = vec![vec![guarded(&paper.title)]];
    rows.extend(paper.subtitle.iter().map(|line| vec![guarded(line)]));
    rows.extend(facts(&paper.facts));
    for section in &paper.sections {
        rows.push(vec![String::new()]);
        if !section.heading.is_empty() {
            rows.push(vec![guarded(&section.heading)]);
        }
        for part in &section.parts {
            match part {
                Part::Paragraph(text) => rows.push(vec![guarded(text)]),
                Part::Facts(these) => rows.extend(facts(these)),
                Part::Table(table) => rows.extend(lines(table)),
                // Its figures stand in a table.
                Part::Chart(_) => {}
            }
        }
    }
    rows.push(vec![String::new()]);
    rows.extend(paper.footer.iter().map(|line| vec![guarded(line)]));
    file(rows)
}

fn facts(facts: &[Fact]) -> Vec<Vec<String>> {
    facts.iter().map(|fact| vec![guarded(&fact.name), written(&fact.value)]).collect()
}

fn lines(table: &Table) -> Vec<Vec<String>> {
    let head = table.columns.iter().map(|column| guarded(&column.title)).collect();
    let body = table.rows.iter().chain(&table.totals).map(|row| row.iter().map(written).collect());
    std::iter::once(head).chain(body).collect()
}

fn written(cell: &Cell) -> String {
    match cell {
        Cell::Empty | Cell::Blank => String::new(),
        Cell::Text(text) => guarded(text),
        Cell::Whole(number) | Cell::Money(number) => number.to_string(),
        Cell::Day(day) => day.to_string(),
        // The decimal comma of the settings that the semicolons are for.
        Cell::Milli(milli) | Cell::Percent(milli) => thousandths(*milli).to_string().replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::tests::sample;

    #[test]
    fn a_sheet_has_a_bom_semicolons_and_windows_line_ends() {
        let text = String::from_utf8(sheet(&["a", "b"], [vec!["1;2".to_owned(), "x\"y".to_owned()]])).unwrap();
        assert_eq!(text, "\u{feff}a;b\r\n\"1;2\";\"x\"\"y\"\r\n");
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for cell in ["=1+1", "+62", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert!(guarded(cell).starts_with('\''), "{cell:?}");
        }
        assert_eq!(guarded("a=1"), "a=1");
        assert_eq!(guarded(""), "");
    }

    #[test]
    fn figures_stay_figures_and_words_stay_words() {
        assert_eq!(written(&Cell::Whole(-5)), "-5");
        assert_eq!(written(&Cell::text("-5")), "'-5");
        assert_eq!(written(&Cell::Percent(2_500)), "2,5");
        let text = String::from_utf8(document(&sample(2))).unwrap();
        assert!(text.contains("Jumlah;3000;"), "{text}");
        assert!(!text.contains(";=") && !text.contains(";\"="), "{text}");
    }
}
