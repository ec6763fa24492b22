//! The operations of P-Care: method, path, name, and what they do in the world.
//!
//! Job: one table with every path of the catalogue and what clients use besides. Invariants: letters' case in a path
//! does not matter, captured values are percent-decoded; the names are those of the bridge's catalogue. Neighbours:
//! `services` looks up and calls. What it does not do: V-Claim, Antrean, i-Care; they have tables of their own.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::world::people::DISEASES;
use super::world::{ChildKind, Done, Moment, Outcome, Refusal, World, counted, reference, uncounted};

/// A call of an operation: what the path named, and the body.
pub(crate) struct Call<'a> {
    pub(crate) at: Moment,
    pub(crate) params: Vec<String>,
    pub(crate) body: &'a Value,
}

impl Call<'_> {
    /// The n-th value of the path; the table and the handlers agree on how many there are.
    pub(crate) fn p(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }
}

pub(crate) type Handler = fn(&mut World, &Call<'_>) -> Outcome;

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) handler: Handler,
}

pub(crate) const fn route(method: &'static str, path: &'static str, name: &'static str, handler: Handler) -> Route {
    Route { method, path, name, handler }
}

/// Every P-Care operation. Fixed segments stand before `{}` in the same place.
pub(crate) const PCARE: &[Route] = &[
    route("GET", "diagnosa/{}/{}/{}", "pcare.diagnosa.cari", |w, c| {
        w.page(reference::diagnoses(c.p(0)), c.p(1), c.p(2))
    }),
    route("GET", "dokter/{}/{}", "pcare.dokter.list", |w, c| w.page(reference::doctors(), c.p(0), c.p(1))),
    route("GET", "kesadaran", "pcare.kesadaran.list", |_, _| counted(reference::consciousness_levels())),
    route("GET", "alergi/jenis/{}", "pcare.alergi.list", |_, c| uncounted(reference::allergies(c.p(0)))),
    route("GET", "prognosa", "pcare.prognosa.list", |_, _| uncounted(reference::prognoses())),
    route("GET", "poli/fktp/{}/{}", "pcare.poli.list", |w, c| w.page(reference::clinics(), c.p(0), c.p(1))),
    route("GET", "provider/{}/{}", "pcare.provider.list", |w, c| {
        w.page(reference::providers(&w.facility), c.p(0), c.p(1))
    }),
    route("GET", "statuspulang/rawatInap/{}", "pcare.statuspulang.list", |w, c| {
        counted(reference::discharges(c.p(0).eq_ignore_ascii_case("true"), &w.rules.internal_referral))
    }),
    route("GET", "spesialis", "pcare.spesialis.list", |_, _| counted(reference::specialties())),
    route("GET", "spesialis/sarana", "pcare.spesialis.sarana", |_, _| counted(reference::means())),
    route("GET", "spesialis/khusus", "pcare.spesialis.khusus", |_, _| counted(reference::special_conditions())),
    route("GET", "spesialis/{}/subspesialis", "pcare.spesialis.subspesialis", |_, c| {
        counted(reference::subspecialties(c.p(0)))
    }),
    route("GET", "spesialis/rujuk/subspesialis/{}/sarana/{}/tglEstRujuk/{}", "pcare.rujukan.subspesialis", |_, c| {
        hospitals(reference::hospital_clinic(c.p(0)).is_some() && reference::means_known(c.p(1)), c.p(2))
    }),
    route("GET", "spesialis/rujuk/khusus/{}/noKartu/{}/tglEstRujuk/{}", "pcare.rujukan.khusus", |_, c| {
        hospitals(reference::special_condition(c.p(0)).is_some(), c.p(2))
    }),
    route(
        "GET",
        "spesialis/rujuk/khusus/{}/subspesialis/{}/noKartu/{}/tglEstRujuk/{}",
        "pcare.rujukan.khusus.subspesialis",
        |_, c| {
            hospitals(
                reference::special_condition(c.p(0)).is_some() && matches!(c.p(1), "3" | "8" | "26" | "30"),
                c.p(3),
            )
        },
    ),
    route("GET", "peserta/{}", "pcare.peserta.get", |w, c| w.member_by_card(c.p(0))),
    route("GET", "peserta/noka/{}", "pcare.peserta.noka", |w, c| w.member_by("noka", c.p(0))),
    route("GET", "peserta/nik/{}", "pcare.peserta.nik", |w, c| w.member_by("nik", c.p(0))),
    route("POST", "pendaftaran", "pcare.pendaftaran.add", |w, c| w.register(&c.at, c.body)),
    route("GET", "pendaftaran/noUrut/{}/tglDaftar/{}", "pcare.pendaftaran.get", |w, c| {
        w.registration(&c.at, c.p(0), c.p(1))
    }),
    route("GET", "pendaftaran/tglDaftar/{}/{}/{}", "pcare.pendaftaran.list", |w, c| {
        w.registrations_of(&c.at, c.p(0), c.p(1), c.p(2))
    }),
    route("DELETE", "pendaftaran/peserta/{}/tglDaftar/{}/noUrut/{}/kdPoli/{}", "pcare.pendaftaran.delete", |w, c| {
        w.unregister(c.p(0), c.p(1), c.p(2), c.p(3))
    }),
    route("POST", "kunjungan/v1", "pcare.kunjungan.add", |w, c| w.add_visit(&c.at, c.body)),
    route("PUT", "kunjungan/v1", "pcare.kunjungan.edit", |w, c| w.edit_visit(&c.at, c.body)),
    route("POST", "kunjungan", "pcare.kunjungan.add", |w, c| old_path(w, c, World::add_visit)),
    route("PUT", "kunjungan", "pcare.kunjungan.edit", |w, c| old_path(w, c, World::edit_visit)),
    route("DELETE", "kunjungan/{}", "pcare.kunjungan.delete", |w, c| w.delete_visit(&c.at, c.p(0))),
    route("DELETE", "kunjungan/v1/{}", "pcare.kunjungan.delete", |w, c| w.delete_visit(&c.at, c.p(0))),
    route("GET", "kunjungan/peserta/{}", "pcare.kunjungan.riwayat", |w, c| w.history(&c.at, c.p(0))),
    route("GET", "kunjungan/rujukan/{}", "pcare.kunjungan.rujukan", |w, c| w.referral_letter(&c.at, c.p(0))),
    route("GET", "tindakan/kdTkp/{}/{}/{}", "pcare.tindakan.cari", |w, c| {
        w.page(reference::treatments(c.p(0)), c.p(1), c.p(2))
    }),
    route("GET", "tindakan/kunjungan/{}", "pcare.tindakan.list", |w, c| {
        w.children(&c.at, ChildKind::Treatment, c.p(0))
    }),
    route("POST", "tindakan", "pcare.tindakan.add", |w, c| w.add_child(&c.at, ChildKind::Treatment, c.body)),
    route("PUT", "tindakan", "pcare.tindakan.edit", |w, c| w.edit_child(&c.at, ChildKind::Treatment, c.body)),
    route("DELETE", "tindakan/{}/kunjungan/{}", "pcare.tindakan.delete", |w, c| {
        w.delete_child(&c.at, ChildKind::Treatment, c.p(0), c.p(1))
    }),
    route("GET", "obat/dpho/{}/{}/{}", "pcare.obat.dpho", |w, c| w.page(reference::drugs(c.p(0)), c.p(1), c.p(2))),
    route("GET", "dpho/kdppk/{}/{}/{}/{}", "pcare.obat.apotek", |w, c| {
        w.page(reference::pharmacy_stock(c.p(1)), c.p(2), c.p(3))
    }),
    route("GET", "obat/kunjungan/{}", "pcare.obat.list", |w, c| w.children(&c.at, ChildKind::Drug, c.p(0))),
    route("POST", "obat/kunjungan", "pcare.obat.add", |w, c| w.add_child(&c.at, ChildKind::Drug, c.body)),
    route("DELETE", "obat/{}/kunjungan/{}", "pcare.obat.delete", |w, c| {
        w.delete_child(&c.at, ChildKind::Drug, c.p(0), c.p(1))
    }),
    route("GET", "MCU/kunjungan/{}", "pcare.mcu.list", |w, c| w.children(&c.at, ChildKind::Examination, c.p(0))),
    route("POST", "MCU", "pcare.mcu.add", |w, c| w.add_child(&c.at, ChildKind::Examination, c.body)),
    route("PUT", "MCU", "pcare.mcu.edit", |w, c| w.edit_child(&c.at, ChildKind::Examination, c.body)),
    route("DELETE", "MCU/{}/kunjungan/{}", "pcare.mcu.delete", |w, c| {
        w.delete_child(&c.at, ChildKind::Examination, c.p(0), c.p(1))
    }),
    route("GET", "kelompok/club/{}", "pcare.kelompok.club", |_, c| counted(reference::clubs(c.p(0)))),
    route("GET", "kelompok/kegiatan/{}", "pcare.kelompok.kegiatan.list", |w, c| w.activities_of(&c.at, c.p(0))),
    route("POST", "kelompok/kegiatan", "pcare.kelompok.kegiatan.add", |w, c| w.add_activity(&c.at, c.body)),
    route("DELETE", "kelompok/kegiatan/{}", "pcare.kelompok.kegiatan.delete", |w, c| w.delete_activity(c.p(0))),
    route("GET", "kelompok/peserta/{}", "pcare.kelompok.peserta.list", |w, c| w.participants(&c.at, c.p(0))),
    route("POST", "kelompok/peserta", "pcare.kelompok.peserta.add", |w, c| w.add_participant(&c.at, c.body)),
    route("DELETE", "kelompok/peserta/{}/{}", "pcare.kelompok.peserta.delete", |w, c| {
        w.delete_participant(c.p(0), c.p(1))
    }),
    route("GET", "skrinning/rekap", "pcare.skrinning.rekap", |_, _| screening_summary()),
    route("GET", "skrinning/peserta/{}/{}/{}", "pcare.skrinning.peserta", |w, c| {
        w.page(w.screening_row(c.p(0)).into_iter().collect(), c.p(1), c.p(2))
    }),
    route("GET", "skrinning/prolanis/dm/{}/{}/{}", "pcare.skrinning.prolanis.dm", |w, c| {
        w.page(
            w.prolanis_row(c.p(0), "E119;Non-insulin-dependent diabetes mellitus;").into_iter().collect(),
            c.p(1),
            c.p(2),
        )
    }),
    route("GET", "skrinning/prolanis/ht/{}/{}/{}", "pcare.skrinning.prolanis.ht", |w, c| {
        w.page(w.prolanis_row(c.p(0), "I10;Essential (primary) hypertension;").into_iter().collect(), c.p(1), c.p(2))
    }),
];

