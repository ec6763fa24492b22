//! The members: made up from their card number, the same every time under one seed.
//!
//! Job: answer for any card with a known beginning, so that no list of members has to be loaded; keep what the control
//! plane changes about one. Invariant: a card's person depends on seed and number alone. The NIK of a made-up person is
//! `647` and the card number, so that both look-ups agree. Neighbours: `registration` and `groups` ask for members.
//! What it does not do: resemble real people.

use jiff::ToSpan;
use jiff::civil::date;
use serde_json::{Map, Value, json};

use super::{Done, Outcome, Refusal, World, dmy, reference};
use crate::simulator::texts;

const MEN: &[&str] = &["BUDI", "AGUS", "JOKO", "RUDI", "HENDRA", "YUSUF", "ANDI", "DARMA"];
const WOMEN: &[&str] = &["SITI", "DEWI", "RATNA", "WATI", "NUR", "LESTARI", "AYU", "MARIA"];
const KINDS: &[(&str, &str)] =
    &[("21", "PBI (APBN)"), ("22", "PBI (APBD)"), ("13", "PEGAWAI SWASTA"), ("15", "PENERIMA PENSIUN PNS")];
const NIK_PREFIX: &str = "647";

/// One step of splitmix64: a well-mixed number from any number.
pub(crate) const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit())
}

fn pick<T>(list: &[T], draw: u64) -> Option<&T> {
    let length = u64::try_from(list.len()).unwrap_or(1).max(1);
    list.get(usize::try_from(draw % length).unwrap_or(0))
}

impl World {
    /// `GET peserta/{noKartu}`: the member with all fields.
    pub(crate) fn member_by_card(&self, card: &str) -> Outcome {
        if !digits(card, 13) {
            return Err(Refusal::object("noKartu", texts::CARD_FORMAT));
        }
        self.member(card).map(Done::Found).ok_or_else(Refusal::nothing)
    }

    /// `GET peserta/{nik|noka}/{nomor}`: the member without `pstProl`, `pstPrb` and `cob`.
    pub(crate) fn member_by(&self, kind: &str, number: &str) -> Outcome {
        let card = match kind.to_ascii_lowercase().as_str() {
            "noka" => number,
            "nik" if digits(number, 16) => self.card_of_nik(number).ok_or_else(Refusal::nothing)?,
            "nik" => return Err(Refusal::object("nik", texts::NIK_FORMAT)),
            _ => return Err(Refusal::nothing()),
        };
        let Done::Found(member) = self.member_by_card(card)? else { return Err(Refusal::nothing()) };
        Ok(Done::Found(without(member, &["pstProl", "pstPrb"])))
    }

    /// The card behind a NIK, not yet known to exist.
    pub(crate) fn card_of_nik<'a>(&'a self, nik: &'a str) -> Option<&'a str> {
        let changed = self.people.iter().find(|(_, patch)| patch.get("noKTP").and_then(Value::as_str) == Some(nik));
        changed.map(|(card, _)| card.as_str()).or_else(|| nik.strip_prefix(NIK_PREFIX))
    }

    /// The member, or none where the card is unknown.
    pub(crate) fn member(&self, card: &str) -> Option<Value> {
        let patch = self.people.get(card);
        let unknown = patch.is_some_and(|patch| patch.get("unknown") == Some(&Value::Bool(true)));
        let exists = digits(card, 13)
            && (patch.is_some() || self.rules.card_prefixes.iter().any(|p| card.starts_with(p.as_str())));
        if unknown || !exists {
            return None;
        }
        let mut member = self.made_up(card);
        for (field, value) in patch.and_then(Value::as_object).into_iter().flatten() {
            if let Some(place) = member.get_mut(field) {
                *place = value.clone();
            }
        }
        Some(member)
    }

    /// Whether the member has done this year's screening: yes unless the control plane says no.
    pub(crate) fn screened(&self, card: &str) -> bool {
        self.people.get(card).and_then(|patch| patch.get("skrining")).and_then(Value::as_bool).unwrap_or(true)
    }

