//! V-Claim's reference lists: the codes the catalogue prints where it prints them, invented otherwise.
//!
//! Job: the rows of `referensi/*`, and the names behind codes of clinics, facilities, doctors and diagnoses. Invariant:
//! diagnoses, providers and hospitals are those of the P-Care world. A well-formed clinic or doctor that is not listed is
//! taken under a made-up name. Neighbours: every other file of V-Claim. What it does not do: belong to a real hospital.

use serde_json::{Value, json};

use super::{code_and_name, day_in_path, listed};
use crate::simulator::routes::Call;
use crate::simulator::world::{Outcome, World, reference};

/// Clinics of hospitals.
pub(crate) const CLINICS: &[(&str, &str)] = &[
    ("INT", "PENYAKIT DALAM"),
    ("ANA", "ANAK"),
    ("BED", "BEDAH"),
    ("OBG", "OBGYN"),
    ("MAT", "MATA"),
    ("SAR", "SARAF"),
    ("JAN", "JANTUNG DAN PEMBULUH DARAH"),
    ("PAR", "PARU"),
    ("URO", "UROLOGI"),
    ("IRM", "INSTALASI REHABILITASI MEDIK"),
    ("HDL", "HEMODIALISA"),
    ("IGD", "INSTALASI GAWAT DARURAT"),
    ("008", "HEMATOLOGI - ONKOLOGI MEDIK"),
    ("027", "ANAK ALERGI IMUNOLOGI"),
    ("030", "ANAK HEMATOLOGI ONKOLOGI"),
    ("AND", "ANDROLOGI"),
];

/// Specialists: code, name, clinic.
const SPECIALISTS: &[(&str, &str, &str)] = &[
    ("31574", "dr. Contoh Dalam, Sp.PD", "INT"),
    ("31348", "dr. Contoh Bedah, Sp.B", "BED"),
    ("31528", "dr. Contoh Anak, Sp.A", "ANA"),
    ("31537", "dr. Contoh Mata, Sp.M", "MAT"),
    ("31479", "dr. Contoh Saraf, Sp.S", "SAR"),
    ("34050", "dr. Contoh Kandungan, Sp.OG", "OBG"),
];

const PROVINCES: &[(&str, &str)] = &[("14", "KALIMANTAN TIMUR"), ("10", "JAWA BARAT"), ("23", "SULAWESI SELATAN")];
const REGENCIES: &[(&str, &str, &str)] =
    &[("14", "0114", "KOTA BONTANG"), ("14", "0110", "KUTAI TIMUR"), ("10", "0115", "KAB. BANDUNG")];
const DISTRICTS: &[(&str, &str, &str)] =
    &[("0114", "6122", "BONTANG UTARA"), ("0114", "6123", "BONTANG SELATAN"), ("0115", "1192", "CILEUNYI")];

/// PRB programmes; the service ends every code with a blank.
const PROGRAMMES: &[(&str, &str)] = &[
    ("01 ", "Diabetes Mellitus"),
    ("02 ", "Hypertensi"),
    ("03 ", "Asthma"),
    ("04 ", "Penyakit Jantung"),
    ("05 ", "PPOK (Penyakit Paru Obstruktif Kronik)"),
    ("06 ", "Schizophrenia"),
    ("07 ", "Stroke"),
    ("08 ", "Epilepsi"),
    ("09 ", "Systemic Lupus Erythematosus"),
];
const PRB_DRUGS: &[(&str, &str)] = &[
    ("00196120124", "Analog Insulin Long Acting inj 100 UI/ml"),
    ("00011220018", "Human Insulin Long Acting penfill 3 ml"),
    ("00011320019", "Metformin tab 500 mg"),
    ("00011420020", "Amlodipin tab 5 mg"),
    ("00011520021", "Captopril tab 25 mg"),
];
const PROCEDURES: &[(&str, &str)] = &[
    ("00.82", "Revision of knee replacement, femoral component"),
    ("39.95", "Hemodialysis"),
    ("73.59", "Other manually assisted delivery"),
    ("87.44", "Routine chest x-ray"),
];
const CLASSES: &[(&str, &str)] =
    &[("1", "VVIP"), ("2", "VIP"), ("3", "Kelas 1"), ("4", "Kelas 2"), ("5", "Kelas 3"), ("6", "ICCU"), ("7", "ICU")];
const FIELDS: &[(&str, &str)] =
    &[("1", "Spesialis Penyakit dalam"), ("2", "Spesialis Bedah"), ("3", "Spesialis Anak"), ("4", "Spesialis Obgyn")];
