//! The forms of a report: HTML for paper, CSV for a spreadsheet, JSON for programs.

pub mod csv;
pub mod html;
pub mod json;
