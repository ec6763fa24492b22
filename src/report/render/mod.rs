//! The forms of a document: PDF and HTML for paper, XLSX and CSV for a spreadsheet, JSON for programs. All are made of
//! the same [`Paper`] and know nothing else.

pub mod csv;
pub mod html;
pub mod json;
pub mod pdf;
mod plot;
mod svg;
pub mod xlsx;

use super::paper::Paper;
use crate::words::words;

words! {
    /// A form.
    Form {
        /// HTML for A4.
        Html = "html",
        /// PDF/A, A4.
        Pdf = "pdf",
        /// A workbook.
        Xlsx = "xlsx",
        /// Text with semicolons.
        Csv = "csv",
        /// For programs.
        Json = "json",
    }
}

/// A form that could not be made: a defect.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template.
    #[error("HTML: {0}")]
    Html(#[from] askama::Error),
    /// The PDF.
    #[error("PDF: {0}")]
    Pdf(String),
    /// The workbook.
    #[error("XLSX: {0}")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Form {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// The paper in this form.
    ///
    /// # Errors
    /// [`RenderError`]: a defect.
    pub fn render(self, paper: &Paper) -> Result<Vec<u8>, RenderError> {
        match self {
            Self::Html => Ok(html::document(paper)?),
            Self::Pdf => pdf::document(paper),
            Self::Xlsx => Ok(xlsx::document(paper)?),
            Self::Csv => Ok(csv::document(paper)),
            Self::Json => Ok(json::document(paper)?),
        }
    }
}