const ROOMS: &[(&str, &str)] = &[("1", "Ruang Mawar I"), ("2", "Ruang Anggrek I"), ("3", "Ruang Melati I")];
const WAYS_OUT: &[(&str, &str)] = &[
    ("1", "Atas Persetujuan Dokter"),
    ("2", "Dirujuk"),
    ("3", "Atas Permintaan Sendiri"),
    ("4", "Meninggal"),
    ("5", "Lain-lain"),
];
const CONDITIONS: &[(&str, &str)] =
    &[("1", "Sembuh"), ("2", "Dirujuk"), ("3", "Pulang Paksa"), ("4", "Meninggal"), ("5", "Lain-Lain")];

fn named(list: &[(&'static str, &'static str)], code: &str) -> Option<&'static str> {
    list.iter().find(|(known, _)| known.trim().eq_ignore_ascii_case(code.trim())).map(|(_, name)| *name)
}

/// The name of a clinic of a hospital, listed or well-formed.
pub(crate) fn clinic(code: &str) -> Option<String> {
    let shaped = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    named(CLINICS, code).map(str::to_owned).or_else(|| shaped.then(|| format!("POLI {code}")))
}

/// The name of a diagnosis, listed or well-formed.
pub(crate) fn diagnosis(code: &str) -> Option<String> {
    reference::diagnosis(code).map(|(_, name, _)| name)
}

/// The name of a facility; one that nobody listed has a made-up name.
pub(crate) fn facility(own: &str, code: &str) -> String {
    let known = reference::provider(own, code).or_else(|| reference::hospital(code));
    known.map_or_else(|| format!("FASKES {code}"), str::to_owned)
}

/// The name of a specialist.
pub(crate) fn specialist(code: &str) -> String {
    let known = SPECIALISTS.iter().find(|(known, ..)| *known == code).map(|(_, name, _)| *name);
    known.or_else(|| reference::doctor(code)).map_or_else(|| format!("dr. {code}"), str::to_owned)
}

/// The specialists of a clinic; all of them where none is listed for it.
pub(crate) fn specialists_of(clinic: &str) -> Vec<(&'static str, &'static str)> {
    let of = |own: &str| own.eq_ignore_ascii_case(clinic);
    let some = SPECIALISTS.iter().any(|(.., own)| of(own));
    SPECIALISTS.iter().filter(|(.., own)| !some || of(own)).map(|(code, name, _)| (*code, *name)).collect()
}

/// The name of a PRB programme, and the code with its blank.
pub(crate) fn programme(code: &str) -> Option<(&'static str, &'static str)> {
    PROGRAMMES.iter().find(|(known, _)| known.trim() == code.trim()).copied()
}

/// The name of a PRB drug, listed or made up.
pub(crate) fn prb_drug(code: &str) -> String {
    named(PRB_DRUGS, code).map_or_else(|| format!("Obat {code}"), str::to_owned)
}

/// Names in a claim: room, class, field, way out, condition, procedure.
pub(crate) fn claim_name(list: &str, code: &str) -> Option<&'static str> {
    named(claim_list(list), code)
}

fn claim_list(list: &str) -> &'static [(&'static str, &'static str)] {
    match list {
        "ruangRawat" => ROOMS,
        "kelasRawat" => CLASSES,
        "spesialistik" => FIELDS,
        "caraKeluar" => WAYS_OUT,
        "kondisiPulang" => CONDITIONS,
        "procedure" => PROCEDURES,
        _ => &[],
    }
}

/// Rows whose code begins with, or whose name contains, the keyword.
fn search(rows: impl Iterator<Item = (String, String)>, keyword: &str) -> Vec<Value> {
    let wanted = keyword.to_lowercase();
    rows.filter(|(code, name)| code.to_lowercase().starts_with(&wanted) || name.to_lowercase().contains(&wanted))
        .map(|(code, name)| code_and_name(&code, &name))
        .collect()
}

fn owned(list: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = (String, String)> {
    list.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned()))
}

/// `referensi/diagnosa/{kata kunci}`: the names carry their code.
pub(crate) fn diagnoses(_: &mut World, call: &Call<'_>) -> Outcome {
    let shown = reference::diagnoses(call.p(0)).into_iter().map(|row| {
        let code = reference::dotted_code(row["kdDiag"].as_str().unwrap_or_default());
        let name = format!("{code} - {}", row["nmDiag"].as_str().unwrap_or_default());
        code_and_name(&code, &name)
    });
    listed("diagnosa", shown.collect())
}

