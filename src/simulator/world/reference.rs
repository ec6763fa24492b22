//! The reference lists: small, real in their codes where a source names them, invented otherwise.
//!
//! Job: the rows of diagnosa, dokter, poli and the rest, and whether a code is known. Invariant: every code of the
//! shipped day is known. Diagnoses and drugs are catalogues too large to ship: a well-formed code that is not listed is
//! accepted under a made-up name. Neighbours: `registration`, `visit`, `children` and `groups` check against them.
//! What it does not do: belong to a real facility.

use serde_json::{Value, json};

/// A diagnosis: code without dot, name, and whether primary care is meant to complete it (`nonSpesialis`).
type Diagnosis = (&'static str, &'static str, bool);

/// `nonSpesialis` is BPJS's own list; here it is false for what the shipped day refers without TACC.
const DIAGNOSES: &[Diagnosis] = &[
    ("A000", "Cholera due to Vibrio cholerae 01, biovar cholerae", false),
    ("A001", "Cholera due to Vibrio cholerae 01, biovar eltor", false),
    ("A010", "Typhoid fever", true),
    ("A011", "Paratyphoid fever A", false),
    ("A09", "Diarrhoea and gastroenteritis of presumed infectious origin", true),
    ("A150", "Tuberculosis of lung, confirmed by sputum microscopy with or without culture", true),
    ("B354", "Tinea corporis", true),
    ("B829", "Intestinal parasitism, unspecified", true),
    ("D509", "Iron deficiency anaemia, unspecified", true),
    ("E119", "Non-insulin-dependent diabetes mellitus without complications", true),
    ("G439", "Migraine, unspecified", true),
    ("H109", "Conjunctivitis, unspecified", false),
    ("H609", "Otitis externa, unspecified", true),
    ("I10", "Essential (primary) hypertension", false),
    ("I64", "Stroke, not specified as haemorrhage or infarction", false),
    ("J00", "Acute nasopharyngitis [common cold]", false),
    ("J029", "Acute pharyngitis, unspecified", true),
    ("J069", "Acute upper respiratory infection, unspecified", false),
    ("J189", "Pneumonia, unspecified", true),
    ("J459", "Asthma, unspecified", true),
    ("K040", "Pulpitis", true),
    ("K041", "Necrosis of pulp", true),
    ("K051", "Chronic gingivitis", true),
    ("K296", "Other gastritis", true),
    ("K297", "Gastritis, unspecified", false),
    ("K359", "Acute appendicitis, unspecified", false),
    ("L239", "Allergic contact dermatitis, unspecified cause", true),
    ("L309", "Dermatitis, unspecified", true),
    ("M791", "Myalgia", true),
    ("N185", "Chronic kidney disease, stage 5", false),
    ("N390", "Urinary tract infection, site not specified", true),
    ("R509", "Fever, unspecified", false),
    ("R51", "Headache", true),
    ("T141", "Open wound of unspecified body region", true),
    ("Z000", "General medical examination", true),
    ("Z304", "Surveillance of contraceptive drugs", true),
    ("Z349", "Supervision of normal pregnancy, unspecified", true),
];

const DOCTORS: &[(&str, &str)] =
    &[("001", "dr. Contoh Satu"), ("002", "dr. Contoh Dua"), ("73229", "dr. Contoh Tiga"), ("000001", "drg. Contoh")];

/// Clinics of the facility: code, name, whether it takes the sick. The place in this list is the letter of `noUrut`.
const CLINICS: &[(&str, &str, bool)] = &[
    ("001", "Umum", true),
    ("002", "Gigi", true),
    ("003", "K I A", true),
    ("004", "Laboratorium", true),
    ("020", "Konseling", false),
    ("021", "Kunjungan Sehat", false),
];

const CONSCIOUSNESS: &[(&str, &str)] =
    &[("01", "Compos mentis"), ("02", "Somnolence"), ("03", "Sopor"), ("04", "Coma")];

const PROGNOSES: &[(&str, &str)] = &[
    ("01", "Sanam (Sembuh)"),
    ("02", "Bonam (Baik)"),
    ("03", "Malam (Buruk/Jelek)"),
    ("04", "Dubia Ad Sanam/Bolam (Tidak tentu/Ragu-ragu, Cenderung Sembuh/Baik)"),
    ("05", "Dubia Ad Malam (Tidak tentu/Ragu-ragu, Cenderung Buruk/Jelek)"),
];

