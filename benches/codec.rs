//! How our LZ-string decoder compares with the `lz-str` crate, in one run: `cargo bench --bench codec`.
//!
//! Prints medians and their ratio for about 2 KB, 100 KB and 2 MB of JSON (invented reference lists). Absolute times
//! depend on the machine; the ratio is what to look at. The goal is ten.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jembatan::protocol::lz;

const ROUNDS: usize = 9;

fn main() {
    println!("{:>9}  {:>9}  {:>12}  {:>12}  {:>9}  {:>6}", "json B", "packed", "ours", "lz-str", "ours MB/s", "ratio");
    for size in [2_000, 100_000, 2_000_000] {
        let text = list(size);
        let packed = lz::compress(&text);
        assert_eq!(lz::decompress(packed.as_bytes(), text.len()).as_deref(), Ok(text.as_str()));
        let repeats = (4_000_000 / size).clamp(1, 500);
        let (ours, theirs) = medians(
            repeats,
            || drop(black_box(lz::decompress(black_box(packed.as_bytes()), text.len()))),
            || drop(black_box(reference(black_box(&packed)))),
        );
        println!(
            "{:>9}  {:>9}  {ours:>12.2?}  {theirs:>12.2?}  {:>9.0}  {:>5.1}x",
            text.len(),
            packed.len(),
            text.len() as f64 / ours.as_secs_f64() / 1e6,
            theirs.as_secs_f64() / ours.as_secs_f64(),
        );
    }
}

/// The same work through `lz-str`: it ends in UTF-16, so the conversion belongs to it.
fn reference(packed: &str) -> Option<String> {
    String::from_utf16(&lz_str::decompress_from_encoded_uri_component(packed)?).ok()
}

/// Medians of both over [`ROUNDS`] rounds, taken in turns so that a busy moment hits both.
fn medians(repeats: usize, ours: impl Fn(), theirs: impl Fn()) -> (Duration, Duration) {
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        (0..repeats).for_each(|_| work());
        start.elapsed() / repeats as u32
    };
    let (mut first, mut second): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (time(&ours), time(&theirs))).unzip();
    first.sort_unstable();
    second.sort_unstable();
    (first[ROUNDS / 2], second[ROUNDS / 2])
}

/// A reference list of about `size` bytes, varied by a small generator of its own.
fn list(size: usize) -> String {
    const WORDS: [&str; 12] = [
        "Parasetamol",
        "Amoksisilin",
        "tablet",
        "kapsul",
        "500 mg",
        "sirup",
        "Kolera",
        "Demam tifoid",
        "akut",
        "kronik",
        "dengan",
        "komplikasi",
    ];
    let mut state = 1_u32;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let mut text = String::from(r#"{"count":33,"list":["#);
    while text.len() < size {
        let (code, a, b, c) = (next(100_000), next(12), next(12), next(12));
        let (a, b, c) = (WORDS[a], WORDS[b], WORDS[c]);
        text += &format!(r#"{{"kdObat":"{code:09}","nmObat":"{a} {b} {c}","sedia":{}}},"#, next(1000));
    }
    text.truncate(text.len() - 1);
    text + "]}"
}
