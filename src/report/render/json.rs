//! A report as JSON: its typed struct as it is.

use serde::Serialize;

/// Indented JSON with a newline at its end.
///
/// # Errors
/// Never for reports, whose keys are all texts.
pub fn document<T: Serialize>(report: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(report)?;
    bytes.push(b'\n');
    Ok(bytes)
}
