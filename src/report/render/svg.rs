//! A chart as SVG inside HTML.

use std::fmt::Write as _;

use super::plot::{colour, plot};
use crate::report::paper::Chart;

const WIDTH: f32 = 640.0;
const HEIGHT: f32 = 200.0;

/// The picture with a title for those who do not see it.
pub(super) fn chart(chart: &Chart) -> String {
    let laid = plot(chart, 36.0, 24.0, WIDTH - 44.0, HEIGHT - 64.0);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"inherit\" font-size=\"10\"><title>{}</title>",
        escaped(&chart.title)
    );
    // Writing to a String cannot fail.
    let _infallible = write!(out, "<text x=\"0\" y=\"12\" font-weight=\"bold\">{}</text>", escaped(&chart.title));
    let base = HEIGHT - 40.0;
    let _infallible = write!(
        out,
        "<text x=\"32\" y=\"30\" text-anchor=\"end\">{}</text><text x=\"32\" y=\"{base}\" text-anchor=\"end\">0</text>\
         <path d=\"M36 {base}H{}M36 24H{}\" stroke=\"#888\" stroke-width=\"0.5\"/>",
        laid.most,
        WIDTH - 8.0,
        WIDTH - 8.0
    );
    for piece in &laid.pieces {
        let _infallible = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            piece.x,
            piece.y,
            piece.width,
            piece.height,
            hex(piece.kind)
        );
    }
    for label in &laid.labels {
        let (x, y) = (label.x, base + 12.0);
        let _infallible =
            write!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escaped(&label.text));
    }
    let mut x = 36.0_f32;
    for (kind, name) in chart.legend.iter().enumerate() {
        let _infallible = write!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"8\" height=\"8\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            HEIGHT - 16.0,
            hex(kind),
            x + 11.0,
            HEIGHT - 8.0,
            escaped(name)
        );
        let letters = u16::try_from(name.chars().count()).unwrap_or(u16::MAX);
        x += 24.0 + 6.0 * f32::from(letters);
    }
    out.push_str("</svg>");
    out
}

fn hex(kind: usize) -> String {
    let (red, green, blue) = colour(kind);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
