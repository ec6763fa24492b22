//! Members as V-Claim shows them: the same people as P-Care's, in other words.
//!
//! Job: `peserta`, whole and as the excerpt inside other answers. Invariant: nothing here is invented a second time; all
//! comes from the member of the P-Care world. Neighbours: every other file of V-Claim. What it does not do: keep people.

use jiff::Unit;
use jiff::civil::{Date, DateDifference};
use serde_json::{Value, json};

use super::{day_in_path, no, wrong};
use crate::simulator::routes::Call;
use crate::simulator::texts;
use crate::simulator::world::{self, Done, Outcome, Refusal, World, text};

/// A member with the day of birth read.
pub(crate) struct Person {
    pub(crate) card: String,
    pub(crate) name: String,
    pub(crate) born: Option<Date>,
    pub(crate) sex: String,
    pub(crate) active: bool,
    pub(crate) class: String,
    fields: Value,
}

/// The person behind a card.
pub(crate) fn person(world: &World, card: &str) -> Option<Person> {
    let fields = world.member(card)?;
    let word = |field: &str| text(&fields, field).unwrap_or_default();
    Some(Person {
        card: card.to_owned(),
        name: word("nama"),
        born: world::date(&word("tglLahir")),
        sex: word("sex"),
        active: fields["aktif"].as_bool().unwrap_or(true),
        class: text(&fields["jnsKelas"], "kode").unwrap_or_else(|| "3".to_owned()),
        fields,
    })
}

/// The person, or the refusal of a card that is malformed or nobody's.
pub(crate) fn known(world: &World, card: &str) -> Result<Person, Refusal> {
    if card.len() != 13 || !card.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("noKartu"));
    }
    person(world, card).ok_or_else(|| no(texts::MEMBER_UNKNOWN))
}

fn age(born: Option<Date>, day: Date) -> String {
    let span = born.and_then(|born| born.until(DateDifference::new(day).largest(Unit::Year)).ok()).unwrap_or_default();
    format!("{} tahun ,{} bulan ,{} hari", span.get_years(), span.get_months(), span.get_days())
}

impl Person {
    /// The day of birth as V-Claim writes it.
    pub(crate) fn birthday(&self) -> Value {
        self.born.map_or(Value::Null, |born| Value::String(born.to_string()))
    }

    /// The facility the member is registered at: code and name.
    pub(crate) fn home(&self) -> (String, String) {
        let home = &self.fields["kdProviderPst"];
        (text(home, "kdProvider").unwrap_or_default(), text(home, "nmProvider").unwrap_or_default())
    }

    /// The telephone.
    pub(crate) fn phone(&self) -> String {
        text(&self.fields, "noHP").unwrap_or_default()
    }

    /// The whole member, as `Peserta/…` answers and referrals carry it.
    pub(crate) fn whole(&self, day: Date, today: Date) -> Value {
        let kind = &self.fields["jnsPeserta"];
        let (kd_provider, nm_provider) = self.home();
        let state = if self.active { ("AKTIF", "0") } else { ("TIDAK AKTIF", "1") };
        let programme = text(&self.fields, "pstPrb").or_else(|| text(&self.fields, "pstProl"));
        json!({
            "cob": { "nmAsuransi": null, "noAsuransi": null, "tglTAT": null, "tglTMT": null },
            "hakKelas": { "keterangan": self.class_name(), "kode": self.class },
            "informasi": { "dinsos": null, "eSEP": null, "noSKTM": null, "prolanisPRB": programme },
            "jenisPeserta": { "keterangan": kind["nama"], "kode": kind["kode"] },
            "mr": { "noMR": null, "noTelepon": self.fields["noHP"] },
            "nama": self.name, "nik": self.fields["noKTP"], "noKartu": self.card, "pisa": "1",
            "provUmum": { "kdProvider": kd_provider, "nmProvider": nm_provider },
            "sex": self.sex, "statusPeserta": { "keterangan": state.0, "kode": state.1 },
            "tglCetakKartu": "2016-02-12", "tglLahir": self.birthday(), "tglTAT": "2050-01-01", "tglTMT": "2014-01-01",
            "umur": { "umurSaatPelayanan": age(self.born, day), "umurSekarang": age(self.born, today) },
        })
    }

    /// `KELAS I` to `KELAS III`.
    pub(crate) fn class_name(&self) -> String {
        text(&self.fields["jnsKelas"], "nama").unwrap_or_default()
    }

    /// The excerpt inside a SEP or a referral.
    pub(crate) fn excerpt(&self, mr: &str) -> Value {
        json!({ "asuransi": null, "hakKelas": format!("Kelas {}", self.class),
            "jnsPeserta": self.fields["jnsPeserta"]["nama"], "kelamin": self.sex, "nama": self.name,
            "noKartu": self.card, "noMr": mr, "tglLahir": self.birthday() })
    }
}

/// `GET Peserta/nokartu/{noKartu}/tglSEP/{tgl}`.
pub(crate) fn by_card(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(1))?;
    Ok(Done::Found(json!({ "peserta": known(world, call.p(0))?.whole(day, call.at.today) })))
}

/// `GET Peserta/nik/{nik}/tglSEP/{tgl}`.
pub(crate) fn by_nik(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(1))?;
    let nik = call.p(0);
    if nik.len() != 16 || !nik.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("nik"));
    }
    let card = world.card_of_nik(nik).map(str::to_owned).ok_or_else(|| no(texts::MEMBER_UNKNOWN))?;
    Ok(Done::Found(json!({ "peserta": known(world, &card)?.whole(day, call.at.today) })))
}
