//! From a paper to pages: where every line of text and every rule stands. Pure; units are points, the origin is the upper
//! left corner.
//!
//! Invariants: nothing stands outside the margins; a table's heading stands again on every page it reaches; a row stays on
//! one page unless it is higher than a page; nobody signs on a page that says nothing else.

use super::face::Faces;
use crate::report::paper::{Cell, Chart, Fact, Paper, Part, Section, Signature, Table};
use crate::report::render::plot::{colour, plot};

const SHORT: f32 = 595.0;
const LONG: f32 = 842.0;
const MARGIN: f32 = 42.0;
const BODY: f32 = 9.5;
const SMALL: f32 = 8.0;
const LEAD: f32 = 1.35;
const PAD: f32 = 2.5;
const RULE: f32 = 0.5;
/// Room for the signatures.
const SIGNING: f32 = 120.0;
const GREY: (u8, u8, u8) = (120, 120, 120);
const BLACK: (u8, u8, u8) = (0, 0, 0);
const TINT: (u8, u8, u8) = (232, 237, 242);

/// Something on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line of text with its baseline.
    Text { x: f32, y: f32, size: f32, bold: bool, text: String },
    /// A filled rectangle.
    Box { x: f32, y: f32, width: f32, height: f32, colour: (u8, u8, u8) },
}

/// A page.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    /// Width and height.
    pub(super) size: (f32, f32),
    /// In drawing order.
    pub(super) marks: Vec<Mark>,
}

#[cfg(test)]
impl Page {
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Text { text, .. } => Some(text.as_str()),
            Mark::Box { .. } => None,
        })
    }

    pub(super) fn outside(&self, faces: &Faces) -> Vec<String> {
        let (wide, high) = self.size;
        let bad = |mark: &&Mark| match mark {
            Mark::Text { x, y, size, bold, text } => {
                *x < MARGIN - 1.0
                    || x + faces.of(*bold).width(text, *size) > wide - MARGIN + 1.0
                    || *y < MARGIN - 1.0
                    || *y > high - 15.0
            }
            Mark::Box { x, y, width, height, .. } => {
                *x < MARGIN - 1.0 || x + width > wide - MARGIN + 1.0 || *y < MARGIN - 1.0 || y + height > high - MARGIN
            }
        };
        self.marks.iter().filter(bad).map(|mark| format!("{mark:?}")).collect()
    }
}

/// The pages of a paper, numbered.
pub(super) fn pages(paper: &Paper, faces: &Faces) -> Vec<Page> {
    let size = if paper.wide { (LONG, SHORT) } else { (SHORT, LONG) };
    let mut flow = Flow { faces, size, pages: Vec::new(), y: 0.0, keep: 0.0 };
    flow.turn();
    flow.title(paper);
    flow.facts(&paper.facts);
    let last = paper.sections.len().saturating_sub(1);
    for (at, section) in paper.sections.iter().enumerate() {
        flow.section(section, at == last && !paper.signatures.is_empty());
    }
    flow.keep = 0.0;
    flow.signatures(&paper.signatures);
    flow.footer(&paper.footer);
    flow.numbered(&paper.title)
}

struct Flow<'a> {
    faces: &'a Faces,
    size: (f32, f32),
    pages: Vec<Page>,
    y: f32,
    /// Room that the last block leaves below itself, for the signatures.
    keep: f32,
}

/// A row cut into lines.
struct Cut {
    cells: Vec<(Vec<String>, bool)>,
    lines: usize,
}

