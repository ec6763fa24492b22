//! Controls that must fail: a harness that never finds anything proves nothing.

#[cfg(feature = "failpoints")]
use super::kills::Field;

/// A SIM that takes silence for failure and hands the same drug in under a new ref, as if it were new.
#[cfg(feature = "failpoints")]
#[test]
fn control_a_sim_that_resends_blindly_makes_copies_and_the_harness_counts_them() {
    let mut field = Field::fresh(21, true);
    for _ in 0..8 {
        // Accepted and on disk; the answer never leaves.
        field.sim.allow(4);
        field.spawn(vec![("JEMBATAN_FAILPOINT".to_owned(), "accept.committed:4:kill".to_owned())]);
        field.until_ended();
    }
    let problems = field.judged().problems;
    println!("{problems:#?}");
    assert!(problems.iter().any(|one| one.starts_with("copy: obat/")), "{problems:#?}");
    assert!(!problems.iter().any(|one| one.starts_with("lost")), "{problems:#?}");
}

/// A bridge that answers before the commit: what is acknowledged may be gone, and requests leave without a record.
#[cfg(feature = "failpoints")]
#[test]
fn control_a_bridge_that_answers_before_the_commit_is_caught() {
    let mut found = Vec::new();
    for seed in 22..28 {
        let mut field = Field::fresh(seed, false);
        for _ in 0..10 {
            field.live_briefly("break.answer_before_commit:*:break");
        }
        found.extend(field.judged_even_if_stuck().problems);
        let kind = |beginning: &str| found.iter().filter(|one| one.starts_with(beginning)).count();
        let (lost, unrecorded) = (kind("lost"), kind("no attempt on record"));
        println!("seed {seed}: lost {lost}, without an attempt {unrecorded}, copies {}", kind("copy"));
        if lost > 0 && unrecorded > 0 {
            return;
        }
    }
    panic!("the harness did not notice: {found:#?}");
}
