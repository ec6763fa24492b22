//! Everything that reads bytes of BPJS, fed with bytes of a fuzzer: nothing may panic or pass its limits.
#![no_main]

use jembatan::protocol::sign::{Stamp, read_authorization};
use jembatan::protocol::{envelope, lz, seal};
use jembatan::secret::{ConsId, SecretKey};
use libfuzzer_sys::fuzz_target;

const LIMITS: seal::Limits = seal::Limits { max_output: 1 << 16, max_depth: 16 };

fuzz_target!(|data: &[u8]| {
    let (cons, secret, stamp) = (ConsId::new("12345"), SecretKey::new("s3cr3tKEYx"), Stamp::from_seconds(1_736_400_000));
    if let Ok(text) = lz::decompress(data, LIMITS.max_output) {
        assert!(text.len() <= LIMITS.max_output);
        // Sealed again, the text must reach the JSON parser whatever it says.
        let _outcome = seal::open(&cons, &secret, stamp, &seal::seal(&cons, &secret, stamp, &text), &LIMITS);
    }
    if let Ok(envelope) = envelope::read(200, data, &LIMITS) {
        let _outcome = envelope.response_or_text(&cons, &secret, stamp, &LIMITS);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _outcome = seal::open(&cons, &secret, stamp, text, &LIMITS);
        let _outcome = read_authorization(text);
    }
});
