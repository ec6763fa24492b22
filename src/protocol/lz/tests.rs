use proptest::prelude::*;

use super::*;

const CAP: usize = 1 << 20;

/// Text that repeats itself, as lists do, with characters of one to four bytes.
fn repetitive() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "a",
        "ab",
        "\"kd\":",
        "é",
        "😀",
        "😁",
        "\u{10FFFF}",
        "日本",
        "\u{D7FF}\u{E000}",
        "\n",
        "0",
        "null,",
        "\u{0}",
        "\u{FFFF}",
    ]);
    prop::collection::vec(words, 0..200).prop_map(|words| words.concat())
}

fn reference(packed: &str) -> Option<String> {
    String::from_utf16(&lz_str::decompress_from_encoded_uri_component(packed)?).ok()
}

/// A writer of raw codes, to make streams that no compressor makes.
#[derive(Default)]
struct Raw(Vec<bool>);

impl Raw {
    fn code(mut self, value: u32, width: u32) -> Self {
        self.0.extend((0..width).map(|bit| value >> bit & 1 == 1));
        self
    }

    fn symbols(self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
        let value = |bits: &[bool]| (0..6).fold(0, |sum, at| sum << 1 | usize::from(bits.get(at) == Some(&true)));
        self.0.chunks(6).map(|bits| char::from(alphabet[value(bits)])).collect()
    }
}

#[test]
fn an_empty_text_has_two_forms() {
    assert_eq!(decompress(b"Q", CAP).as_deref(), Ok(""));
    assert_eq!(decompress(b"", CAP).as_deref(), Ok(""));
    assert_eq!(decompress(b"$$", CAP).as_deref(), Ok(""));
    assert_eq!(compress(""), "Q");
}

#[test]
fn padding_of_old_versions_is_tolerated_at_the_end_only() {
    assert_eq!(decompress(b"HYVwNmQ$$", CAP).as_deref(), Ok("null"));
    assert_eq!(decompress(b"HYV$wNmQ", CAP), Err(LzError::Symbol));
}

#[test]
fn a_space_stands_for_a_plus() {
    let (text, packed) = (0..2000)
        .map(|number| format!("nomor {number}"))
        .map(|text| (compress(&text), text))
        .map(|(packed, text)| (text, packed))
        .find(|(_, packed)| packed.contains('+'))
        .unwrap();
    assert_eq!(decompress(packed.replace('+', " ").as_bytes(), CAP), Ok(text));
}

#[test]
fn every_byte_outside_the_alphabet_is_refused_wherever_it_stands() {
    let packed = compress("batuk berdahak tiga hari").into_bytes();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+- ".contains(&byte);
    for junk in (0..=255).filter(|byte| !alphabet(*byte) && *byte != b'$') {
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] = junk;
            assert_eq!(decompress(&damaged, CAP), Err(LzError::Symbol), "{junk} at {at}");
        }
    }
}

#[test]
fn every_shorter_beginning_is_refused_as_truncated() {
    let text = "{\"count\":2,\"list\":[{\"kd\":\"é\"},{\"kd\":\"😀\"}]}";
    let packed = compress(text);
    // The compressor may close with a symbol that carries no bits; everything before is needed.
    for length in 1..packed.len() - 1 {
        assert_eq!(decompress(&packed.as_bytes()[..length], CAP), Err(LzError::Truncated), "{length}");
    }
}

#[test]
fn a_code_that_names_nothing_is_refused() {
    assert_eq!(decompress(Raw::default().code(3, 2).code(0, 10).symbols().as_bytes(), CAP), Err(LzError::Code));
    let ahead = Raw::default().code(0, 2).code(97, 8).code(5, 3).code(2, 3).symbols();
    assert_eq!(decompress(ahead.as_bytes(), CAP), Err(LzError::Code));
}

#[test]
fn the_entry_named_before_it_exists_is_the_word_and_its_first_unit() {
    for text in ["aaa", "aaaaaaa", "ééééééé", "日日日日日日", "😀😀😀😀😀😀😀😀", "ababababababab"]
    {
        assert_eq!(decompress(compress(text).as_bytes(), CAP).as_deref(), Ok(text));
    }
}