const ALLERGY_FOOD: &[(&str, &str)] = &[
    ("00", "Tidak Ada"),
    ("01", "Seafood"),
    ("02", "Gandum"),
    ("03", "Susu Sapi"),
    ("04", "Kacang-Kacangan"),
    ("05", "Makanan Lain"),
];
const ALLERGY_AIR: &[(&str, &str)] =
    &[("00", "Tidak ada"), ("01", "Udara Panas"), ("02", "Udara Dingin"), ("03", "Udara Kotor")];
const ALLERGY_DRUG: &[(&str, &str)] = &[
    ("00", "Tidak ada"),
    ("01", "Antibiotik"),
    ("02", "Antiinflamasi"),
    ("03", "Non Steroid"),
    ("04", "Aspirin"),
    ("05", "Kortikosteroid"),
    ("06", "Insulin"),
    ("07", "Obat-obat lain"),
];

const DISCHARGES: &[(&str, &str)] = &[
    ("0", "Sembuh"),
    ("1", "Meninggal"),
    ("2", "Pulang Paksa"),
    ("3", "Berobat Jalan"),
    ("4", "Rujuk Lanjut"),
    ("5", "Rujuk Internal"),
    ("6", "Rujuk Internal"),
    ("9", "Lain-lain"),
];

const PROVIDERS: &[(&str, &str)] = &[
    ("0114A026", "PKM CONTOH"),
    ("09020107", "PKM TETANGGA"),
    ("0114U163", "KLINIK CONTOH"),
    ("9999X001", "PUSKESMAS CONTOH"),
];

const SPECIALTIES: &[(&str, &str)] = &[
    ("ANA", "ANAK"),
    ("AND", "ANDROLOGI"),
    ("INT", "PENYAKIT DALAM"),
    ("OBG", "OBSTETRI DAN GINEKOLOGI"),
    ("MAT", "MATA"),
    ("BED", "BEDAH"),
];

/// Subspecialties: specialty, code, name, clinic at the hospital.
const SUBSPECIALTIES: &[(&str, &str, &str, &str)] = &[
    ("ANA", "26", "ANAK", "ANA"),
    ("ANA", "27", "ANAK ALERGI IMUNOLOGI", "027"),
    ("ANA", "30", "ANAK HEMATOLOGI ONKOLOGI", "030"),
    ("AND", "32", "ANDROLOGI", "AND"),
    ("INT", "3", "PENYAKIT DALAM", "INT"),
    ("INT", "8", "HEMATOLOGI - ONKOLOGI MEDIK", "008"),
    ("INT", "16", "JANTUNG DAN PEMBULUH DARAH", "JAN"),
    ("OBG", "40", "OBSTETRI DAN GINEKOLOGI", "OBG"),
    ("MAT", "50", "MATA", "MAT"),
    ("BED", "60", "BEDAH", "BED"),
];

const MEANS: &[(&str, &str)] = &[("1", "Rekam Medik"), ("2", "Laboratorium"), ("3", "Radiologi")];

const SPECIAL: &[(&str, &str)] = &[
    ("HDL", "HEMODIALISA"),
    ("THA", "THALASEMIA"),
    ("HEM", "HEMOFILI"),
    ("IGD", "ALIH RAWAT"),
    ("JIW", "JIWA"),
    ("KLT", "KUSTA"),
    ("PAR", "TB-MDR"),
    ("KEM", "SARANA KEMOTERAPI"),
    ("RAT", "SARANA RADIOTERAPI"),
    ("HIV", "HIV-ODHA"),
];

/// Hospitals: code, name, class, metres away.
const HOSPITALS: &[(&str, &str, &str, f64)] = &[
    ("0114R049", "RSUD CONTOH", "C", 951.0729),
    ("0114R052", "RS BHAKTI CONTOH", "D", 2750.5),
    ("9999R001", "RSUD JAUH", "B", 18_400.0),
    ("9999R002", "RS GINJAL CONTOH", "C", 21_030.25),
];

