//! CSV as a spreadsheet with Indonesian settings opens it: semicolons, UTF-8 with BOM, CRLF.
//!
//! Invariant: no cell is read as a formula (OWASP, CSV injection): one that begins like a formula gets an apostrophe.

use crate::report::reconciliation::Reconciliation;

/// A head and rows as one file.
pub fn sheet(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let bytes = "\u{feff}".as_bytes().to_vec();
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(::csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(bytes);
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(head).chain(rows) {
        // Writing to memory cannot fail.
        let _infallible = writer.write_record(row.iter().map(|cell: &String| guarded(cell)));
    }
    writer.into_inner().unwrap_or_default()
}

/// A cell that no spreadsheet takes for a formula.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

/// The differences of a reconciliation, one per row, with an empty column for their settlement.
#[must_use]
pub fn reconciliation(report: &Reconciliation) -> Vec<u8> {
    const HEAD: [&str; 12] = [
        "faskes",
        "dari",
        "sampai",
        "golongan",
        "operasi",
        "ref",
        "keadaan",
        "nomor_bpjs",
        "berbeda_pada",
        "sebab",
        "terlambat",
        "penyelesaian",
    ];
    let rows = report.items.iter().map(|item| {
        vec![
            report.facility.clone(),
            report.from.to_string(),
            report.to.to_string(),
            item.class.clone(),
            item.operation.clone(),
            item.reference.clone(),
            item.state.clone(),
            item.id.clone(),
            item.fields.join(", "),
            item.cause.clone(),
            if item.late { "ya" } else { "tidak" }.to_owned(),
            item.settlement.clone(),
        ]
    });
    sheet(&HEAD, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
