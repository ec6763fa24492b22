//! The state diagram, event by event.

use super::*;

#[test]
fn words_and_values_agree() {
    for state in State::ALL {
        assert_eq!(State::of_word(state.word()), Some(*state));
    }
}