#[test]
fn a_pair_of_surrogates_split_between_entries_is_joined() {
    // 😀 and 😁 share their first half, which therefore becomes an entry of its own.
    let text = "😀😁😀😁x😁😀\u{1F602}😀\u{1F602}";
    assert_eq!(decompress(compress(text).as_bytes(), CAP).as_deref(), Ok(text));
    let halves = Raw::default().code(1, 2).code(0xD83D, 16).code(1, 3).code(0xDE00, 16).code(2, 3).symbols();
    assert_eq!(decompress(halves.as_bytes(), CAP).as_deref(), Ok("😀"));
}

#[test]
fn half_a_pair_is_refused() {
    for units in [[0xD83D, 0x61], [0x61, 0xDE00], [0xDE00, 0xD83D], [0xD83D, 0xD83D]] {
        let [first, second] = units;
        let packed = Raw::default().code(1, 2).code(first, 16).code(1, 3).code(second, 16).code(2, 3).symbols();
        assert_eq!(decompress(packed.as_bytes(), CAP), Err(LzError::Surrogate), "{units:x?}");
    }
}

#[test]
fn a_bomb_is_refused_at_the_cap_and_passes_below_it() {
    let packed = compress(&"a".repeat(1_000_000));
    assert!(packed.len() < 3000, "the point of a bomb");
    assert_eq!(decompress(packed.as_bytes(), 999_999), Err(LzError::TooLarge));
    assert_eq!(decompress(packed.as_bytes(), 1_000_000).map(|text| text.len()), Ok(1_000_000));
    assert_eq!(decompress(packed.as_bytes(), 0), Err(LzError::TooLarge));
}

#[test]
fn the_buffer_of_a_refused_bomb_never_grows_past_the_cap() {
    let packed = compress(&"ab".repeat(500_000));
    // Above the first guess and below twice that, so that the buffer has to grow and doubling would overshoot.
    let cap = packed.len() * 6;
    let mut text = Text::new(packed.len(), cap);
    assert!(text.bytes.len() < cap);
    let codes = Codes::pack(packed.as_bytes()).unwrap();
    assert_eq!(decode(codes, &mut text), Err(LzError::TooLarge));
    assert!(text.at <= cap && text.bytes.len() <= cap + STEP, "{} of {cap}", text.bytes.len());
}

#[test]
fn a_long_list_with_many_code_widths_is_unpacked() {
    let text: String =
        (0..20_000).map(|number| format!("{{\"kdObat\":\"{}\",\"é\":{number}}},", number * 7919)).collect();
    assert_eq!(decompress(compress(&text).as_bytes(), 4 * CAP), Ok(text));
}

proptest! {
    #[test]
    fn whatever_is_packed_is_unpacked(text in any::<String>()) {
        prop_assert_eq!(decompress(compress(&text).as_bytes(), CAP), Ok(text));
    }

    #[test]
    fn repetitive_text_is_unpacked_as_the_reference_does(text in repetitive()) {
        let packed = compress(&text);
        let ours = decompress(packed.as_bytes(), CAP).ok();
        prop_assert_eq!(&ours, &Some(text));
        prop_assert_eq!(ours, reference(&packed));
    }

    #[test]
    fn damaged_input_gives_the_reference_text_or_an_error_within_the_cap(
        text in repetitive(), hits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..64), 1..4), cap in 0_usize..5000,
    ) {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
        let mut packed = compress(&text).into_bytes();
        for (at, symbol) in hits {
            let at = at.index(packed.len());
            packed[at] = alphabet[symbol];
        }
        let packed = String::from_utf8(packed).unwrap();
        if let Ok(ours) = decompress(packed.as_bytes(), cap) {
            prop_assert!(ours.len() <= cap);
            prop_assert_eq!(Some(ours), reference(&packed));
        }
    }

    #[test]
    fn arbitrary_symbols_agree_with_the_reference(packed in "[A-Za-z0-9+-]{1,60}") {
        if let Ok(ours) = decompress(packed.as_bytes(), CAP) {
            prop_assert_eq!(Some(ours), reference(&packed));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_pass_the_cap(bytes in prop::collection::vec(any::<u8>(), 0..300), cap in 0_usize..2000) {
        if let Ok(text) = decompress(&bytes, cap) {
            prop_assert!(text.len() <= cap);
        }
    }

    #[test]
    fn the_cap_is_exact_for_text_of_the_basic_plane(text in "[a-zé日]{1,80}") {
        let packed = compress(&text);
        prop_assert_eq!(decompress(packed.as_bytes(), text.len() - 1), Err(LzError::TooLarge));
        prop_assert!(decompress(packed.as_bytes(), text.len()).is_ok());
    }
}
