//! XLSX: a first sheet with title, facts and text, then a sheet per table with typed cells.
//!
//! Invariants: words are written as words, so nothing is a formula; headings are frozen and printed on every page; A4.

use rust_xlsxwriter::{Chart as Drawn, ChartType, ExcelDateTime, Format, FormatBorder, Workbook, Worksheet, XlsxError};

use crate::report::paper::{Cell, Chart, Fact, Paper, Part, Table, thousandths};

/// A4 as the format numbers papers.
const A4: u8 = 9;
/// Most letters of a cell.
const LETTERS: usize = 32_000;

struct Formats {
    title: Format,
    heading: Format,
    head: Format,
    text: Format,
    wrapped: Format,
    whole: Format,
    money: Format,
    day: Format,
    milli: Format,
    percent: Format,
}

impl Formats {
    fn new(bold: bool) -> Self {
        let base = || if bold { Format::new().set_bold() } else { Format::new() };
        let number = |format: &str| base().set_num_format(format);
        Self {
            title: Format::new().set_bold().set_font_size(14),
            heading: Format::new().set_bold(),
            head: Format::new()
                .set_bold()
                .set_background_color(0x00E8_EDF2)
                .set_border(FormatBorder::Thin)
                .set_text_wrap(),
            text: base(),
            wrapped: base().set_text_wrap(),
            whole: number("#,##0"),
            money: number("\"Rp\"#,##0"),
            day: number("dd-mm-yyyy"),
            milli: number("#,##0.###"),
            percent: number("0.00%"),
        }
    }
}

/// The paper as a workbook.
///
/// # Errors
/// More rows or columns than a sheet holds.
pub fn document(paper: &Paper) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let (plain, bold) = (Formats::new(false), Formats::new(true));
    cover(book.add_worksheet(), paper, &plain)?;
    let mut names: Vec<String> = vec!["Ringkasan".to_owned()];
    for table in paper.tables() {
        let sheet = book.add_worksheet();
        sheet.set_name(free_name(table.name, &mut names))?;
        fill(sheet, table, &plain, &bold)?;
        print(sheet, paper);
    }
    book.save_to_buffer()
}

/// Two tables may have one name; two sheets may not.
fn free_name(wanted: &str, taken: &mut Vec<String>) -> String {
    let base: String = wanted.chars().filter(|c| !"[]:*?/\\'".contains(*c)).take(26).collect();
    let mut name = base.clone();
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{base} {number}");
        number += 1;
    }
    taken.push(name.clone());
    name
}

fn print(sheet: &mut Worksheet, paper: &Paper) {
    sheet.set_paper_size(A4).set_print_fit_to_pages(1, 0).set_footer("&L&8&F &A&R&8Halaman &P dari &N");
    if paper.wide {
        sheet.set_landscape();
    }
}

fn cover(sheet: &mut Worksheet, paper: &Paper, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_name("Ringkasan")?;
    sheet.set_column_width(0, 46)?;
    sheet.set_column_width(1, 60)?;
    print(sheet, paper);
    sheet.write_string_with_format(0, 0, clipped(&paper.title), &formats.title)?;
    let mut row = 1;
    for line in &paper.subtitle {
        sheet.write_string(row, 0, clipped(line))?;
        row += 1;
    }
    row = facts(sheet, row, &paper.facts, formats)?;
    for section in &paper.sections {
        row += 1;
        sheet.write_string_with_format(row, 0, clipped(&section.heading), &formats.heading)?;
        row += 1;
        for part in &section.parts {
            row = written(sheet, row, part, formats)?;
        }
    }
    for signature in &paper.signatures {
        row += 1;
        sheet.write_string(row, 0, clipped(&format!("{} – {}", signature.role, signature.party)))?;
        sheet.write_string(row, 1, clipped(&signature.under))?;
    }
    for line in &paper.footer {
        row += 1;
        sheet.write_string(row, 0, clipped(line))?;
    }
    Ok(())
}

fn written(sheet: &mut Worksheet, row: u32, part: &Part, formats: &Formats) -> Result<u32, XlsxError> {
    match part {
        Part::Paragraph(text) => {
            sheet.merge_range(row, 0, row, 1, &clipped(text), &formats.wrapped)?;
            let lines = u16::try_from(text.chars().count() / 100 + 1).unwrap_or(1);
            sheet.set_row_height(row, f64::from(lines) * 15.0)?;
            Ok(row + 1)
        }
        Part::Facts(these) => facts(sheet, row, these, formats),
        Part::Table(table) => {
            sheet.write_string(row, 0, format!("Lihat lembar {}", table.name))?;
            Ok(row + 1)
        }
        Part::Chart(chart) => drawn(sheet, row, chart),
    }
}