/// Treatments: code, name as BPJS stores it, highest tariff, whether `hasil` carries a value, kdTkp.
const TREATMENTS: &[(&str, &str, u32, bool, &str)] = &[
    ("01006", "Pelayanan KB : Suntik\r\n", 20_000, false, "10"),
    ("01010", "Pemeriksaan ANC", 50_000, false, "10"),
    ("01021", "Tumpatan gigi", 0, false, "10"),
    ("01022", "Pencabutan gigi", 0, false, "10"),
    ("02001", "Rawat inap per hari", 200_000, false, "20"),
    ("02005", "Persalinan pervaginam normal", 800_000, false, "20"),
    ("05001", "Gula darah puasa", 20_000, true, "10"),
    ("05002", "Gula darah sewaktu", 20_000, true, "10"),
    ("09001", "Penyuluhan kelompok", 0, false, "50"),
];

const DRUGS: &[(&str, &str)] = &[
    ("130103595", "Parasetamol tab 500 mg"),
    ("130107777", "Antasida DOEN tab"),
    ("130104444", "Amoksisilin kaps 500 mg"),
    ("130101234", "Klorfeniramin tab 4 mg"),
    ("130102222", "Metformin tab 500 mg"),
    ("130105678", "Amlodipin tab 5 mg"),
    ("130199999", "Kapsul Kosong"),
];

/// The Prolanis clubs: clubId, kdProgram, name.
const CLUBS: &[(u64, &str, &str)] = &[(36, "01", "Club DM satu"), (37, "02", "Club HT satu")];
const PROGRAMMES: &[(&str, &str)] = &[("01", "Diabetes Melitus"), ("02", "Hipertensi"), ("03", "Non-Prolanis")];
const ACTIVITIES: &[(&str, &str)] = &[("01", "Senam"), ("10", "Penyuluhan"), ("11", "Penyuluhan dan Senam")];
const CARE_KINDS: &[(&str, &str)] = &[("10", "RJTP"), ("20", "RITP"), ("50", "Promotif")];

fn named(list: &[(&'static str, &'static str)], code: &str) -> Option<&'static str> {
    list.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

fn rows(list: &[(&str, &str)], code: &str, name: &str) -> Vec<Value> {
    list.iter().map(|(kd, nm)| json!({ code: kd, name: nm })).collect()
}

/// A code without its dot, in capitals.
pub(crate) fn plain_code(code: &str) -> String {
    code.chars().filter(|c| *c != '.').collect::<String>().to_ascii_uppercase()
}

/// A code with its dot, as the referral letter prints it.
pub(crate) fn dotted_code(code: &str) -> String {
    let plain = plain_code(code);
    match plain.split_at_checked(3) {
        Some((head, tail)) if !tail.is_empty() => format!("{head}.{tail}"),
        _ => plain,
    }
}

/// A diagnosis: its code as BPJS stores it, its name, `nonSpesialis`. Well-formed unlisted codes are accepted.
pub(crate) fn diagnosis(code: &str) -> Option<(String, String, bool)> {
    let plain = plain_code(code);
    if let Some((known, name, primary)) = DIAGNOSES.iter().find(|(known, _, _)| *known == plain) {
        return Some(((*known).to_owned(), (*name).to_owned(), *primary));
    }
    let bytes = plain.as_bytes();
    let shaped =
        (3..=5).contains(&bytes.len()) && bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_digit);
    shaped.then(|| (plain.clone(), format!("Diagnosa {}", dotted_code(&plain)), false))
}

pub(crate) fn diagnoses(keyword: &str) -> Vec<Value> {
    let (code, name) = (plain_code(keyword), keyword.to_lowercase());
    DIAGNOSES
        .iter()
        .filter(|(kd, nm, _)| kd.starts_with(&code) || nm.to_lowercase().contains(&name))
        .map(|(kd, nm, primary)| json!({ "kdDiag": kd, "nmDiag": nm, "nonSpesialis": primary }))
        .collect()
}

pub(crate) fn doctors() -> Vec<Value> {
    rows(DOCTORS, "kdDokter", "nmDokter")
}

pub(crate) fn doctor(code: &str) -> Option<&'static str> {
    named(DOCTORS, code)
}

pub(crate) fn clinics() -> Vec<Value> {
    CLINICS.iter().map(|(kd, nm, sick)| json!({ "kdPoli": kd, "nmPoli": nm, "poliSakit": sick })).collect()
}