/// `referensi/poli/{kata kunci}`.
pub(crate) fn clinics(_: &mut World, call: &Call<'_>) -> Outcome {
    listed("poli", search(owned(CLINICS), call.p(0)))
}

/// `referensi/faskes/{kata kunci}/{1|2}`.
pub(crate) fn facilities(world: &mut World, call: &Call<'_>) -> Outcome {
    let pair = |row: Value, code: &str, name: &str| {
        let word = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        (word(code), word(name))
    };
    let rows: Vec<_> = match call.p(1) {
        "1" => {
            reference::providers(&world.facility).into_iter().map(|row| pair(row, "kdProvider", "nmProvider")).collect()
        }
        "2" => reference::hospitals().into_iter().map(|row| pair(row, "kdppk", "nmppk")).collect(),
        _ => Vec::new(),
    };
    listed("faskes", search(rows.into_iter(), call.p(0)))
}

/// `referensi/dokter/pelayanan/{1|2}/tglPelayanan/{tgl}/Spesialis/{kode}`.
pub(crate) fn attending(_: &mut World, call: &Call<'_>) -> Outcome {
    day_in_path(call.p(1))?;
    let rows = specialists_of(call.p(2)).into_iter().map(|(code, name)| code_and_name(code, name));
    listed("list", rows.collect())
}

/// `referensi/propinsi`.
pub(crate) fn provinces(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(PROVINCES), ""))
}

fn below(list: &[(&str, &str, &str)], parent: &str) -> Outcome {
    let rows = list.iter().filter(|(own, ..)| *own == parent).map(|(_, code, name)| code_and_name(code, name));
    listed("list", rows.collect())
}

/// `referensi/kabupaten/propinsi/{kode}`.
pub(crate) fn regencies(_: &mut World, call: &Call<'_>) -> Outcome {
    below(REGENCIES, call.p(0))
}

/// `referensi/kecamatan/kabupaten/{kode}`.
pub(crate) fn districts(_: &mut World, call: &Call<'_>) -> Outcome {
    below(DISTRICTS, call.p(0))
}

/// `referensi/diagnosaprb`: every code ends with a blank, as the service has it.
pub(crate) fn programmes(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(PROGRAMMES), ""))
}

/// `referensi/obatprb/{nama}`.
pub(crate) fn prb_drugs(_: &mut World, call: &Call<'_>) -> Outcome {
    listed("list", search(owned(PRB_DRUGS), call.p(0)))
}

/// `referensi/procedure/{kata kunci}`.
pub(crate) fn procedures(_: &mut World, call: &Call<'_>) -> Outcome {
    listed("procedure", search(owned(PROCEDURES), call.p(0)))
}

/// `referensi/dokter/{nama}`, for claims.
pub(crate) fn doctors(_: &mut World, call: &Call<'_>) -> Outcome {
    let rows = SPECIALISTS.iter().map(|(code, name, _)| ((*code).to_owned(), (*name).to_owned()));
    listed("list", search(rows, call.p(0)))
}

/// `referensi/kelasrawat`.
pub(crate) fn classes(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(CLASSES), ""))
}

/// `referensi/spesialistik`.
pub(crate) fn fields(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(FIELDS), ""))
}

/// `referensi/ruangrawat`.
pub(crate) fn rooms(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(ROOMS), ""))
}

/// `referensi/carakeluar`.
pub(crate) fn ways_out(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(WAYS_OUT), ""))
}

/// `referensi/pascapulang`.
pub(crate) fn conditions(_: &mut World, _: &Call<'_>) -> Outcome {
    listed("list", search(owned(CONDITIONS), ""))
}

/// `Rujukan/ListSpesialistik/PPKRujukan/{ppk}/TglRujukan/{tgl}`: a decimal comma, unlike `RencanaKontrol`.
pub(crate) fn referral_fields(_: &mut World, call: &Call<'_>) -> Outcome {
    day_in_path(call.p(1))?;
    let rows = CLINICS.iter().map(|(code, name)| {
        json!({ "kodeSpesialis": code, "namaSpesialis": name, "kapasitas": "24", "jumlahRujukan": "0",
            "persentase": "0,00" })
    });
    listed("list", rows.collect())
}

/// `Rujukan/ListSarana/PPKRujukan/{ppk}`.
pub(crate) fn referral_means(_: &mut World, _: &Call<'_>) -> Outcome {
    let rows = reference::means()
        .into_iter()
        .map(|row| json!({ "kodeSarana": row["kdSarana"], "namaSarana": row["nmSarana"] }));
    listed("list", rows.collect())
}
