//! LZ-string, the compression inside every sealed response.
//!
//! Job: read what `LZString.compressToEncodedURIComponent` wrote, within a bound, and write the same (through the
//! `lz-str` crate). Invariants: the output never grows past the bound it was given; a symbol outside the alphabet is an
//! error, never skipped; a lone surrogate is an error. Neighbours: [`super::seal`]. What it does not do: any other
//! LZ-string flavour (Base64, UTF-16); those do not occur at BPJS.
//!
//! How it is fast: every dictionary entry is a piece of the text already written (a word plus the first unit of what
//! followed it), so the dictionary is a list of ranges and nothing is allocated per entry. The symbols are packed into
//! bytes first, which checks the alphabet and lets a code be read with one eight-byte load.
//!
//! LZ-string counts in UTF-16 units, so a pair of surrogates may be split between two entries. Units are therefore kept
//! in UTF-8 one by one, a surrogate as three bytes of its own, and pairs are joined at the end.

/// Copies are done in steps of this many bytes; the buffer always has that much room to spare.
const STEP: usize = 16;

/// Offsets and lengths are kept in 32 bits, which bounds the text below 4 GiB whatever the caller allows.
const FORMAT_MAX: usize = u32::MAX as usize - STEP;

/// The value of `SYMBOLS` for bytes outside the alphabet.
const JUNK: u8 = 0xFF;

/// Symbol → its six bits, reversed: LZ-string writes a value's low bit first but fills a symbol from its high bit.
const SYMBOLS: [u8; 256] = symbols();

const fn symbols() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut table = [JUNK; 256];
    let mut value = 0;
    while value < alphabet.len() {
        table[alphabet[value] as usize] = (value as u8).reverse_bits() >> 2;
        value += 1;
    }
    // A `+` that went through a form decoder arrives as a space; the reference reads it back.
    table[b' ' as usize] = table[b'+' as usize];
    table
}

/// Why a text could not be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LzError {
    /// A byte outside `A-Z a-z 0-9 + - $`, or a `$` before the end.
    #[error("a symbol outside the alphabet")]
    Symbol,
    /// The input ends before its end mark.
    #[error("the input ends too early")]
    Truncated,
    /// A code that stands for nothing.
    #[error("a code without meaning")]
    Code,
    /// The text contains half of a surrogate pair.
    #[error("half a surrogate pair")]
    Surrogate,
    /// The text is longer than allowed.
    #[error("the text is longer than allowed")]
    TooLarge,
}

/// Compresses `text` as `LZString.compressToEncodedURIComponent` does.
#[must_use]
pub fn compress(text: &str) -> String {
    lz_str::compress_to_encoded_uri_component(text)
}

/// Decompresses what `LZString.compressToEncodedURIComponent` made, as `decompressFromEncodedURIComponent` would.
///
/// `max_bytes` bounds the text in UTF-8 bytes while it is unpacked, where a character outside the basic plane counts
/// six instead of four. An empty input (PHP's way to write an empty text) and `Q` (JavaScript's) both give `""`; `$` at
/// the end is padding of old versions; what follows the end mark is ignored.
///
/// # Errors
/// [`LzError`]. Memory stays within about twice `max_bytes` and a small multiple of the input.
pub fn decompress(input: &[u8], max_bytes: usize) -> Result<String, LzError> {
    let padding = input.iter().rev().take_while(|&&byte| byte == b'$').count();
    let symbols = &input[..input.len() - padding];
    if symbols.is_empty() {
        return Ok(String::new());
    }
    let codes = Codes::pack(symbols)?;
    let mut text = Text::new(symbols.len(), max_bytes);
    let surrogates = decode(codes, &mut text)?;
    text.finish(surrogates)
}

/// The compressed stream as bits, low bit first.
struct Codes {
    bytes: Vec<u8>,
    /// Position of the next bit.
    at: usize,
    /// Number of bits there are.
    end: usize,
}