/// A clinic: its letter in queue numbers, its name, whether it takes the sick.
pub(crate) fn clinic(code: &str) -> Option<(char, &'static str, bool)> {
    ('A'..='Z')
        .zip(CLINICS)
        .find(|(_, (known, _, _))| *known == code)
        .map(|(letter, (_, nm, sick))| (letter, *nm, *sick))
}

pub(crate) fn consciousness_levels() -> Vec<Value> {
    rows(CONSCIOUSNESS, "kdSadar", "nmSadar")
}

pub(crate) fn consciousness(code: &str) -> Option<&'static str> {
    named(CONSCIOUSNESS, code)
}

pub(crate) fn prognoses() -> Vec<Value> {
    rows(PROGNOSES, "kdPrognosa", "nmPrognosa")
}

pub(crate) fn prognosis_known(code: &str) -> bool {
    named(PROGNOSES, code).is_some()
}

fn allergy_list(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "01" => ALLERGY_FOOD,
        "02" => ALLERGY_AIR,
        "03" => ALLERGY_DRUG,
        _ => &[],
    }
}

pub(crate) fn allergies(kind: &str) -> Vec<Value> {
    rows(allergy_list(kind), "kdAlergi", "nmAlergi")
}

pub(crate) fn allergy_known(kind: &str, code: &str) -> bool {
    named(allergy_list(kind), code).is_some()
}

/// The discharge list of an outpatient (3, 4, internal referral) or of an inpatient.
pub(crate) fn discharges(inpatient: bool, internal: &str) -> Vec<Value> {
    let shown =
        |code: &str| if inpatient { !matches!(code, "5" | "6") } else { matches!(code, "3" | "4") || code == internal };
    DISCHARGES
        .iter()
        .filter(|(kd, _)| shown(kd))
        .map(|(kd, nm)| json!({ "kdStatusPulang": kd, "nmStatusPulang": nm }))
        .collect()
}

pub(crate) fn discharge(code: &str) -> Option<&'static str> {
    named(DISCHARGES, code)
}

/// The providers around the facility, which itself always is one.
pub(crate) fn providers(facility: &str) -> Vec<Value> {
    let own =
        named(PROVIDERS, facility).is_none().then(|| json!({ "kdProvider": facility, "nmProvider": "PKM CONTOH" }));
    own.into_iter().chain(rows(PROVIDERS, "kdProvider", "nmProvider")).collect()
}

pub(crate) fn provider(facility: &str, code: &str) -> Option<&'static str> {
    named(PROVIDERS, code).or_else(|| (code == facility).then_some("PKM CONTOH"))
}

pub(crate) fn specialties() -> Vec<Value> {
    rows(SPECIALTIES, "kdSpesialis", "nmSpesialis")
}

pub(crate) fn subspecialties(specialty: &str) -> Vec<Value> {
    SUBSPECIALTIES
        .iter()
        .filter(|(kd, ..)| kd.eq_ignore_ascii_case(specialty))
        .map(|(_, kd, nm, poli)| json!({ "kdSubSpesialis": kd, "nmSubSpesialis": nm, "kdPoliRujuk": poli }))
        .collect()
}

/// The hospital clinic behind a subspecialty: code and name.
pub(crate) fn hospital_clinic(sub: &str) -> Option<(&'static str, &'static str)> {
    SUBSPECIALTIES.iter().find(|(_, kd, ..)| *kd == sub).map(|(_, _, nm, poli)| (*poli, *nm))
}

pub(crate) fn means() -> Vec<Value> {
    rows(MEANS, "kdSarana", "nmSarana")
}

/// `0` is what user interfaces send for "do not know".
pub(crate) fn means_known(code: &str) -> bool {
    code == "0" || named(MEANS, code).is_some()
}

pub(crate) fn special_conditions() -> Vec<Value> {
    rows(SPECIAL, "kdKhusus", "nmKhusus")
}

pub(crate) fn special_condition(code: &str) -> Option<&'static str> {
    named(SPECIAL, &code.to_ascii_uppercase())
}

pub(crate) fn hospital(code: &str) -> Option<&'static str> {
    HOSPITALS.iter().find(|(kd, ..)| *kd == code).map(|(_, nm, ..)| *nm)
}

