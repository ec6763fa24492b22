//! HTML for paper: A4, no script, no font or picture from elsewhere, Indonesian.

use askama::Template;

use super::svg;
use crate::report::paper::{Cell, Paper, Part};

#[derive(Template)]
#[template(path = "paper.html", config = "src/report/askama.toml")]
struct Page<'a> {
    paper: &'a Paper,
    blank: Cell,
}

/// The paper, ready to print and sign.
///
/// # Errors
/// The template's, which writing to memory excludes.
pub fn document(paper: &Paper) -> Result<Vec<u8>, askama::Error> {
    Ok(Page { paper, blank: Cell::Blank }.render()?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::tests::sample;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let page = String::from_utf8(document(&sample(3)).unwrap()).unwrap();
        assert!(!page.contains("<dokumen>") && !page.contains("<b>") && !page.contains("<terlambat>"), "{page}");
        assert!(page.contains("@page") && !page.contains("<script") && !page.contains("http://"));
    }

    #[test]
    fn tables_totals_facts_and_signatures_are_there() {
        let page = String::from_utf8(document(&sample(3)).unwrap()).unwrap();
        assert!(page.contains("<td class=\"n\">Rp6.000</td>"), "{page}");
        assert_eq!(page.matches("class=\"signature\"").count(), 2);
        assert_eq!(page.matches("class=\"fill\"").count(), 1);
        assert!(page.contains("<svg") && page.contains("12:abab"));
    }
}