    /// Changes what is known of a card: any field of the member, `"unknown": true`, `"skrining": false`.
    pub(crate) fn change_member(&mut self, card: &str, change: &Map<String, Value>) {
        let patch = self.people.entry(card.to_owned()).or_insert_with(|| json!({}));
        for (field, value) in change {
            patch[field] = value.clone();
        }
    }

    fn made_up(&self, card: &str) -> Value {
        let draw = mix(self.seed() ^ card.parse::<u64>().unwrap_or(0));
        let woman = draw & 1 == 1;
        let given = pick(if woman { WOMEN } else { MEN }, draw >> 1).copied().unwrap_or("BUDI");
        let born = date(1945, 1, 1).saturating_add(i64::try_from((draw >> 8) % 29_000).unwrap_or(0).days());
        let (kd_kind, nm_kind) = pick(KINDS, draw >> 24).copied().unwrap_or(("21", "PBI (APBN)"));
        let class = (draw >> 32) % 3 + 1;
        let programme = pick(&["", "", "", "DM", "HT"], draw >> 40).copied().unwrap_or("");
        json!({
            "noKartu": card, "nama": format!("{given} CONTOH {}", &card[9..]), "hubunganKeluarga": "Peserta",
            "sex": if woman { "P" } else { "L" }, "tglLahir": dmy(born),
            "tglMulaiAktif": "01-01-2014", "tglAkhirBerlaku": "01-01-2050",
            "kdProviderPst": { "kdProvider": self.facility,
            "nmProvider": reference::provider(&self.facility, &self.facility) },
            "kdProviderGigi": { "kdProvider": null, "nmProvider": null },
            "jnsKelas": { "nama": format!("KELAS {}", "I".repeat(usize::try_from(class).unwrap_or(1))),
            "kode": class.to_string() },
            "jnsPeserta": { "nama": nm_kind, "kode": kd_kind },
            "golDarah": "0", "noHP": "081200000000", "noKTP": format!("{NIK_PREFIX}{card}"),
            "pstProl": programme, "pstPrb": "", "aktif": true, "ketAktif": "AKTIF",
            "asuransi": { "kdAsuransi": null, "nmAsuransi": null, "noAsuransi": null, "cob": false }, "tunggakan": 0
        })
    }

    /// `skrinning/peserta`: one row where the keyword is a known card.
    pub(crate) fn screening_row(&self, card: &str) -> Option<Value> {
        let member = self.member(card)?;
        let state = if self.screened(card) { "Tidak Berisiko" } else { "Tidak Mengisi" };
        let states: Map<String, Value> = DISEASES.iter().map(|name| ((*name).to_owned(), json!(state))).collect();
        Some(json!({ "nomor_peserta": card, "nama": member["nama"], "usia": 40, "no_hp": member["noHP"], "email": null,
            "status_penyakit": states }))
    }

    /// `skrinning/prolanis/{dm|ht}`: one row where the keyword is a known card.
    pub(crate) fn prolanis_row(&self, card: &str, diagnosis: &str) -> Option<Value> {
        let member = self.member(card)?;
        Some(json!({ "nomor_peserta": card, "nama": member["nama"], "usia": 55, "jenis_kelamin": member["sex"],
            "diagnosa_terakhir": diagnosis, "status_prolanis": "Sudah" }))
    }
}

/// The diseases of the yearly screening, as the service names them.
pub(crate) const DISEASES: &[&str] = &[
    "penyakit_anemia",
    "penyakit_diabetes_mellitus",
    "penyakit_hepatitis_b",
    "penyakit_hepatitis_c",
    "penyakit_hipertensi_stroke_ischemic_heart_disease",
    "penyakit_kanker_paru",
    "penyakit_kanker_payudara",
    "penyakit_kanker_serviks",
    "penyakit_kolorektal",
    "penyakit_paru_obstruktif_kronis",
    "penyakit_thalasemia",
    "penyakit_tuberkulosis",
];

/// The object without some of its fields.
pub(crate) fn without(mut object: Value, fields: &[&str]) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.retain(|field, _| !fields.contains(&field.as_str()));
    }
    object
}