/// The figures of a chart beside each other, and the chart above them.
fn drawn(sheet: &mut Worksheet, row: u32, chart: &Chart) -> Result<u32, XlsxError> {
    const ROOM: u32 = 16;
    const COLUMN: u16 = 3;
    let name = "Ringkasan";
    let last = row + u32::try_from(chart.bars.len()).unwrap_or(0);
    let mut picture = Drawn::new(ChartType::ColumnStacked);
    picture.title().set_name(&chart.title);
    let mut column = COLUMN;
    for legend in &chart.legend {
        column += 1;
        sheet.write_string(row, column, legend)?;
        picture
            .add_series()
            .set_name((name, row, column))
            .set_categories((name, row + 1, COLUMN, last, COLUMN))
            .set_values((name, row + 1, column, last, column));
    }
    let mut line = row;
    for bar in &chart.bars {
        line += 1;
        sheet.write_string(line, COLUMN, &bar.label)?;
        let mut column = COLUMN;
        for piece in &bar.pieces {
            column += 1;
            sheet.write_number(line, column, exact(*piece))?;
        }
    }
    sheet.insert_chart(row, 0, &picture)?;
    Ok((row + ROOM).max(last + 1))
}

fn facts(sheet: &mut Worksheet, mut row: u32, facts: &[Fact], formats: &Formats) -> Result<u32, XlsxError> {
    for fact in facts {
        sheet.write_string(row, 0, clipped(&fact.name))?;
        put(sheet, row, 1, &fact.value, formats)?;
        row += 1;
    }
    Ok(row)
}

fn fill(sheet: &mut Worksheet, table: &Table, plain: &Formats, bold: &Formats) -> Result<(), XlsxError> {
    for (column, head) in (0_u16..).zip(&table.columns) {
        sheet.write_string_with_format(0, column, clipped(&head.title), &plain.head)?;
        sheet.set_column_width(column, f64::from(head.weight.clamp(2, 12)) * 4.5)?;
    }
    let mut row = 0;
    for (cells, formats) in
        table.rows.iter().map(|row| (row, plain)).chain(table.totals.iter().map(|total| (total, bold)))
    {
        row += 1;
        for (column, cell) in (0_u16..).zip(cells) {
            put(sheet, row, column, cell, formats)?;
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_repeat_rows(0, 0)?;
    Ok(())
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell, formats: &Formats) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty | Cell::Blank => {}
        Cell::Text(text) => {
            sheet.write_string_with_format(row, column, clipped(text), &formats.wrapped)?;
        }
        Cell::Whole(number) => {
            sheet.write_number_with_format(row, column, exact(*number), &formats.whole)?;
        }
        Cell::Money(rupiah) => {
            sheet.write_number_with_format(row, column, exact(*rupiah), &formats.money)?;
        }
        Cell::Milli(milli) => {
            sheet.write_number_with_format(row, column, thousandths(*milli), &formats.milli)?;
        }
        Cell::Percent(milli) => {
            sheet.write_number_with_format(row, column, thousandths(*milli) / 100.0, &formats.percent)?;
        }
        Cell::Day(day) => {
            let (year, month, of) = (day.year().unsigned_abs(), day.month().unsigned_abs(), day.day().unsigned_abs());
            match ExcelDateTime::from_ymd(year, month, of) {
                Ok(date) => sheet.write_datetime_with_format(row, column, &date, &formats.day)?,
                // Before 1900 the format knows no dates.
                Err(_) => sheet.write_string_with_format(row, column, day.to_string(), &formats.text)?,
            };
        }
    }
    Ok(())
}

/// Exact up to 2^53, which no sum here reaches.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn exact(number: i64) -> f64 {
    number as f64
}

fn clipped(text: &str) -> String {
    text.chars().take(LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::tests::sample;

    #[test]
    fn a_workbook_is_a_zip_that_begins_as_one() {
        let bytes = document(&sample(3)).unwrap();
        assert!(bytes.starts_with(b"PK"));
    }

    #[test]
    fn sheets_of_the_same_name_are_numbered() {
        let mut taken = vec!["Ringkasan".to_owned()];
        assert_eq!(free_name("Ringkasan", &mut taken), "Ringkasan 2");
        assert_eq!(free_name("a/b", &mut taken), "ab");
    }
}