fn hospitals(known: bool, day: &str) -> Outcome {
    if super::world::date(day).is_none() {
        return Err(Refusal::object("tglEstRujuk", super::texts::DATE_FORMAT));
    }
    if known { counted(reference::hospitals()) } else { Err(Refusal::nothing()) }
}

/// The path of before 2023: still open, or closed for this consumer.
fn old_path(world: &mut World, call: &Call<'_>, handler: fn(&mut World, &Moment, &Value) -> Outcome) -> Outcome {
    if world.rules.old_visit_path {
        handler(world, &call.at, call.body)
    } else {
        Err(Refusal::plain(404, super::texts::NOT_REGISTERED))
    }
}

fn screening_summary() -> Outcome {
    let rows = DISEASES.iter().map(|name| json!({ "nama_penyakit": name, "beresiko": 3, "tidak_beresiko": 97 }));
    Ok(Done::Found(json!({ "list": rows.collect::<Vec<_>>() })))
}

/// The captured values where `path` fits the template, percent-decoded.
pub(crate) fn captures(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut there) = (template.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return Some(found),
            (Some("{}"), Some(value)) if !value.is_empty() => {
                found.push(percent_decode_str(value).decode_utf8().ok()?.into_owned());
            }
            (Some(fixed), Some(segment)) if fixed != "{}" && fixed.eq_ignore_ascii_case(segment) => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::services;
    use crate::catalogue::{Catalogue, Operation};

    /// Every path of an operation, with its placeholders filled with words that could stand there.
    fn paths(operation: &Operation) -> Vec<String> {
        let fill = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
        let filled = |path: &String| path.split('/').map(fill).collect::<Vec<_>>().join("/");
        std::iter::once(&operation.path).chain(&operation.also).map(filled).collect()
    }

    #[test]
    fn every_operation_of_the_catalogue_is_played_under_its_own_name_in_any_case_of_letters() {
        let catalogue = Catalogue::shipped().unwrap();
        let mut missing = Vec::new();
        for operation in catalogue.operations() {
            for path in paths(operation).into_iter().flat_map(|path| [path.to_uppercase(), path]) {
                let found = services::find(operation.service, operation.method.word(), &path, &[]);
                if found.as_ref().map(services::Found::name) != Some(operation.name.as_str()) {
                    missing.push(format!("{} {path}", operation.name));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
        assert!(catalogue.operations().count() > 100);
    }

    #[test]
    fn nothing_is_played_that_the_catalogue_does_not_name() {
        let catalogue = Catalogue::shipped().unwrap();
        for route in services::all() {
            assert!(catalogue.operation(route.name).is_some(), "{} {}", route.name, route.path);
        }
    }

    #[test]
    fn doors_and_envelopes_are_those_of_the_catalogue() {
        use crate::catalogue::{CodeType, EnvelopeKey, Service};
        use crate::protocol::envelope::MetaKey;
        let catalogue = Catalogue::shipped().unwrap();
        for service in Service::ALL.iter().copied() {
            let (ours, theirs) = (services::dialect(service), catalogue.dialect(service).unwrap());
            assert_eq!(ours.key == MetaKey::Lower, theirs.envelope == EnvelopeKey::Metadata, "{service:?}");
            assert_eq!(ours.code_as_text, theirs.code == CodeType::String, "{service:?}");
            let sent = theirs.body_types.first().unwrap();
            assert!(services::takes(service, sent), "{service:?} {sent}");
        }
        for operation in catalogue.operations() {
            let path = paths(operation).remove(0);
            let found = services::find(operation.service, operation.method.word(), &path, &[]).unwrap();
            assert_eq!(found.is_write(), operation.is_write(), "{}", operation.name);
            assert!(!found.needs_login() || operation.dialect().authorization, "{}", operation.name);
        }
    }
}
