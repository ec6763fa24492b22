//! The typeface: DejaVu Sans Condensed, from the crate `dejavu` (licence in `src/report/fonts`), and its measures.

use krilla::text::Font;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// A glyph as it is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    /// Its number in the font.
    pub(super) id: u32,
    /// Its width at size 1.
    pub(super) advance: f32,
}

/// One weight.
pub(super) struct Face {
    /// For the file.
    pub(super) font: Font,
    measures: FontRef<'static>,
    em: f32,
}

/// Both weights.
pub(super) struct Faces {
    /// Running text.
    pub(super) regular: Face,
    /// Headings and totals.
    pub(super) bold: Face,
}

impl Faces {
    /// `None` only if the shipped fonts are damaged.
    pub(super) fn load() -> Option<Self> {
        let face = |bytes: &'static [u8]| {
            let measures = FontRef::new(bytes).ok()?;
            let em = f32::from(measures.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
            Some(Face { font: Font::new(bytes.into(), 0)?, measures, em })
        };
        Some(Self { regular: face(dejavu::sans_condensed::regular())?, bold: face(dejavu::sans_condensed::bold())? })
    }

    /// The weight.
    pub(super) const fn of(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }
}

impl Face {
    /// The glyph of a letter; a question mark stands in for letters the typeface lacks.
    pub(super) fn glyph(&self, letter: char) -> Glyph {
        let map = self.measures.charmap();
        let id = map.map(letter).or_else(|| map.map('?')).unwrap_or_default();
        let advance = self.measures.glyph_metrics(Size::unscaled(), LocationRef::default()).advance_width(id);
        Glyph { id: id.to_u32(), advance: advance.unwrap_or(0.0) / self.em }
    }

    /// Whether the typeface has it.
    pub(super) fn has(&self, letter: char) -> bool {
        self.measures.charmap().map(letter).is_some()
    }

    /// The width of a line at a size.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter).advance).sum::<f32>() * size
    }

    /// A text in lines no wider than `room`; words too long for a line are cut.
    pub(super) fn lines(&self, text: &str, size: f32, room: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.split('\n') {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                self.add(word, size, room, &mut line, &mut lines);
            }
            lines.push(line);
        }
        lines
    }

    fn add(&self, word: &str, size: f32, room: f32, line: &mut String, lines: &mut Vec<String>) {
        let space = if line.is_empty() { "" } else { " " };
        if self.width(&format!("{line}{space}{word}"), size) <= room {
            line.push_str(space);
            line.push_str(word);
            return;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(line));
        }
        let mut wide = 0.0;
        for letter in word.chars() {
            let advance = self.glyph(letter).advance * size;
            if wide + advance > room && !line.is_empty() {
                lines.push(std::mem::take(line));
                wide = 0.0;
            }
            line.push(letter);
            wide += advance;
        }
    }
}
