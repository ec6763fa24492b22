//! How V-Claim shows a SEP: as the answer of an insert, as the detail, as a row.
//!
//! Job: the shapes, with the spellings the catalogue prints (`assestmenPel` in answers, `assesmentPel` in requests).
//! Invariant: only what `sep` keeps. Neighbours: `sep`, `monitoring`, `control`. What it does not do: change anything.

use serde_json::{Value, json};

use super::people::{self, Person};
use super::{Sep, at, listed, no_data, or_empty, or_null, reference};
use crate::simulator::routes::Call;
use crate::simulator::world::{Done, Moment, Outcome, Refusal, World};

const PURPOSE: &[(&str, &str)] = &[("0", "Normal"), ("1", "Prosedur"), ("2", "Konsul Dokter")];
const PROCEDURE: &[(&str, &str)] = &[("0", "Prosedur tidak berkelanjutan"), ("1", "Prosedur dan terapi berkelanjutan")];
const SUPPORT: &[(&str, &str)] = &[
    ("1", "Radioterapi"),
    ("2", "Kemoterapi"),
    ("3", "Rehabilitasi Medik"),
    ("4", "Rehabilitasi Psikososial"),
    ("5", "Transfusi Darah"),
    ("6", "Pelayanan Gigi"),
    ("7", "Laboratorium"),
    ("8", "USG"),
    ("9", "Farmasi"),
    ("10", "Lain-Lain"),
    ("11", "MRI"),
    ("12", "HEMODIALISA"),
];
const ASSESSMENT: &[(&str, &str)] = &[
    ("1", "Poli spesialis tidak tersedia pada hari sebelumnya"),
    ("2", "Jam Poli telah berakhir pada hari sebelumnya"),
    ("3", "Dokter Spesialis yang dimaksud tidak praktek pada hari sebelumnya"),
    ("4", "Atas Instruksi RS"),
    ("5", "Tujuan Kontrol"),
];
const ACCIDENT: &[(&str, &str)] = &[
    ("0", "Bukan Kecelakaan"),
    ("1", "KLL dan bukan kecelakaan Kerja"),
    ("2", "KLL dan kecelakaan Kerja"),
    ("3", "Kecelakaan Kerja"),
];

fn coded(list: &[(&str, &str)], code: &str) -> Value {
    let name = list.iter().find(|(known, _)| *known == code).map_or("", |(_, name)| *name);
    json!({ "kode": code, "nama": name })
}

fn coded_or_zero(list: &[(&str, &str)], content: &Value, field: &str) -> Value {
    coded(list, &at(content, field).unwrap_or_else(|| "0".to_owned()))
}

/// The class of the stay: asked for in the SEP, of right otherwise. The form of before 2.0 has it as a bare code.
fn class(content: &Value) -> String {
    at(content, "klsRawat.klsRawatHak").or_else(|| at(content, "klsRawat")).unwrap_or_else(|| "3".to_owned())
}

/// `A15 - name`.
pub(crate) fn diagnosis_line(content: &Value) -> String {
    let code = or_empty(content, "diagAwal");
    format!("{code} - {}", reference::diagnosis(&code).unwrap_or_default())
}

/// The `sep` of an insert's answer.
pub(crate) fn made(number: &str, sep: &Sep, person: &Person) -> Value {
    let content = &sep.record.content;
    let yes_no = if at(content, "poli.eksekutif").as_deref() == Some("1") { "Ya" } else { "Tidak" };
    json!({
        "assestmenPel": or_empty(content, "assesmentPel"), "catatan": or_empty(content, "catatan"),
        "diagnosa": diagnosis_line(content), "flagProcedure": or_empty(content, "flagProcedure"),
        "informasi": { "dinsos": null, "eSEP": "True", "noSKTM": null, "prolanisPRB": null },
        "jnsPelayanan": if sep.inpatient { "R.Inap" } else { "R.Jalan" },
        "kdPenunjang": or_empty(content, "kdPenunjang"), "kdPoli": sep.poli,
        "kelasRawat": if sep.inpatient { format!("Kelas {}", class(content)) } else { "-".to_owned() },
        "noRujukan": or_empty(content, "rujukan.noRujukan"), "noSep": number, "penjamin": "-",
        "peserta": person.excerpt(&or_empty(content, "noMR")),
        "poli": reference::clinic(&sep.poli).unwrap_or_default(), "poliEksekutif": yes_no,
        "tglSep": sep.record.day.to_string(), "tujuanKunj": or_empty(content, "tujuanKunj"),
    })
}