fn real(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

impl Flow<'_> {
    const fn width(&self) -> f32 {
        self.size.0 - 2.0 * MARGIN
    }

    const fn bottom(&self) -> f32 {
        self.size.1 - MARGIN - 12.0
    }

    fn turn(&mut self) {
        self.pages.push(Page { size: self.size, marks: Vec::new() });
        self.y = MARGIN;
    }

    /// A new page unless so much still fits.
    fn need(&mut self, height: f32) {
        if self.y + height > self.bottom() && self.y > MARGIN {
            self.turn();
        }
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.marks.push(mark);
        }
    }

    /// A line of text whose upper edge is at `y`.
    fn line(&mut self, x: f32, y: f32, size: f32, bold: bool, text: &str) {
        if !text.is_empty() {
            self.mark(Mark::Text { x, y: y + size, size, bold, text: text.to_owned() });
        }
    }

    fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, colour: (u8, u8, u8)) {
        self.mark(Mark::Box { x, y, width, height, colour });
    }

    fn centred(&mut self, x: f32, width: f32, size: f32, bold: bool, text: &str) {
        for line in self.faces.of(bold).lines(text, size, width) {
            let left = x + (width - self.faces.of(bold).width(&line, size)) / 2.0;
            self.line(left, self.y, size, bold, &line);
            self.y += size * LEAD;
        }
    }

    fn title(&mut self, paper: &Paper) {
        self.centred(MARGIN, self.width(), 14.0, true, &paper.title.to_uppercase());
        for line in &paper.subtitle {
            self.centred(MARGIN, self.width(), BODY, false, line);
        }
        self.y += 8.0;
    }

    fn paragraph(&mut self, text: &str, size: f32, bold: bool) {
        let lines = self.faces.of(bold).lines(text, size, self.width());
        if self.keep > 0.0 {
            self.need(real(lines.len()) * size * LEAD + self.keep);
        }
        for line in lines {
            self.need(size * LEAD);
            self.line(MARGIN, self.y, size, bold, &line);
            self.y += size * LEAD;
        }
        self.y += 3.0;
    }

    fn facts(&mut self, facts: &[Fact]) {
        let regular = &self.faces.regular;
        let widest = facts.iter().map(|fact| regular.width(&fact.name, BODY)).fold(0.0, f32::max);
        let column = (widest + 12.0).min(self.width() * 0.45);
        if self.keep > 0.0 {
            self.need(real(facts.len()) * (BODY * LEAD + 5.0) + self.keep);
        }
        for fact in facts {
            let names = regular.lines(&fact.name, BODY, column - 8.0);
            let values = regular.lines(&fact.value.shown(), BODY, self.width() - column);
            let lines = names.len().max(values.len());
            let extra = if fact.value == Cell::Blank { 3.0 } else { 0.0 };
            self.need(real(lines.min(50)) * BODY * LEAD + extra);
            for at in 0..lines {
                self.need(BODY * LEAD);
                self.line(MARGIN, self.y + extra, BODY, false, names.get(at).map_or("", String::as_str));
                self.line(MARGIN + column, self.y + extra, BODY, false, values.get(at).map_or("", String::as_str));
                self.y += BODY * LEAD;
            }
            self.y += extra;
            if fact.value == Cell::Blank {
                self.fill(MARGIN + column, self.y - 1.0, 200.0, RULE, GREY);
                self.y += 2.0;
            }
        }
        self.y += 4.0;
    }

    fn section(&mut self, section: &Section, signed: bool) {
        self.y += 6.0;
        let last = section.parts.len().saturating_sub(1);
        let keep = |at: usize| if signed && at == last { SIGNING + 20.0 } else { 0.0 };
        if !section.heading.is_empty() {
            self.keep = 0.0;
            self.need(110.0 + keep(0));
            self.paragraph(&section.heading, 10.5, true);
        }
        for (at, part) in section.parts.iter().enumerate() {
            self.keep = keep(at);
            match part {
                Part::Paragraph(text) => self.paragraph(text, BODY, false),
                Part::Facts(facts) => self.facts(facts),
                Part::Table(table) => self.table(table),
                Part::Chart(chart) => self.chart(chart),
            }
        }
    }

    // ---- tables -------------------------------------------------------------------------------------------------

    fn table(&mut self, table: &Table) {
        let widths = self.widths(table);
        let titles: Vec<Cell> = table.columns.iter().map(|column| Cell::text(column.title.clone())).collect();
        let head = self.cut(&titles, &widths, true);
        let figures: Vec<bool> = table.columns.iter().map(|column| column.figures).collect();
        let head = Cut { cells: head.cells.into_iter().zip(figures).map(|((l, _), f)| (l, f)).collect(), ..head };
        self.need(height(head.lines) * 3.0);
        self.row(&head, &widths, true);
        let rows = table.rows.iter().map(|row| (row, false)).chain(table.totals.iter().map(|row| (row, true)));
        let mut left = table.rows.len() + table.totals.len();
        for (row, bold) in rows {
            left -= 1;
            let mut cut = self.cut(row, &widths, bold);
            if left == 0 && self.keep > 0.0 && self.y + height(cut.lines) + self.keep > self.bottom() {
                self.turn();
                self.row(&head, &widths, true);
            }
            let page = self.bottom() - MARGIN - height(head.lines);
            let most = lines_in(page);
            while cut.lines > most {
                // Higher than a page: in slices.
                let slice = take(&mut cut, most);
                self.break_before(&slice, &head, &widths);
                self.row(&slice, &widths, bold);
            }
            self.break_before(&cut, &head, &widths);
            self.row(&cut, &widths, bold);
        }
        self.y += 6.0;
    }

    fn break_before(&mut self, row: &Cut, head: &Cut, widths: &[f32]) {
        if self.y + height(row.lines) > self.bottom() {
            self.turn();
            self.row(head, widths, true);
        }
    }

    fn widths(&self, table: &Table) -> Vec<f32> {
        let all: f32 = table.columns.iter().map(|column| f32::from(column.weight)).sum();
        table.columns.iter().map(|column| self.width() * f32::from(column.weight) / all.max(1.0)).collect()
    }

    fn cut(&self, row: &[Cell], widths: &[f32], bold: bool) -> Cut {
        let cell = |(cell, width): (&Cell, &f32)| {
            (self.faces.of(bold).lines(&cell.shown(), SMALL, (width - 2.0 * PAD).max(SMALL)), cell.is_figure())
        };
        let cells: Vec<(Vec<String>, bool)> = row.iter().zip(widths).map(cell).collect();
        let lines = cells.iter().map(|(lines, _)| lines.len()).max().unwrap_or(1);
        Cut { cells, lines }
    }

    fn row(&mut self, row: &Cut, widths: &[f32], bold: bool) {
        let (top, high) = (self.y, height(row.lines));
        if bold {
            self.fill(MARGIN, top, self.width(), high, TINT);
        }
        let mut x = MARGIN;
        for ((lines, right), width) in row.cells.iter().zip(widths) {
            let mut y = top + PAD;
            for line in lines {
                let left = if *right { x + width - PAD - self.faces.of(bold).width(line, SMALL) } else { x + PAD };
                self.line(left, y, SMALL, bold, line);
                y += SMALL * LEAD;
            }
            self.fill(x, top, RULE, high, GREY);
            x += width;
        }
        self.fill(x - RULE, top, RULE, high, GREY);
        self.fill(MARGIN, top, self.width(), RULE, GREY);
        self.y = top + high;
        // Where the next row's upper rule will stand: one rule between two rows.
        self.fill(MARGIN, self.y, self.width(), RULE, GREY);
    }

    // ---- the rest -----------------------------------------------------------------------------------------------

    fn chart(&mut self, chart: &Chart) {
        const HIGH: f32 = 110.0;
        self.need(HIGH + 60.0);
        self.paragraph(&chart.title, SMALL + 0.5, true);
        let (left, top) = (MARGIN + 26.0, self.y + 4.0);
        let wide = self.width() - 26.0;
        let laid = plot(chart, left, top, wide, HIGH);
        for (number, y) in [(laid.most, top), (0, top + HIGH)] {
            let text = Cell::Whole(number).shown();
            let x = left - 4.0 - self.faces.regular.width(&text, SMALL);
            self.line(x, y - SMALL / 2.0, SMALL, false, &text);
            self.fill(left, y, wide, RULE, GREY);
        }
        for piece in &laid.pieces {
            self.fill(piece.x, piece.y, piece.width, piece.height, colour(piece.kind));
        }
        for label in &laid.labels {
            let x = label.x - self.faces.regular.width(&label.text, SMALL) / 2.0;
            self.line(x, top + HIGH + 3.0, SMALL, false, &label.text);
        }
        self.y = top + HIGH + 18.0;
        let mut x = left;
        for (kind, name) in chart.legend.iter().enumerate() {
            self.fill(x, self.y + 1.5, 7.0, 7.0, colour(kind));
            self.line(x + 10.0, self.y, SMALL, false, name);
            x += 26.0 + self.faces.regular.width(name, SMALL);
        }
        self.y += 18.0;
    }

    fn signatures(&mut self, signatures: &[Signature]) {
        if signatures.is_empty() {
            return;
        }
        self.y += 14.0;
        self.need(SIGNING);
        let gap = 24.0;
        let wide = (self.width() + gap) / real(signatures.len()) - gap;
        // One signatory alone signs on the right, not across the page.
        let alone = if signatures.len() == 1 { wide / 2.0 } else { 0.0 };
        let (wide, top) = (wide - alone, self.y);
        let mut lowest = top;
        for (at, one) in signatures.iter().enumerate() {
            let x = MARGIN + alone + real(at) * (wide + gap);
            self.y = top;
            self.centred(x, wide, BODY, false, &one.role);
            self.centred(x, wide, BODY, true, &one.party);
            self.y += 52.0;
            self.fill(x, self.y, wide, RULE, BLACK);
            self.y += 3.0;
            self.centred(x, wide, SMALL, false, &one.under);
            lowest = lowest.max(self.y);
        }
        self.y = lowest + 8.0;
    }

    fn footer(&mut self, lines: &[String]) {
        self.y += 8.0;
        self.need(30.0);
        self.fill(MARGIN, self.y, self.width(), RULE, GREY);
        self.y += 4.0;
        for line in lines {
            self.paragraph(line, 7.5, false);
        }
    }

    fn numbered(mut self, title: &str) -> Vec<Page> {
        let (all, size) = (self.pages.len(), self.size);
        let regular = &self.faces.regular;
        let short = regular.lines(title, 7.5, size.0 - 2.0 * MARGIN - 120.0).into_iter().next().unwrap_or_default();
        for (at, page) in self.pages.iter_mut().enumerate() {
            let text = format!("Halaman {} dari {all}", at + 1);
            let x = size.0 - MARGIN - regular.width(&text, 7.5);
            let y = size.1 - 26.0;
            page.marks.push(Mark::Text { x, y, size: 7.5, bold: false, text });
            page.marks.push(Mark::Text { x: MARGIN, y, size: 7.5, bold: false, text: short.clone() });
        }
        self.pages
    }
}

fn height(lines: usize) -> f32 {
    real(lines) * SMALL * LEAD + 2.0 * PAD
}

/// How many lines a row of this height has.
fn lines_in(height: f32) -> usize {
    let mut lines = 1;
    while self::height(lines + 1) <= height {
        lines += 1;
    }
    lines
}

/// The first lines of a row as a row of their own.
fn take(row: &mut Cut, lines: usize) -> Cut {
    let cells = row.cells.iter_mut().map(|(all, right)| (all.drain(..lines.min(all.len())).collect(), *right));
    let cells = cells.collect();
    row.lines -= lines;
    Cut { cells, lines }
}
