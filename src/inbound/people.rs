//! A new patient wants a record: the registration goes to the SIM, which gives the number.

use super::answer::{self, Answer};
use super::fields::{Body, civil};
use super::{App, Caller};
use crate::secret::Private;
use crate::store::antrean::{NewRegistration, Registered, antrean_id};

/// Strict in what identifies a person, lenient in the rest: the catalogue's own sample has a letter in `kodekel`, and
/// who refuses that refuses patients.
pub(super) async fn register(app: &App, caller: &Caller<'_>, body: &Body) -> Result<Answer, Answer> {
    let card = body.card()?;
    body.nik()?;
    let family = body.text("nomorkk");
    if !family.is_empty() && (family.len() != 16 || !family.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Answer::fail(answer::KK_LENGTH));
    }
    if body.text("nama").is_empty() {
        return Err(Answer::fail(answer::NAME_EMPTY));
    }
    if !matches!(body.text("jeniskelamin").to_ascii_uppercase().as_str(), "L" | "P") {
        return Err(Answer::fail(answer::SEX_UNKNOWN));
    }
    let today = app.today(caller.facility);
    if civil(&body.text("tanggallahir")).is_none_or(|born| born > today) {
        return Err(Answer::fail(answer::BIRTHDAY_FORM));
    }
    if !body.is_tidy() {
        return Err(Answer::fail(answer::TOO_LONG));
    }
    if !(app.parts.has_room)() {
        return Err(Answer::unavailable());
    }
    let now = app.parts.clock.now();
    let new = NewRegistration {
        id: antrean_id(now, &app.parts.chance.ten()),
        facility: caller.facility.code.clone(),
        card,
        body: Private::new(body.whole()),
        now,
    };
    match app.parts.store.register(new).await? {
        Registered::New | Registered::Again => Ok(Answer::done()),
        Registered::Known => Err(Answer::fail(answer::PATIENT_KNOWN)),
    }
}
