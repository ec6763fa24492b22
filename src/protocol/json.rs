//! JSON from outside, bounded in bytes, depth and number of values before the parser sees it.
//!
//! Job: refuse what would cost more memory or stack than it is worth, then parse. Invariants: no recursion of our own;
//! the check is one pass over the bytes. Neighbours: [`super::seal`] and [`super::envelope`] parse through here.
//! What it does not do: know any schema (`catalogue`).

use serde_json::Value;

/// How much an answer may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of text at most: of a whole envelope, and again of what a response decompresses to.
    pub max_output: usize,
    /// Objects and arrays inside one another at most (the parser itself stops at 127).
    pub max_depth: usize,
}

impl Default for Limits {
    /// 32 MiB and 64 levels: the largest reference lists stay far below both.
    fn default() -> Self {
        Self { max_output: 32 << 20, max_depth: 64 }
    }
}

impl Limits {
    /// A parsed value takes about 80 bytes however short its text is, so `[0,0,0,…` would grow forty-fold. One value per
    /// 16 bytes of allowed text keeps the growth near five; the floor lets small limits pass small documents.
    const fn max_values(&self) -> usize {
        let share = self.max_output / 16;
        if share < 4096 { 4096 } else { share }
    }
}

/// Why a text was not parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON.
    #[error("not JSON")]
    NotJson,
    /// More bytes or more values than the limits allow.
    #[error("JSON larger than allowed")]
    TooLarge,
    /// Nested deeper than the limits allow.
    #[error("JSON deeper than allowed")]
    TooDeep,
}

/// Parses `text` within `limits`. A byte-order mark at the start is skipped.
///
/// # Errors
/// [`JsonFault`]; the limits are checked before the parser runs.
pub fn parse(text: &[u8], limits: &Limits) -> Result<Value, JsonFault> {
    if text.len() > limits.max_output {
        return Err(JsonFault::TooLarge);
    }
    let text = without_mark(text);
    check_shape(text, limits)?;
    serde_json::from_slice(text).map_err(|_| JsonFault::NotJson)
}

/// As [`parse`], of what is known to be UTF-8: strings are not looked at once more.
///
/// # Errors
/// As [`parse`].
pub fn parse_text(text: &str, limits: &Limits) -> Result<Value, JsonFault> {
    if text.len() > limits.max_output {
        return Err(JsonFault::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_shape(text.as_bytes(), limits)?;
    serde_json::from_str(text).map_err(|_| JsonFault::NotJson)
}

/// The text without the byte-order mark that some .NET writers put in front.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// Counts levels and values outside strings, in one pass and constant memory.
fn check_shape(text: &[u8], limits: &Limits) -> Result<(), JsonFault> {
    let (mut depth, mut values) = (0_usize, 1_usize);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => (depth, values) = (depth + 1, values + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            _other => continue,
        }
        if depth > limits.max_depth {
            return Err(JsonFault::TooDeep);
        }
        if values > limits.max_values() {
            return Err(JsonFault::TooLarge);
        }
    }
    Ok(())
}

/// Moves past the closing quote of a string, or to the end if there is none.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Limits = Limits { max_output: 1 << 20, max_depth: 3 };

    #[test]
    fn brackets_inside_strings_are_not_levels() {
        let value = parse(br#"{"a":["[[[[{{{{ \" [[[["]}"#, &SMALL).unwrap();
        assert_eq!(value["a"][0], r#"[[[[{{{{ " [[[["#);
    }

    #[test]
    fn the_level_after_the_last_allowed_one_is_refused() {
        assert!(parse(b"[[[0]]]", &SMALL).is_ok());
        assert_eq!(parse(b"[[[[0]]]]", &SMALL), Err(JsonFault::TooDeep));
    }

    #[test]
    fn a_million_open_brackets_are_refused_without_parsing() {
        assert_eq!(parse(&vec![b'['; 1 << 20], &SMALL), Err(JsonFault::TooDeep));
    }

    #[test]
    fn many_tiny_values_are_refused_though_their_bytes_would_fit() {
        let text = format!("[{}0]", "0,".repeat(200_000));
        assert!(text.len() < SMALL.max_output);
        assert_eq!(parse(text.as_bytes(), &SMALL), Err(JsonFault::TooLarge));
    }

    #[test]
    fn one_byte_over_the_limit_is_refused() {
        let limits = Limits { max_output: 4, max_depth: 1 };
        assert!(parse(b"1234", &limits).is_ok());
        assert_eq!(parse(b"12345", &limits), Err(JsonFault::TooLarge));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(parse(b"\xEF\xBB\xBF[]", &SMALL), Ok(Value::Array(Vec::new())));
        assert_eq!(parse_text("\u{feff}[]", &SMALL), Ok(Value::Array(Vec::new())));
    }
}
