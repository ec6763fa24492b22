//! Pages into a file. The only place that knows krilla.

use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{GlyphId, KrillaGlyph};
use krilla::{Document, SerializeSettings};

use super::face::Faces;
use super::layout::{Mark, Page};
use crate::report::paper::Paper;

/// Writes and checks it against PDF/A-2b.
pub(super) fn file(paper: &Paper, pages: &[Page], faces: &Faces) -> Result<Vec<u8>, String> {
    let configuration =
        ConfigurationBuilder::new().with_archival_validator(Archival::A2_B).finish().map_err(|e| format!("{e:?}"))?;
    let mut document = Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    document.set_metadata(metadata(paper));
    for page in pages {
        let settings = PageSettings::from_wh(page.size.0, page.size.1).ok_or("page size")?;
        let mut open = document.start_page_with(settings);
        let mut surface = open.surface();
        for mark in &page.marks {
            draw(&mut surface, mark, faces);
        }
        surface.finish();
        open.finish();
    }
    document.finish().map_err(|error| format!("{error:?}"))
}

fn metadata(paper: &Paper) -> Metadata {
    let made = paper.made.to_zoned(jiff::tz::TimeZone::UTC);
    let date = DateTime::new(made.year().unsigned_abs())
        .month(made.month().unsigned_abs())
        .day(made.day().unsigned_abs())
        .hour(made.hour().unsigned_abs())
        .minute(made.minute().unsigned_abs())
        .second(made.second().unsigned_abs())
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    let plain = Metadata::new().title(paper.title.clone()).language("id".to_owned()).creator("jembatan".to_owned());
    plain.creation_date(date)
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, faces: &Faces) {
    match mark {
        Mark::Box { x, y, width, height, colour } => {
            let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) else { return };
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            surface.set_fill(Some(ink(*colour)));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Text { x, y, size, bold, text } => {
            let face = faces.of(*bold);
            // What the typeface lacks is a question mark in the copied text too.
            let text: String = text.chars().map(|letter| if face.has(letter) { letter } else { '?' }).collect();
            let glyph = |(at, letter): (usize, char)| {
                let glyph = face.glyph(letter);
                let range = at..at + letter.len_utf8();
                KrillaGlyph::new(GlyphId::new(glyph.id), glyph.advance, 0.0, 0.0, 0.0, range, None)
            };
            let glyphs: Vec<KrillaGlyph> = text.char_indices().map(glyph).collect();
            surface.set_fill(Some(ink((0, 0, 0))));
            surface.draw_glyphs(Point::from_xy(*x, *y), &glyphs, face.font.clone(), &text, *size, false);
        }
    }
}

fn ink((red, green, blue): (u8, u8, u8)) -> Fill {
    Fill { paint: rgb::Color::new(red, green, blue).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}
