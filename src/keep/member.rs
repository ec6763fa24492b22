//! A member's standing: whose it is, and giving it again.
//!
//! Job: card and NIK of a read and of its answer, and the kept answer with what must be said along with it. Invariant:
//! the answer is given as BPJS gave it, not a field altered; if this month (or the month asked about) is not the one in
//! which BPJS gave it, that is said (contract: cover is suspended and members are moved on the 1st). What it does not do:
//! say whether somebody is covered.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::list::{Frame, text_of};
use super::{Ask, Caution, Served};
use crate::catalogue::{Operation, at};
use crate::secret::Private;
use crate::store::{KeptMember, MemberName};

/// Digits of a card.
const CARD: usize = 13;
/// Digits of a NIK.
const NIK: usize = 16;

fn number(text: &str, digits: usize) -> Option<Private<String>> {
    let text = text.trim();
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Private::new(text.to_owned()))
}

/// Whose standing a read asks for; `None` without a card or a NIK.
#[must_use]
pub fn asked(ask: Ask<'_>) -> Option<MemberName> {
    let find = |digits| ask.params.iter().find_map(|(_, value)| number(value, digits));
    let (card, nik) = (find(CARD), find(NIK));
    let family = format!("{}:{}", ask.operation.service.word(), ask.operation.rows.as_deref().unwrap_or_default());
    let name = MemberName { facility: ask.facility.to_owned(), family, card, nik };
    (name.card.is_some() || name.nik.is_some()).then_some(name)
}

/// The same with what the answer says; `None` if there is no member in it, or another one than was asked for.
#[must_use]
pub fn answered(ask: Ask<'_>, asked: MemberName, answer: &Value) -> Option<MemberName> {
    let row = ask.operation.rows.as_deref().map_or(Some(answer), |place| at(answer, place))?;
    let own = |names: &[&str], digits| names.iter().find_map(|name| number(&text_of(row.get(name)?)?, digits));
    let (card, nik) = (own(&["noKartu"], CARD), own(&["nik", "noKTP"], NIK));
    let other = |asked: &Option<Private<String>>, given: &Option<Private<String>>| {
        asked.as_ref().zip(given.as_ref()).is_some_and(|(asked, given)| asked != given)
    };
    if !row.is_object() || other(&asked.card, &card) || other(&asked.nik, &nik) {
        return None;
    }
    Some(MemberName { card: card.or(asked.card), nik: nik.or(asked.nik), ..asked })
}

/// The kept answer. The month is checked in every zone given: the facility's, and that of BPJS's day.
#[must_use]
pub fn served(ask: Ask<'_>, kept: &KeptMember, zones: [&TimeZone; 2], now: Timestamp) -> Option<Served> {
    let body = kept.body.expose();
    let answer = Frame::answer(body, body.get("value")?.clone())?;
    let month = |date: Date| (date.year(), date.month());
    let checked = zones.into_iter().all(|zone| {
        let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let known = month(day(kept.as_of));
        known == month(day(now)) && days_asked(ask.operation, ask.params).all(|asked| month(asked) == known)
    });
    let caution = (!checked).then_some(Caution::MonthNotChecked);
    Some(Served { answer, as_of: kept.as_of, caution })
}

/// Days that the read names, such as that of service.
fn days_asked<'a>(operation: &'a Operation, params: &'a [(String, String)]) -> impl Iterator<Item = Date> + 'a {
    params.iter().filter_map(|(name, value)| operation.field(name)?.kind.day(value))
}
