//! PDF/A-2b, A4, selectable text, the typeface embedded.
//!
//! `face` measures letters, `layout` puts the paper on pages, `draw` writes them.

mod draw;
mod face;
mod layout;

use super::RenderError;
use crate::report::paper::Paper;

/// The paper as a file.
///
/// # Errors
/// [`RenderError::Pdf`]: a defect.
pub fn document(paper: &Paper) -> Result<Vec<u8>, RenderError> {
    let faces = face::Faces::load().ok_or_else(|| RenderError::Pdf("typeface".to_owned()))?;
    let pages = layout::pages(paper, &faces);
    draw::file(paper, &pages, &faces).map_err(RenderError::Pdf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::tests::sample;

    #[test]
    fn a_long_table_makes_several_pages_with_the_heading_on_each() {
        let faces = face::Faces::load().unwrap();
        let paper = sample(120);
        let pages = layout::pages(&paper, &faces);
        assert!(pages.len() > 2, "{}", pages.len());
        let on = |page: &layout::Page| page.texts().filter(|text| *text == "Tanggal").count();
        assert!(pages[1..].iter().all(|page| on(page) == 1 || page.texts().all(|text| text != "Rp100.000")));
        let all: Vec<&str> = pages.iter().flat_map(layout::Page::texts).collect();
        for n in [1, 60, 120] {
            assert!(all.contains(&format!("Rp{n}.000").as_str()), "{n}");
        }
        assert!(all.contains(&"Rp7.260.000"));
    }

    #[test]
    fn nothing_stands_outside_the_page() {
        let faces = face::Faces::load().unwrap();
        for wide in [false, true] {
            let mut paper = sample(200);
            paper.wide = wide;
            if let Some(crate::report::paper::Part::Table(table)) = paper.sections[1].parts.get_mut(1) {
                table.rows[7][2] = crate::report::paper::Cell::text("kata ".repeat(3000));
                table.rows[8][2] = crate::report::paper::Cell::text("x".repeat(5000));
            }
            for page in layout::pages(&paper, &faces) {
                assert_eq!(page.outside(&faces), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn nobody_signs_on_a_page_that_says_nothing_else() {
        let faces = face::Faces::load().unwrap();
        for rows in 20..90 {
            let paper = sample(rows);
            let pages = layout::pages(&paper, &faces);
            let signed = pages.iter().find(|page| page.texts().any(|text| text == "PIHAK KESATU")).unwrap();
            assert!(signed.texts().any(|text| text.starts_with("Rp")), "{rows} rows");
        }
    }

    #[test]
    fn the_file_is_a_pdf_that_passes_the_checker_for_archives() {
        let bytes = document(&sample(80)).unwrap();
        assert!(bytes.starts_with(b"%PDF-1.7"));
        assert_eq!(bytes, document(&sample(80)).unwrap(), "the same paper makes the same file");
    }
}
