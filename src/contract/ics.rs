//! The calendar of obligations as iCalendar text (RFC 5545).
//!
//! Job: one all-day event a duty, with a reminder. Pure. Invariants: lines end with CRLF and are folded at 75 octets without
//! cutting a character; UIDs are stable, so that a second import changes instead of doubling; duties without a date are
//! left out. What it does not do: invite anybody.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::uncertain_words;
use super::obligation::{Obligation, ObligationState};

/// `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";
/// Octets of a line without its end.
const WIDTH: usize = 75;

/// The whole calendar.
#[must_use]
pub fn calendar(duties: &[Obligation], now: Timestamp) -> String {
    let mut text = String::new();
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//jembatan//kewajiban kontrak//ID",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "X-WR-CALNAME:Kewajiban kontrak BPJS",
    ] {
        fold(&mut text, line);
    }
    for duty in duties {
        event(&mut text, duty, now);
    }
    fold(&mut text, "END:VCALENDAR");
    text
}

fn event(text: &mut String, duty: &Obligation, now: Timestamp) {
    let Some((day, next)) = duty.day.and_then(|day| Some((day, day.tomorrow().ok()?))) else { return };
    let place = if duty.facility == "*" { String::new() } else { format!(" ({})", duty.facility) };
    let mark = match duty.state {
        ObligationState::Done => "Selesai: ",
        ObligationState::Overdue => "Terlambat: ",
        ObligationState::Remind | ObligationState::Open => "",
    };
    let mut words = vec![format!("Dasar: {}", duty.clause)];
    words.extend(duty.note.clone());
    words.extend(uncertain_words(&duty.uncertain));
    words.extend(duty.stricter.as_ref().map(|id| format!("Yang lebih ketat: {id}")));
    fold(text, "BEGIN:VEVENT");
    fold(text, &format!("UID:{}@jembatan", escape(&duty.id)));
    fold(text, &format!("DTSTAMP:{}", utc(now)));
    fold(text, &format!("DTSTART;VALUE=DATE:{}", day.strftime("%Y%m%d")));
    fold(text, &format!("DTEND;VALUE=DATE:{}", next.strftime("%Y%m%d")));
    fold(text, &format!("SUMMARY:{}", escape(&format!("{mark}{}{place}", duty.title))));
    fold(text, &format!("DESCRIPTION:{}", escape(&words.join("\n"))));
    fold(text, "TRANSP:TRANSPARENT");
    if let (None, Some(from)) = (&duty.done, duty.remind_from) {
        for line in ["BEGIN:VALARM", "ACTION:DISPLAY"] {
            fold(text, line);
        }
        fold(text, &format!("TRIGGER;VALUE=DATE-TIME:{}", utc(from)));
        fold(text, &format!("DESCRIPTION:{}", escape(&duty.title)));
        fold(text, "END:VALARM");
    }
    fold(text, "END:VEVENT");
}

fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Backslash, semicolon, comma and line ends; other control characters cannot stand in a calendar.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            control if control.is_control() => {}
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// Adds a line, folded: continuation lines begin with a space, which counts.
fn fold(text: &mut String, line: &str) {
    let mut width = 0;
    for character in line.chars() {
        if width + character.len_utf8() > WIDTH {
            text.push_str("\r\n ");
            width = 1;
        }
        text.push(character);
        width += character.len_utf8();
    }
    text.push_str("\r\n");
}