impl Codes {
    /// Four symbols make three bytes. Eight zero bytes follow, so that a load never leaves the buffer.
    fn pack(symbols: &[u8]) -> Result<Self, LzError> {
        let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3 + 16);
        let mut seen = 0;
        let (quads, rest) = symbols.as_chunks::<4>();
        for quad in quads {
            let [a, b, c, d] = quad.map(|symbol| SYMBOLS[usize::from(symbol)]);
            seen |= a | b | c | d;
            bytes.extend_from_slice(&[a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2]);
        }
        let mut last = [0; 3];
        for (symbol, place) in rest.iter().zip(&mut last) {
            *place = SYMBOLS[usize::from(*symbol)];
            seen |= *place;
        }
        if seen >= 1 << 6 {
            return Err(LzError::Symbol);
        }
        let [a, b, c] = last;
        bytes.extend_from_slice(&[a | b << 6, b >> 2 | c << 4, c >> 4]);
        bytes.extend_from_slice(&[0; 8]);
        Ok(Self { bytes, at: 0, end: symbols.len() * 6 })
    }

    /// The next `width` bits (at most 32) as a number.
    #[inline]
    fn take(&mut self, width: u32) -> Result<u32, LzError> {
        let word = self.bytes.get(self.at / 8..).and_then(|rest| rest.first_chunk()).ok_or(LzError::Truncated)?;
        let bits = u64::from_le_bytes(*word) >> (self.at % 8);
        self.at += width as usize;
        if self.at > self.end {
            return Err(LzError::Truncated);
        }
        Ok((bits & ((1 << width) - 1)) as u32)
    }
}

/// A piece of the text: a dictionary entry.
#[derive(Clone, Copy, Default)]
struct Piece {
    from: u32,
    len: u32,
}

/// Runs the codes into `text`; says whether a surrogate was among the units.
fn decode(mut codes: Codes, text: &mut Text) -> Result<bool, LzError> {
    // Codes 0 and 1 announce a new unit of 8 or 16 bits, 2 is the end mark; entries begin at 3.
    let mut entries = Vec::with_capacity(3 + codes.bytes.len() / 2);
    entries.extend([Piece::default(); 3]);
    let (mut width, mut room) = (2_u32, 1_usize);
    let mut surrogates = false;
    let mut word = Piece::default();
    loop {
        let code = codes.take(width)?;
        let next = match code {
            0 | 1 => {
                let unit = codes.take(8 << code)?;
                surrogates |= (0xD800..0xE000).contains(&unit);
                let piece = text.push_unit(unit)?;
                entries.push(piece);
                (width, room) = after_entry(width, room);
                piece
            }
            2 => return Ok(surrogates),
            code => match entries.get(code as usize) {
                Some(&piece) => text.push_piece(piece)?,
                // The one entry that may be named before it exists: the last word and its own first unit.
                None if code as usize == entries.len() && word.len > 0 => text.push_again(word)?,
                None => return Err(LzError::Code),
            },
        };
        if word.len > 0 {
            entries.push(Piece { from: word.from, len: word.len + text.first_unit_len(next) });
            (width, room) = after_entry(width, room);
        }
        word = next;
    }
}

/// The width of the next code, and how many entries until it grows, after one more entry.
#[inline]
const fn after_entry(width: u32, room: usize) -> (u32, usize) {
    if room > 1 { (width, room - 1) } else { (width + 1, 1 << width) }
}

/// The text being unpacked. `bytes` is longer than the text by at least [`STEP`], so copies may overshoot.
struct Text {
    bytes: Vec<u8>,
    at: usize,
    max: usize,
}

impl Text {
    fn new(symbols: usize, max_bytes: usize) -> Self {
        let max = max_bytes.min(FORMAT_MAX);
        Self { bytes: vec![0; symbols.saturating_mul(4).min(max) + STEP], at: 0, max }
    }

