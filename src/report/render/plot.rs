//! The geometry of a chart, shared by the SVG of HTML and the drawing of PDF.

use crate::report::paper::Chart;

/// Colours of the pieces as (red, green, blue): told apart without red and green, and in grey.
pub(super) const COLOURS: [(u8, u8, u8); 5] =
    [(31, 90, 140), (230, 159, 0), (120, 40, 60), (150, 170, 190), (60, 60, 60)];

/// A drawn piece of a bar, in units of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    /// Left.
    pub(super) x: f32,
    /// Top.
    pub(super) y: f32,
    /// Width.
    pub(super) width: f32,
    /// Height.
    pub(super) height: f32,
    /// Which of the legend.
    pub(super) kind: usize,
}

/// A label with the middle below which it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    /// Its middle.
    pub(super) x: f32,
    /// The text.
    pub(super) text: String,
}

/// A chart laid out in a box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// Every piece that is not zero.
    pub(super) pieces: Vec<Piece>,
    /// Below the bars; some are left out where they would touch.
    pub(super) labels: Vec<Label>,
    /// The height of the highest bar.
    pub(super) most: i64,
}

#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn real(number: i64) -> f32 {
    number as f32
}

/// The colour of a piece.
pub(super) fn colour(kind: usize) -> (u8, u8, u8) {
    COLOURS.get(kind % COLOURS.len()).copied().unwrap_or((0, 0, 0))
}

/// Lays a chart into a box with its upper left corner at (`x`, `y`).
pub(super) fn plot(chart: &Chart, x: f32, y: f32, width: f32, height: f32) -> Plot {
    let sum = |pieces: &[i64]| pieces.iter().map(|piece| piece.max(&0)).sum::<i64>();
    let most = chart.bars.iter().map(|bar| sum(&bar.pieces)).max().unwrap_or(0).max(1);
    let slot = width / real(i64::try_from(chart.bars.len().max(1)).unwrap_or(1));
    let every = if slot < 14.0 { 5 } else { 1 };
    let mut out = Plot { pieces: Vec::new(), labels: Vec::new(), most };
    let mut left = x;
    for (at, bar) in chart.bars.iter().enumerate() {
        let mut bottom = y + height;
        for (kind, piece) in bar.pieces.iter().enumerate().filter(|(_, piece)| **piece > 0) {
            let tall = height * real(*piece) / real(most);
            bottom -= tall;
            out.pieces.push(Piece { x: left + slot * 0.15, y: bottom, width: slot * 0.7, height: tall, kind });
        }
        if (at + 1).is_multiple_of(every) || at == 0 {
            out.labels.push(Label { x: left + slot / 2.0, text: bar.label.clone() });
        }
        left += slot;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::Bar;

    #[test]
    fn the_highest_bar_fills_the_box_and_pieces_stand_on_each_other() {
        let bar = |pieces: Vec<i64>| Bar { label: "a".into(), pieces };
        let chart = Chart { title: String::new(), legend: Vec::new(), bars: vec![bar(vec![3, 1]), bar(vec![2, -9])] };
        let plot = plot(&chart, 0.0, 0.0, 100.0, 40.0);
        assert_eq!(plot.most, 4);
        let heights: Vec<f32> = plot.pieces.iter().map(|piece| piece.height).collect();
        assert_eq!(heights, [30.0, 10.0, 20.0]);
        assert_eq!(plot.pieces[1].y, 0.0);
    }
}