pub(crate) fn hospitals() -> Vec<Value> {
    HOSPITALS
        .iter()
        .map(|(kd, nm, class, metres)| {
            json!({ "kdppk": kd, "nmppk": nm, "alamatPpk": "JL. CONTOH NO. 1", "telpPpk": "021-0000000", "kelas": class,
                "nmkc": "KOTA CONTOH", "distance": metres,
                "jadwal": "Senin : 07:30 - 14:00, 08:00 - 17:00;14:00 - 19:00",
                "jmlRujuk": 0, "kapasitas": 0, "persentase": 0 })
        })
        .collect()
}

pub(crate) fn treatments(kd_tkp: &str) -> Vec<Value> {
    TREATMENTS
        .iter()
        .filter(|(.., tkp)| *tkp == kd_tkp)
        .map(|(kd, nm, tariff, value, _)| {
            json!({ "kdTindakan": kd, "nmTindakan": nm, "maxTarif": tariff,
        "withValue": value })
        })
        .collect()
}

pub(crate) fn treatment(code: &str) -> Option<&'static str> {
    TREATMENTS.iter().find(|(kd, ..)| *kd == code).map(|(_, nm, ..)| *nm)
}

pub(crate) fn drugs(keyword: &str) -> Vec<Value> {
    let wanted = keyword.to_lowercase();
    DRUGS
        .iter()
        .filter(|(kd, nm)| kd.starts_with(keyword) || nm.to_lowercase().contains(&wanted))
        .map(|(kd, nm)| json!({ "kdObat": kd, "nmObat": nm, "sedia": 100 }))
        .collect()
}

/// The same drugs as the stock of a pharmacy.
pub(crate) fn pharmacy_stock(keyword: &str) -> Vec<Value> {
    let wanted = keyword.to_lowercase();
    DRUGS
        .iter()
        .filter(|(_, nm)| nm.to_lowercase().contains(&wanted))
        .map(|(kd, nm)| json!({ "kdObat": kd, "nmObat": nm, "sediaan": "TABLET", "stok": 100 }))
        .collect()
}

/// A drug of the national list; nine digits that are not listed are accepted under a made-up name.
pub(crate) fn drug(code: &str) -> Option<String> {
    let shaped = code.len() == 9 && code.bytes().all(|b| b.is_ascii_digit());
    named(DRUGS, code).map(str::to_owned).or_else(|| shaped.then(|| format!("Obat {code}")))
}

fn club_row((id, programme, name): &(u64, &str, &str)) -> Value {
    json!({ "clubId": id, "jnsKelompok": { "kdProgram": programme, "nmProgram": named(PROGRAMMES, programme) },
        "tglMulai": "01-01-2024", "tglAkhir": null, "alamat": "JL. CONTOH NO. 1", "nama": name,
        "ketua_noHP": "081200000000", "ketua_nama": "KETUA CONTOH" })
}

pub(crate) fn clubs(programme: &str) -> Vec<Value> {
    CLUBS.iter().filter(|(_, kd, _)| *kd == programme).map(club_row).collect()
}

pub(crate) fn club(id: u64) -> Option<Value> {
    CLUBS.iter().find(|(known, ..)| *known == id).map(club_row)
}

pub(crate) fn programme(code: &str) -> Option<&'static str> {
    named(PROGRAMMES, code)
}

pub(crate) fn activity(code: &str) -> Option<&'static str> {
    named(ACTIVITIES, code)
}

pub(crate) fn care_kind(code: &str) -> Option<&'static str> {
    named(CARE_KINDS, code)
}

/// Whether `reason` is one that the TACC `code` allows: fixed words, or a diagnosis and its name for complications.
pub(crate) fn tacc_reason_fits(code: &str, reason: &str) -> bool {
    match code {
        "1" | "4" => matches!(reason, "< 3 Hari" | ">= 3 - 7 Hari" | ">= 7 Hari"),
        "2" => matches!(
            reason,
            "< 1 Bulan"
                | ">= 1 Bulan s/d < 12 Bulan"
                | ">= 1 Tahun s/d < 5 Tahun"
                | ">= 5 Tahun s/d < 12 Tahun"
                | ">= 12 Tahun s/d < 55 Tahun"
                | ">= 55 Tahun"
        ),
        "3" => reason
            .split_once(" - ")
            .and_then(|(kd, nm)| diagnosis(kd).map(|(_, known, _)| known == nm || known.starts_with("Diagnosa ")))
            .unwrap_or(false),
        _ => false,
    }
}
