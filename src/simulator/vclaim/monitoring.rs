//! The lists a hospital checks itself by: visits, claims, history, traffic accidents.
//!
//! Job: `Monitoring/*`, and the reads by which a lost SEP insert is found again. Invariant: rows come from the SEPs
//! alone; other hospitals' SEPs stand only in a member's history. Neighbours: `sep_view`. What it does not do: grouping
//! of claims; cost and group are invented, the same for all.

use serde_json::{Value, json};

use super::{Sep, at, day_in_path, listed, or_empty, or_null, people, range, reference, sep_view};
use crate::simulator::routes::Call;
use crate::simulator::world::{Origin, Outcome, World};

/// The SEPs that reads show and that this consumer made, or somebody in its own facility, by number.
fn own<'a>(world: &'a World, call: &'a Call<'_>) -> impl Iterator<Item = (&'a String, &'a Sep)> {
    let seps = world.vclaim.seps.iter();
    let ours = |sep: &Sep| sep.ppk == world.facility || sep.record.origin == Origin::WebService;
    seps.filter(move |(_, sep)| ours(sep) && sep.record.shows(&call.at))
}

fn of_kind(sep: &Sep, kind: &str) -> bool {
    kind == if sep.inpatient { "1" } else { "2" }
}

fn name(world: &World, card: &str) -> Option<String> {
    people::person(world, card).map(|person| person.name)
}

fn class(sep: &Sep) -> Value {
    or_null(&sep.record.content, "klsRawat.klsRawatHak")
}

/// `GET Monitoring/Kunjungan/Tanggal/{tgl}/JnsPelayanan/{1|2}`.
pub(crate) fn visits(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(0))?;
    let rows = own(world, call).filter(|(_, sep)| sep.record.day == day && of_kind(sep, call.p(1)));
    let rows = rows.map(|(number, sep)| {
        let content = &sep.record.content;
        json!({ "diagnosa": or_null(content, "diagAwal"),
            "jnsPelayanan": if sep.inpatient { "R.Inap" } else { "R.Jalan" }, "kelasRawat": class(sep),
            "nama": name(world, &sep.card), "noKartu": sep.card, "noSep": number,
            "noRujukan": or_null(content, "rujukan.noRujukan"), "poli": (!sep.inpatient).then_some(&sep.poli),
            "tglPlgSep": sep_view::left(sep), "tglSep": sep.record.day.to_string() })
    });
    listed("sep", rows.collect())
}

/// `GET Monitoring/Klaim/Tanggal/{tgl pulang}/JnsPelayanan/{1|2}/Status/{1|2|3}`: a SEP with a claim form is in
/// verification.
pub(crate) fn claims(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(0))?;
    let left = |sep: &Sep| sep_view::left(sep) == day.to_string();
    let claimed = |number: &String| world.vclaim.lpk.contains_key(number) && call.p(2) == "1";
    let rows = own(world, call).filter(|(number, sep)| left(sep) && of_kind(sep, call.p(1)) && claimed(number));
    let rows = rows.map(|(number, sep)| {
        let mr = or_empty(&sep.record.content, "noMR");
        json!({ "Inacbg": { "kode": "Q-5-44-0", "nama": "PENYAKIT KRONIS KECIL LAIN-LAIN" },
            "biaya": { "byPengajuan": "180000", "bySetujui": "0", "byTarifGruper": "180000", "byTarifRS": "210000",
                "byTopup": "0" },
            "kelasRawat": class(sep), "noFPK": "", "noSEP": number,
            "peserta": { "nama": name(world, &sep.card), "noKartu": sep.card, "noMR": mr },
            "poli": reference::clinic(&sep.poli), "status": "Proses Verifikasi", "tglPulang": day.to_string(),
            "tglSep": sep.record.day.to_string() })
    });
    listed("klaim", rows.collect())
}

/// `GET monitoring/HistoriPelayanan/NoKartu/{noKartu}/tglMulai/{tgl}/tglAkhir/{tgl}`: every facility, newest first.
pub(crate) fn history(world: &mut World, call: &Call<'_>) -> Outcome {
    let person = people::known(world, call.p(0))?;
    let range = range(world, call.p(1), call.p(2))?;
    let seps = world.vclaim.seps.iter().filter(|(_, sep)| sep.card == person.card && range.contains(&sep.record.day));
    let mut seps: Vec<_> = seps.filter(|(_, sep)| sep.record.shows(&call.at)).collect();
    seps.sort_by_key(|(_, sep)| std::cmp::Reverse((sep.record.day, sep.record.seq)));
    let rows = seps.into_iter().map(|(number, sep)| {
        let class = at(&sep.record.content, "klsRawat.klsRawatHak").filter(|_| sep.inpatient);
        json!({ "diagnosa": sep_view::diagnosis_line(&sep.record.content),
            "jnsPelayanan": if sep.inpatient { "1" } else { "2" },
            "kelasRawat": class.map(|class| format!("Kelas {class}")), "namaPeserta": person.name,
            "noKartu": sep.card, "noSep": number, "noRujukan": or_empty(&sep.record.content, "rujukan.noRujukan"),
            "poli": reference::clinic(&sep.poli).unwrap_or_default(),
            "ppkPelayanan": reference::facility(&world.facility, &sep.ppk), "tglPlgSep": sep_view::left(sep),
            "tglSep": sep.record.day.to_string() })
    });
    listed("histori", rows.collect())
}

/// `GET monitoring/JasaRaharja/JnsPelayanan/{1|2}/tglMulai/{tgl}/tglAkhir/{tgl}`.
pub(crate) fn accidents(world: &mut World, call: &Call<'_>) -> Outcome {
    let range = range(world, call.p(1), call.p(2))?;
    let fits = |sep: &Sep| range.contains(&sep.record.day) && of_kind(sep, call.p(0));
    let accident = |sep: &Sep| matches!(at(&sep.record.content, "jaminan.lakaLantas").as_deref(), Some("1" | "2"));
    let rows = own(world, call).filter(|(_, sep)| fits(sep) && accident(sep)).map(|(number, sep)| {
        let content = &sep.record.content;
        let mr = or_empty(content, "noMR");
        json!({ "sep": { "noSEP": number, "tglSEP": sep.record.day.to_string(), "tglPlgSEP": sep_view::left(sep),
                "noMr": mr, "jnsPelayanan": call.p(0), "poli": sep.poli, "diagnosa": or_null(content, "diagAwal"),
                "peserta": { "noKartu": sep.card, "nama": name(world, &sep.card), "noMR": mr } },
            "jasaRaharja": { "tglKejadian": or_null(content, "jaminan.penjamin.tglKejadian"),
                "noRegister": sep.record.seq.to_string(), "ketStatusDijamin": "Dijamin", "ketStatusDikirim": "Sukses",
                "biayaDijamin": "100000", "plafon": "20000000", "jmlDibayar": "10000",
                "resultsJasaRaharja": "Sukses" } })
    });
    listed("jaminan", rows.collect())
}