/// The day the patient left: an outpatient on the day of the SEP.
pub(crate) fn left(sep: &Sep) -> Value {
    match &sep.discharge {
        Some(order) => order["tglPulang"].clone(),
        None if sep.inpatient => Value::Null,
        None => Value::String(sep.record.day.to_string()),
    }
}

/// `Rawat Inap` or `Rawat Jalan`.
pub(crate) const fn care(inpatient: bool) -> &'static str {
    if inpatient { "Rawat Inap" } else { "Rawat Jalan" }
}

fn detail(world: &World, number: &str, sep: &Sep) -> Value {
    let content = &sep.record.content;
    let person = people::person(world, &sep.card);
    let accident = at(content, "jaminan.lakaLantas").unwrap_or_else(|| "0".to_owned());
    let mut member = person.map_or(Value::Null, |person| person.excerpt(&or_empty(content, "noMR")));
    for field in ["kdStatusPRB", "potensiPRB", "statusPRB"] {
        member[field] = Value::Null;
    }
    let place = "jaminan.penjamin.suplesi.lokasiLaka";
    let doctor = |code: Option<String>| {
        let name = code.as_deref().map(reference::specialist);
        (code, name)
    };
    let (dpjp, nm_dpjp) = doctor(at(content, "dpjpLayan"));
    let (kd_control, nm_control) = doctor(at(content, "skdp.kodeDPJP"));
    json!({
        "assestmenPel": coded_or_zero(ASSESSMENT, content, "assesmentPel"), "catatan": or_empty(content, "catatan"),
        "cob": at(content, "cob.cob").unwrap_or_else(|| "0".to_owned()),
        "diagnosa": reference::diagnosis(&or_empty(content, "diagAwal")),
        "dpjp": { "kdDPJP": dpjp, "nmDPJP": nm_dpjp },
        "eSEP": "True", "flagProcedure": coded_or_zero(PROCEDURE, content, "flagProcedure"), "informasi": null,
        "jnsPelayanan": care(sep.inpatient),
        "katarak": at(content, "katarak.katarak").unwrap_or_else(|| "0".to_owned()),
        "kdPenunjang": coded_or_zero(SUPPORT, content, "kdPenunjang"),
        "kdStatusKecelakaan": accident, "kelasRawat": format!("Kelas {}", class(content)),
        "klsRawat": { "klsRawatHak": class(content), "klsRawatNaik": or_null(content, "klsRawat.klsRawatNaik"),
            "pembiayaan": or_null(content, "klsRawat.pembiayaan"),
            "penanggungJawab": or_null(content, "klsRawat.penanggungJawab") },
        "kontrol": { "kdDokter": kd_control, "nmDokter": nm_control, "noSurat": or_null(content, "skdp.noSurat") },
        "lokasiKejadian": { "kdKab": or_null(content, &format!("{place}.kdKabupaten")),
            "kdKec": or_null(content, &format!("{place}.kdKecamatan")),
            "kdProp": or_null(content, &format!("{place}.kdPropinsi")),
            "ketKejadian": or_null(content, "jaminan.penjamin.keterangan"), "lokasi": null,
            "tglKejadian": or_null(content, "jaminan.penjamin.tglKejadian") },
        "nmstatusKecelakaan": coded(ACCIDENT, &accident)["nama"], "noRujukan": or_null(content, "rujukan.noRujukan"),
        "noSep": number, "penjamin": null, "peserta": member,
        "poli": reference::clinic(&sep.poli).unwrap_or_default(),
        "poliEksekutif": at(content, "poli.eksekutif").unwrap_or_else(|| "0".to_owned()),
        "tglSep": sep.record.day.to_string(), "tujuanKunj": coded_or_zero(PURPOSE, content, "tujuanKunj"),
    })
}

