//! The shipped day, dated.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::Value;

/// A day of a mid-sized puskesmas as submissions: 200 submissions, 727 entries. Real codes, invented people.
const DAY: &str = include_str!("hari-puskesmas.jsonl");

/// The submissions of the day, as if `day` were the service day.
pub(super) fn submissions(day: &Date) -> Vec<Value> {
    let wire = |day: Date| format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year());
    let next = day.checked_add(1.day()).unwrap_or(*day);
    DAY.lines()
        .filter_map(|line| {
            let dated =
                line.replace("{tgl}", &wire(*day)).replace("{hari}", &day.to_string()).replace("{besok}", &wire(next));
            serde_json::from_str(&dated).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_day_is_there_and_dated() {
        let day = submissions(&Date::constant(2026, 11, 20));
        assert_eq!(day.len(), 200);
        let entries: usize = day.iter().map(|one| one["entries"].as_array().unwrap().len()).sum();
        assert_eq!(entries, 727);
        assert!(!day.iter().any(|one| one.to_string().contains('{') && one.to_string().contains("{tgl}")));
        assert_eq!(day[0]["ref"], "2026-11-20-0001");
    }
}
