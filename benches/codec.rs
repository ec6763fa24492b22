//! How fast a response of BPJS is opened, against what others use: `cargo bench --bench codec`.
//!
//! About 2 KB, 100 KB and 2 MB of JSON (invented reference lists), sealed as BPJS seals. Five rounds in turns: the whole way
//! (base64, AES, LZ-string, JSON) against node (Buffer, OpenSSL, npm `lz-string`, JSON.parse), and the LZ stage against the
//! `lz-str` crate, npm and PyPI. Goals at 100 KB: the whole 8 times node; LZ 20 times `lz-str`, 30 times npm, 1 GB/s; a bomb
//! of 64 KiB refused in less than 5 ms. Peers are found through `NODE_PATH` (`npm install lz-string@1.5.0`) and
//! `JEMBATAN_PYTHON` (a Python with `lzstring==1.0.4`); what is not there is left out and said.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jembatan::protocol::lz;
use jembatan::protocol::seal::{self, Limits};
use jembatan::protocol::sign::Stamp;
use jembatan::secret::{ConsId, SecretKey};
use sha2::Digest as _;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const ROUNDS: usize = 5;
const SIZES: [usize; 3] = [2_000, 100_000, 2_000_000];
/// Time for one figure of one round.
const LENGTH: Duration = Duration::from_millis(400);
/// The largest text that an answer may hold in the comparison.
const MAX: usize = 16 << 20;

struct Case {
    text: String,
    packed: String,
    wire: String,
}

/// Nanoseconds by what was timed, round by round.
type Times = BTreeMap<(&'static str, usize), Vec<f64>>;

fn keys() -> (ConsId, SecretKey, Stamp) {
    (ConsId::new("12345"), SecretKey::new("rahasia-uji"), Stamp::from_seconds(1_795_222_800))
}

fn middle(mut work: impl FnMut()) -> f64 {
    work();
    let (began, mut took) = (Instant::now(), Vec::new());
    while took.len() < 5 || began.elapsed() < LENGTH {
        let one = Instant::now();
        work();
        took.push(one.elapsed());
    }
    took.sort_unstable();
    took[took.len() / 2].as_nanos() as f64
}

fn ours(cases: &[Case], times: &mut Times) {
    let (cons, secret, stamp) = keys();
    let limits = Limits { max_output: MAX, ..Limits::default() };
    for (case, size) in cases.iter().zip(SIZES) {
        let whole = middle(|| drop(black_box(seal::open(&cons, &secret, stamp, black_box(&case.wire), &limits))));
        let own = middle(|| drop(black_box(lz::decompress(black_box(case.packed.as_bytes()), MAX))));
        let theirs = middle(|| drop(black_box(reference(black_box(&case.packed)))));
        for (name, time) in [("whole", whole), ("lz", own), ("lz-str", theirs)] {
            times.entry((name, size)).or_default().push(time);
        }
    }
}

/// The same work through `lz-str`: it ends in UTF-16, so the conversion belongs to it.
fn reference(packed: &str) -> Option<String> {
    String::from_utf16(&lz_str::decompress_from_encoded_uri_component(packed)?).ok()
}

/// A peer's figures: lines of size and nanoseconds, one column for each of `names`.
fn peer(command: &mut Command, names: &[&'static str], times: &mut Times) -> bool {
    let Ok(output) = command.output() else { return false };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split_whitespace();
        let Some(size) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for (name, word) in names.iter().zip(words) {
            times.entry((name, size)).or_default().extend(word.parse::<f64>());
        }
    }
    output.status.success()
}

fn peers(folder: &Path, times: &mut Times) -> Vec<&'static str> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let (cons, secret, stamp) = keys();
    let mut hash = sha2::Sha256::new();
    for part in [cons.expose(), secret.expose(), &stamp.to_string()] {
        hash.update(part);
    }
    let key: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let length = LENGTH.as_millis().to_string();
    let mut missing = Vec::new();
    let mut node = Command::new("node");
    node.arg(here.join("open.js")).arg(folder).args([key.as_str(), &key[..32], &length]);
    if !peer(&mut node, &["node whole", "npm lz-string"], times) {
        missing.push("node with lz-string");
    }
    let python = std::env::var("JEMBATAN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !peer(Command::new(python).arg(here.join("open.py")).arg(folder).arg(&length), &["PyPI lzstring"], times) {
        missing.push("Python with lzstring");
    }
    missing
}

/// A stream that names its newest entry again and again: the text grows with the square of it.
fn bomb(symbols: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut bits = Vec::new();
    let mut emit = |value: usize, width: u32| bits.extend((0..width).map(|bit| value >> bit & 1));
    emit(0, 2);
    emit(usize::from(b'a'), 8);
    let (mut entries, mut width, mut room, mut written) = (4_usize, 3_u32, 4_usize, 10);
    while written < symbols * 6 {
        emit(entries, width);
        written += width as usize;
        entries += 1;
        room -= 1;
        if room == 0 {
            (width, room) = (width + 1, 1 << width);
        }
    }
    let symbol = |six: &[usize]| char::from(ALPHABET[six.iter().fold(0, |all, bit| all << 1 | bit)]);
    bits.chunks_exact(6).map(symbol).collect()
}

fn main() -> Result<(), Failed> {
    let (cons, secret, stamp) = keys();
    let folder = tempfile::tempdir()?;
    let mut cases = Vec::new();
    for size in SIZES {
        let text = list(size);
        let (packed, wire) = (lz::compress(&text), seal::seal(&cons, &secret, stamp, &text));
        assert_eq!(lz::decompress(packed.as_bytes(), MAX).as_deref(), Ok(text.as_str()));
        std::fs::write(folder.path().join(format!("{size}.lz")), &packed)?;
        std::fs::write(folder.path().join(format!("{size}.wire")), &wire)?;
        cases.push(Case { text, packed, wire });
    }
    let (mut times, mut missing) = (Times::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours(&cases, &mut times);
        missing = peers(folder.path(), &mut times);
    }
    println!("{ROUNDS} rounds in turns; medians, ratio to ours (the lowest of a round)");
    for (case, size) in cases.iter().zip(SIZES) {
        println!("JSON {} bytes, packed {}", case.text.len(), case.packed.len());
        for (name, other) in
            [("whole", "node whole"), ("lz", "lz-str"), ("lz", "npm lz-string"), ("lz", "PyPI lzstring")]
        {
            let (Some(own), Some(theirs)) = (times.get(&(name, size)), times.get(&(other, size))) else { continue };
            let ratios: Vec<f64> = own.iter().zip(theirs).map(|(own, theirs)| theirs / own).collect();
            let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let (own, theirs) = (median(own), median(theirs));
            let rate = case.text.len() as f64 / own * 1000.0;
            println!(
                "  {name:>5} {:>9.1} µs ({rate:>5.0} MB/s)   {other:>14} {:>11.1} µs   {:>7.1}x ({low:.1}x)",
                own / 1000.0,
                theirs / 1000.0,
                median(&ratios)
            );
        }
    }
    missing.iter().for_each(|name| println!("not there: {name}"));
    let bomb = bomb(64 * 1024);
    let refused = middle(|| assert!(lz::decompress(black_box(bomb.as_bytes()), MAX) == Err(lz::LzError::TooLarge)));
    println!("a bomb of {} symbols is refused at {} MiB in {:.2} ms", bomb.len(), MAX >> 20, refused / 1e6);
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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