    /// Makes room for `len` more bytes, or refuses.
    #[inline]
    fn reserve(&mut self, len: usize) -> Result<(), LzError> {
        if len > self.max - self.at {
            return Err(LzError::TooLarge);
        }
        if self.bytes.len() < self.at + len + STEP {
            let wanted = (self.at + len).max(self.at.saturating_mul(2)).min(self.max);
            self.bytes.resize(wanted + STEP, 0);
        }
        Ok(())
    }

    /// Appends one UTF-16 unit, a surrogate as three bytes.
    #[inline]
    fn push_unit(&mut self, unit: u32) -> Result<Piece, LzError> {
        let tail = 0x80 | (unit & 0x3F) as u8;
        let (bytes, len) = match unit {
            0..0x80 => ([unit as u8, 0, 0], 1),
            0x80..0x800 => ([0xC0 | (unit >> 6) as u8, tail, 0], 2),
            _three => ([0xE0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3F) as u8, tail], 3),
        };
        self.reserve(len)?;
        let from = self.at;
        self.bytes[from..from + 3].copy_from_slice(&bytes);
        self.at += len;
        Ok(Piece { from: from as u32, len: len as u32 })
    }

    /// Appends a copy of a piece that is wholly written.
    #[inline]
    fn push_piece(&mut self, piece: Piece) -> Result<Piece, LzError> {
        let (from, len) = (piece.from as usize, piece.len as usize);
        self.reserve(len)?;
        // Fixed steps compile to one load and one store each; what is written beyond `len` is overwritten later.
        let (written, free) = self.bytes.split_at_mut(self.at);
        if let (Some(source), Some(target)) = (written.get(from..from + STEP), free.first_chunk_mut::<STEP>())
            && len <= STEP
        {
            target.copy_from_slice(source);
        } else {
            self.bytes.copy_within(from..from + len, self.at);
        }
        let copy = Piece { from: self.at as u32, len: piece.len };
        self.at += len;
        Ok(copy)
    }

    /// Appends the last word and its first unit once more.
    fn push_again(&mut self, word: Piece) -> Result<Piece, LzError> {
        let copy = self.push_piece(word)?;
        let first = self.push_piece(Piece { from: word.from, len: self.first_unit_len(word) })?;
        Ok(Piece { from: copy.from, len: copy.len + first.len })
    }

    /// How many bytes the first unit of a piece takes.
    #[inline]
    fn first_unit_len(&self, piece: Piece) -> u32 {
        match self.bytes[piece.from as usize] {
            0..0x80 => 1,
            0x80..0xE0 => 2,
            0xE0.. => 3,
        }
    }

    /// The text as a string; pairs of surrogates become the characters they stand for.
    fn finish(mut self, surrogates: bool) -> Result<String, LzError> {
        self.bytes.truncate(self.at);
        let bytes = if surrogates { join_pairs(&self.bytes)? } else { self.bytes };
        String::from_utf8(bytes).map_err(|_| LzError::Surrogate)
    }
}

/// Turns each pair of three-byte surrogates into one four-byte character; half a pair stays, and is no UTF-8.
fn join_pairs(units: &[u8]) -> Result<Vec<u8>, LzError> {
    let mut joined = Vec::with_capacity(units.len());
    let mut rest = units;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match rest {
            [0xED, 0xA0..=0xAF, _, 0xED, 0xB0..=0xBF, _, after @ ..] => {
                let bits = |at: usize, mask: u8| u32::from(rest[at] & mask);
                let code = 0x10000 + (bits(1, 0x0F) << 16 | bits(2, 0x3F) << 10 | bits(4, 0x0F) << 6 | bits(5, 0x3F));
                let character = char::from_u32(code).ok_or(LzError::Surrogate)?;
                joined.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            _other => {
                joined.push(first);
                tail
            }
        };
    }
    Ok(joined)
}

#[cfg(test)]
mod tests;
