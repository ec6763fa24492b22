//! `docs/queue.md` shows the transition table as the code has it; `UPDATE_DOCS=1` rewrites it.

use std::fmt::Write;

use super::*;

const BEGIN: &str = "<!-- begin: rendered from queue::transition by its test; UPDATE_DOCS=1 rewrites it -->\n";
const END: &str = "<!-- end -->\n";

fn cell(delivery: &Delivery, event: &Event, recovery: Recovery) -> String {
    match transition(delivery, event, after(120), &policy(recovery)) {
        Err(Illegal::Busy) => "busy".to_owned(),
        Err(Illegal::InDoubt) => "in doubt".to_owned(),
        Err(Illegal::State(_)) => "–".to_owned(),
        Ok(next) => outcome_cell(&next),
    }
}

fn outcome_cell(next: &Progress) -> String {
    let mut text = format!("**{}**", next.state);
    let mut notes = Vec::new();
    notes.extend(next.how.map(|how| how.word().to_owned()));
    notes.extend(next.why.as_ref().filter(|_| next.state == State::Held).map(|why| why.code.clone()));
    notes.extend(next.blocked.map(|blocked| format!("blocked by {}", blocked.kind)));
    notes.extend(next.doubt.marked.then(|| "in doubt".to_owned()));
    let question = next.doubt.question.filter(|question| *question != Question::OwnAttempt);
    notes.extend(question.map(|question| format!("asks: {question}")));
    notes.extend((next.doubt.absent > 0).then(|| format!("absent ×{}", next.doubt.absent)));
    notes.extend(next.past_last.then(|| "past its last date on purpose".to_owned()));
    let wait = next.due_at.duration_since(after(120)).as_secs();
    notes.extend((wait > 0 && !next.state.is_final()).then(|| format!("in {wait} s")));
    if !notes.is_empty() {
        let _written = write!(text, " ({})", notes.join(", "));
    }
    text
}

fn render() -> String {
    let mut text = String::new();
    for (situation, delivery) in situations() {
        let mut rows = Vec::new();
        for (name, event) in events() {
            let all = RECOVERIES.map(|(_, recovery)| cell(&delivery, &event, recovery));
            let [unique, rest @ ..] = &all;
            if all.iter().all(|cell| cell == "–") {
                continue;
            }
            let others = if rest.iter().all(|cell| cell == unique) {
                String::new()
            } else {
                let differs = RECOVERIES.iter().zip(&all).skip(1).filter(|(_, cell)| *cell != unique);
                differs.map(|((word, _), cell)| format!("{word}: {cell}")).collect::<Vec<_>>().join("; ")
            };
            rows.push(format!("| {name} | {unique} | {others} |"));
        }
        let _written = write!(text, "\n### {situation}\n\n");
        if rows.is_empty() {
            text.push_str("Nothing moves it.\n");
        } else {
            let _written = write!(
                text,
                "| event | becomes | where the operation recovers otherwise |\n|---|---|---|\n{}\n",
                rows.join("\n")
            );
        }
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_the_one_in_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/queue.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("docs/queue.md has its begin mark");
    let (kept, tail) = rest.split_once(END).expect("docs/queue.md has its end mark");
    let rendered = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{rendered}{END}{tail}")).unwrap();
        return;
    }
    for (number, (there, here)) in kept.lines().zip(rendered.lines()).enumerate() {
        assert_eq!(there, here, "line {number} of the table; UPDATE_DOCS=1 rewrites it");
    }
    assert_eq!(kept, rendered, "UPDATE_DOCS=1 rewrites it");
}

#[test]
fn the_documentation_names_every_state_and_held_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/queue.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, _) = page.split_once(BEGIN).unwrap();
    for word in State::ALL.iter().map(|s| s.word()).chain(HeldCode::ALL.iter().map(|c| c.word())) {
        assert!(head.contains(&format!("`{word}`")), "{word}");
    }
}