/// The SEP of a number that reads show.
pub(crate) fn shown<'a>(world: &'a World, at: &Moment, number: &str) -> Result<(&'a String, &'a Sep), Refusal> {
    let found = world.vclaim.seps.get_key_value(&number.to_ascii_uppercase());
    found.filter(|(_, sep)| sep.record.shows(at)).ok_or_else(no_data)
}

/// `GET SEP/{noSep}`.
pub(crate) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let (number, sep) = shown(world, &call.at, call.p(0))?;
    Ok(Done::Found(detail(world, number, sep)))
}

/// `GET Rujukan/lastsep/norujukan/{noRujukan}`: the latest SEP under a referral.
pub(crate) fn last_of_referral(world: &mut World, call: &Call<'_>) -> Outcome {
    let seps = world.vclaim.seps.iter().filter(|(_, sep)| sep.record.shows(&call.at));
    let under = seps.filter(|(_, sep)| at(&sep.record.content, "rujukan.noRujukan").as_deref() == Some(call.p(0)));
    let (number, sep) = under.max_by_key(|(_, sep)| (sep.record.day, sep.record.seq)).ok_or_else(no_data)?;
    Ok(Done::Found(detail(world, number, sep)))
}

/// `GET sep/cbg/{noSep}`: never sealed.
pub(crate) fn for_grouper(world: &mut World, call: &Call<'_>) -> Outcome {
    let (_, sep) = shown(world, &call.at, call.p(0))?;
    let content = &sep.record.content;
    let person = people::known(world, &sep.card)?;
    Ok(Done::Plain(json!({ "pesertasep": { "kelamin": person.sex, "klsRawat": class(content), "nama": person.name,
        "noKartuBpjs": sep.card, "noMr": or_empty(content, "noMR"),
        "noRujukan": or_empty(content, "rujukan.noRujukan"), "tglLahir": person.birthday(),
        "tglPelayanan": sep.record.day.to_string(), "tktPelayanan": if sep.inpatient { "1" } else { "2" } } })))
}

/// `GET Sep/updtglplg/list/bulan/{}/tahun/{}/{filter?}`: discharges of SEPs of that month.
pub(crate) fn discharges(world: &mut World, call: &Call<'_>) -> Outcome {
    let (month, year) = (call.p(0).parse::<i8>().ok(), call.p(1).parse::<i16>().ok());
    let wanted = call.p(2);
    let seps = world.vclaim.seps.iter().filter(|(_, sep)| sep.record.shows(&call.at));
    let rows = seps.filter_map(|(number, sep)| {
        let order = sep.discharge.as_ref()?;
        let day = sep.record.day;
        let in_month = Some(day.month()) == month && Some(day.year()) == year;
        let fits = wanted.is_empty() || wanted == number || wanted == sep.card;
        (in_month && fits).then(|| {
            json!({ "noSep": number, "noSepUpdating": number, "jnsPelayanan": if sep.inpatient { "1" } else { "2" },
                "ppkTujuan": sep.ppk, "noKartu": sep.card,
                "nama": people::person(world, &sep.card).map(|person| person.name), "tglSep": day.to_string(),
                "tglPulang": order["tglPulang"], "status": or_empty(order, "statusPulang"),
                "tglMeninggal": or_empty(order, "tglMeninggal"), "noSurat": or_empty(order, "noSuratMeninggal"),
                "keterangan": "", "user": or_empty(order, "user") })
        })
    });
    listed("list", rows.collect())
}
