use super::*;
use crate::simulator::rules::Rules;

const TODAY: &str = "21-11-2026";
const CARD: &str = "0009900000000";

fn at() -> Moment {
    let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    Moment { now, today: date(TODAY).unwrap(), visible_from: now, origin: Origin::WebService }
}

fn world() -> World {
    World::new(1, "0114A026", Rules::default())
}

fn patched(mut body: Value, patch: &Value) -> Value {
    for (field, value) in patch.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

fn registration(patch: &Value) -> Value {
    let body = json!({ "kdProviderPeserta": "0114A026", "tglDaftar": TODAY, "noKartu": CARD, "kdPoli": "001",
    "keluhan": null,
        "kunjSakit": true, "sistole": 0, "diastole": 0, "beratBadan": 0, "tinggiBadan": 0, "respRate": 0,
        "lingkarPerut": 0,
        "heartRate": 0, "rujukBalik": 0, "kdTkp": "10" });
    patched(body, patch)
}

fn visit(patch: &Value) -> Value {
    let body = json!({ "noKunjungan": null, "noKartu": CARD, "tglDaftar": TODAY, "kdPoli": "001", "keluhan": "demam",
    "kdSadar": "01",
        "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 165, "respRate": 20, "heartRate": 84,
        "lingkarPerut": 80,
        "kdStatusPulang": "3", "tglPulang": TODAY, "kdDokter": "001", "kdDiag1": "J06.9", "kdDiag2": null,
        "kdDiag3": null,
        "kdPoliRujukInternal": null, "rujukLanjut": null, "kdTacc": -1, "alasanTacc": null, "anamnesa": "demam",
        "alergiMakan": "00",
        "alergiUdara": "00", "alergiObat": "00", "kdPrognosa": "01", "terapiObat": "-", "terapiNonObat": "-",
        "bmhp": "-", "suhu": "37,8" });
    patched(body, patch)
}

fn referred(patch: &Value) -> Value {
    let referral = json!({ "tglEstRujuk": "22-11-2026", "kdppk": "0114R049",
    "subSpesialis": { "kdSubSpesialis1": "26", "kdSarana": null },
        "khusus": null });
    visit(&patched(json!({ "kdStatusPulang": "4", "rujukLanjut": referral }), patch))
}

fn with_visit() -> (World, String) {
    let mut world = world();
    world.register(&at(), &registration(&json!({}))).unwrap();
    let number = created(&world.add_visit(&at(), &visit(&json!({}))).unwrap());
    (world, number)
}

fn created(done: &Done) -> String {
    let Done::Created(value) = done else { panic!("nothing was created") };
    let value = value.get(0).unwrap_or(value);
    value["message"].as_str().unwrap().to_owned()
}

fn rows(outcome: Outcome) -> Vec<Value> {
    let Ok(Done::Found(found)) = outcome else { return Vec::new() };
    found["list"].as_array().unwrap().clone()
}

fn refusal(code: i64, message: &str, response: Value) -> Outcome {
    Err(Refusal { code, message: message.to_owned(), response })
}

fn array(field: &str, message: &str) -> Outcome {
    refusal(412, "PRECONDITION_FAILED", json!([{ "field": field, "message": message }]))
}

fn object(field: &str, message: &str) -> Outcome {
    refusal(412, "PRECONDITION_FAILED", json!({ "field": field, "message": message }))
}

#[test]
fn queue_numbers_run_per_clinic_and_day() {
    let mut world = world();
    let mut add = |patch: Value| created(&world.register(&at(), &registration(&patch)).unwrap());
    assert_eq!(add(json!({})), "A1");
    assert_eq!(add(json!({ "noKartu": "0009900000001" })), "A2");
    assert_eq!(add(json!({ "kdPoli": "002" })), "B1");
    assert_eq!(add(json!({ "tglDaftar": "20-11-2026" })), "A1");
}

#[test]
fn a_second_registration_is_a_duplicate_with_code_401() {
    let mut world = world();
    world.register(&at(), &registration(&json!({}))).unwrap();
    let again = world.register(&at(), &registration(&json!({ "keluhan": "lain" })));
    assert_eq!(again, refusal(401, "Peserta sudah di-entri di poli yang sama pada hari yang sama.", Value::Null));
    assert_eq!(world.registrations.len(), 1);
}

#[test]
fn registrations_are_refused_with_one_object() {
    let reference = "Tidak sesuai dengan referensi sistem.";
    for (patch, field, message) in [
        (json!({ "kdProviderPeserta": null }), "kdProviderPeserta", reference),
        (json!({ "kdProviderPeserta": "0000X000" }), "kdProviderPeserta", reference),
        (json!({ "tglDaftar": "22-11-2026" }), "tglDaftar", texts::FUTURE),
        (json!({ "tglDaftar": "2026-11-21" }), "tglDaftar", texts::DATE_FORMAT),
        (json!({ "noKartu": "00099000000" }), "noKartu", texts::CARD_FORMAT),
        (json!({ "noKartu": "00099000000A0" }), "noKartu", texts::CARD_FORMAT),
        (json!({ "noKartu": "7777700000000" }), "noKartu", "noKartu peserta tidak ditemukan"),
        (json!({ "kdPoli": "" }), "kdPoli", "kode poli harus diisi"),
        (json!({ "kdPoli": "036" }), "kdPoli", reference),
        (json!({ "kdPoli": "020" }), "kunjSakit", texts::SICK_MISMATCH),
        (json!({ "kdTkp": "30" }), "kdTkp", reference),
    ] {
        let mut world = world();
        assert_eq!(world.register(&at(), &registration(&patch)), object(field, message), "{patch}");
        assert!(world.registrations.is_empty());
    }
}

#[test]
fn a_member_without_screening_is_refused_with_code_401() {
    let mut world = world();
    world.change_member(CARD, json!({ "skrining": false }).as_object().unwrap());
    let text = "Anda belum melakukan skrining kesehatan. \
        Mohon untuk melakukan skrining kesehatan terlebih dahulu pada menu Skrining Kesehatan.";
    assert_eq!(world.register(&at(), &registration(&json!({}))), refusal(401, text, Value::Null));
}

#[test]
fn switches_change_what_registrations_are_refused_for() {
    let mut world = world();
    world.rules.unknown_poli_is_500 = true;
    world.rules.backdate_days = Some(2);
    world.rules.refuse_inactive = true;
    world.change_member("0009900000001", json!({ "aktif": false }).as_object().unwrap());
    let text = "kdPoli Tidak sesuai dengan referensi sistem";
    assert_eq!(world.register(&at(), &registration(&json!({ "kdPoli": "036" }))), refusal(500, text, Value::Null));
    let inactive = world.register(&at(), &registration(&json!({ "noKartu": "0009900000001" })));
    assert_eq!(inactive, object("noKartu", texts::INACTIVE));
    assert!(world.register(&at(), &registration(&json!({ "tglDaftar": "19-11-2026" }))).is_ok());
    let old = world.register(&at(), &registration(&json!({ "tglDaftar": "18-11-2026" })));
    assert_eq!(old, object("tglDaftar", texts::TOO_OLD));
}

#[test]
fn a_visit_serves_its_registration_and_its_deletion_frees_it() {
    let (mut world, number) = with_visit();
    assert_eq!(number, "0114A0261126Y000001");
    let status = |world: &World| rows(world.registrations_of(&at(), TODAY, "0", "10"))[0]["status"].clone();
    assert_eq!(status(&world), "Sudah dilayani");
    assert_eq!(world.unregister(CARD, TODAY, "A1", "001"), object("noUrut", texts::ALREADY_SERVED));
    let drug = json!({ "noKunjungan": number, "racikan": false, "obatDPHO": true, "kdObat": "130103595", "signa1": 3,
    "signa2": 1, "jmlObat": 10 });
    world.add_child(&at(), ChildKind::Drug, &drug).unwrap();

    assert_eq!(world.delete_visit(&at(), &number), Ok(Done::Changed(Value::Null)));
    assert_eq!(status(&world), "Baru");
    assert_eq!(world.children(&at(), ChildKind::Drug, &number), Err(Refusal::nothing()));
    assert_eq!(world.history(&at(), CARD), Err(Refusal::nothing()));
    assert_eq!(world.delete_visit(&at(), &number), Err(Refusal::nothing()));
    let next = created(&world.add_visit(&at(), &visit(&json!({}))).unwrap());
    assert_eq!(next, "0114A0261126Y000002", "numbers are never given twice");
    world.delete_visit(&at(), &next).unwrap();
    assert_eq!(world.unregister(CARD, TODAY, "a1", "001"), Ok(Done::Changed(json!(""))));
    assert_eq!(world.unregister(CARD, TODAY, "A1", "001"), Err(Refusal::nothing()));
}

#[test]
fn a_visit_needs_its_registration_and_is_taken_once() {
    let mut world = world();
    let missing = array("noKartu", "Belum melakukan pendaftaran pada poli tersebut.");
    assert_eq!(world.add_visit(&at(), &visit(&json!({}))), missing);
    world.register(&at(), &registration(&json!({}))).unwrap();
    assert_eq!(world.add_visit(&at(), &visit(&json!({ "kdPoli": "002" }))), missing);
    world.add_visit(&at(), &visit(&json!({}))).unwrap();
    let again = world.add_visit(&at(), &visit(&json!({})));
    assert_eq!(again, array("noKartu", "Peserta sudah di-entri di poli yang sama pada hari yang sama."));
}

#[test]
fn visits_are_refused_with_an_array() {
    let reference = "Tidak sesuai dengan referensi sistem.";
    for (body, field, message) in [
        (visit(&json!({ "kdDokter": "999" })), "kdDokter", reference),
        (visit(&json!({ "kdDiag1": "XYZ" })), "kdDiag1", reference),
        (visit(&json!({ "kdDiag2": "??" })), "kdDiag2", reference),
        (visit(&json!({ "kdSadar": "09" })), "kdSadar", reference),
        (visit(&json!({ "kdPrognosa": "09" })), "kdPrognosa", reference),
        (visit(&json!({ "alergiMakan": "99" })), "alergiMakan", reference),
        (visit(&json!({ "beratBadan": 0 })), "beratBadan", texts::VITALS),
        (visit(&json!({ "sistole": "tinggi" })), "sistole", texts::VITALS),
        (visit(&json!({ "suhu": "368" })), "suhu", texts::VITALS),
        (visit(&json!({ "tglDaftar": "22-11-2026" })), "tglDaftar", texts::FUTURE),
        (visit(&json!({ "tglPulang": "20-11-2026" })), "tglPulang", texts::DISCHARGE_DATE),
        (referred(&json!({ "kdDiag1": "A09" })), "kdTacc", texts::TACC_REQUIRED),
        (referred(&json!({ "kdDiag1": "A09", "kdTacc": "1", "alasanTacc": "lama" })), "alasanTacc", texts::TACC_REASON),
        (
            referred(&json!({ "kdDiag1": "A09", "kdTacc": 3, "alasanTacc": "A09-Diare" })),
            "alasanTacc",
            texts::TACC_REASON,
        ),
    ] {
        let mut world = world();
        world.register(&at(), &registration(&json!({}))).unwrap();
        assert_eq!(world.add_visit(&at(), &body), array(field, message), "{field}: {message}");
        assert!(world.visits.is_empty());
    }
}

#[test]
fn the_habits_of_many_clients_are_accepted() {
    for body in [
        visit(&json!({ "suhu": "37.2", "sistole": "120", "kdTacc": "-1", "kdDiag1": "J069" })),
        visit(&json!({ "suhu": 36, "alergiMakan": null, "rujukLanjut": { "tglEstRujuk": null, "kdppk": null,
            "subSpesialis": null, "khusus": null } })),
        referred(&json!({ "kdDiag1": "A09", "kdTacc": "1", "alasanTacc": "< 3 Hari" })),
        referred(&json!({ "kdDiag1": "E11.9", "kdTacc": 3,
            "alasanTacc": "A09 - Diarrhoea and gastroenteritis of presumed infectious origin" })),
        visit(&json!({ "kdStatusPulang": "4", "kdPoli": null, "kdDiag1": "N18.5", "kdTacc": 0, "beratBadan": 0,
            "tinggiBadan": 0,
            "rujukLanjut": { "tglEstRujuk": TODAY, "kdppk": "9999R002", "subSpesialis": null,
                "khusus": { "kdKhusus": "HDL", "kdSubSpesialis": null, "catatan": "sudah biasa hemodialisa" } } })),
    ] {
        let mut world = world();
        world.register(&at(), &registration(&json!({}))).unwrap();
        assert!(world.add_visit(&at(), &body).is_ok(), "{body}");
    }
}

#[test]
fn a_referral_without_its_object_meets_a_null() {
    let mut world = world();
    world.register(&at(), &registration(&json!({}))).unwrap();
    let null = refusal(500, "Object reference not set to an instance of an object.", Value::Null);
    assert_eq!(world.add_visit(&at(), &visit(&json!({ "kdStatusPulang": "4" }))), null);
    world.rules.strict_null_referral = true;
    let jvalue = refusal(500, "Cannot access child value on Newtonsoft.Json.Linq.JValue.", Value::Null);
    assert_eq!(world.add_visit(&at(), &visit(&json!({}))), jvalue);
}

#[test]
fn a_referral_may_not_be_planned_before_the_visit() {
    let mut world = world();
    world.register(&at(), &registration(&json!({}))).unwrap();
    let mut body = referred(&json!({}));
    body["rujukLanjut"]["tglEstRujuk"] = json!("20-11-2026");
    assert_eq!(world.add_visit(&at(), &body), array("tglEstRujuk", texts::REFERRAL_DATE));
}

#[test]
fn locked_visits_stay_as_they_are() {
    let (mut world, number) = with_visit();
    let locked =
        array("noKunjungan", "Transaksi dikunci karena sudah ditagihkan atau data > 3 bulan atau sudah dilayani RS");
    let edit = visit(&json!({ "noKunjungan": number }));
    let later = Moment { today: date("22-02-2027").unwrap(), ..at() };
    assert_eq!(world.edit_visit(&later, &edit), locked);
    assert!(world.lock_visit(&number, true, false));
    assert_eq!(world.edit_visit(&at(), &edit), locked);
    assert_eq!(world.delete_visit(&at(), &number), locked);
    assert!(world.lock_visit(&number, false, true));
    assert_eq!(world.delete_visit(&at(), &number), refusal(428, "Data Rujukan sudah dilayani di RS", Value::Null));
    assert!(world.lock_visit(&number, false, false));
    assert_eq!(world.edit_visit(&at(), &edit), Ok(Done::Changed(Value::Null)));
}

#[test]
fn an_edit_shows_in_the_history() {
    let (mut world, number) = with_visit();
    let mut edit = visit(&json!({ "noKunjungan": number, "kdDiag1": "I10", "keluhan": "pusing" }));
    edit = people::without(edit, &["tglDaftar", "kdPoli"]);
    world.edit_visit(&at(), &edit).unwrap();
    let history = rows(world.history(&at(), CARD));
    assert_eq!(
        history[0]["diagnosa1"],
        json!({ "kdDiag": "I10", "nmDiag": "Essential (primary) hypertension", "nonSpesialis": false })
    );
    assert_eq!((&history[0]["keluhan"], &history[0]["poli"]["kdPoli"]), (&json!("pusing"), &json!("001")));
    assert!(history[0].get("noUrut").is_none());
}

#[test]
fn history_is_newest_first_and_shows_visits_elsewhere() {
    let (mut world, number) = with_visit();
    let staff = Moment { origin: Origin::Staff, ..at() };
    let elsewhere = visit(&json!({ "kdProvider": "09020107", "tglDaftar": "20-11-2026", "tglPulang": "20-11-2026" }));
    world.add_visit(&staff, &elsewhere).unwrap();
    let history = rows(world.history(&at(), CARD));
    assert_eq!(history.len(), 2);
    assert_eq!(history[0]["noKunjungan"], json!(number));
    assert_eq!(history[1]["providerPelayanan"]["kdProvider"], "09020107");
}

#[test]
fn bpjs_takes_the_same_drug_twice_unless_switched() {
    let (mut world, number) = with_visit();
    let drug = json!({ "kdObatSK": 0, "noKunjungan": number, "racikan": false, "kdRacikan": null, "obatDPHO": true,
    "kdObat": "130103595",
        "signa1": 3, "signa2": 1, "jmlObat": 10, "jmlPermintaan": 10, "nmObatNonDPHO": "" });
    let first = world.add_child(&at(), ChildKind::Drug, &drug).unwrap();
    assert_eq!(
        first,
        Done::Created(json!([{ "field": "kdObatSK", "message": "1" }, { "field": "kdRacikan", "message": "N" }]))
    );
    world.add_child(&at(), ChildKind::Drug, &drug).unwrap();
    let list = rows(world.children(&at(), ChildKind::Drug, &number));
    assert_eq!((list.len(), &list[0]["jmlHari"]), (2, &json!(3)));
    world.rules.refuse_same_children = true;
    let other = patched(drug.clone(), &json!({ "kdObat": "130107777" }));
    world.add_child(&at(), ChildKind::Drug, &other).unwrap();
    assert_eq!(world.add_child(&at(), ChildKind::Drug, &other), object("kdObatSK", texts::SAME_AGAIN));
}

#[test]
fn compounds_get_a_code_that_their_parts_share() {
    let (mut world, number) = with_visit();
    let part = |code: Value| {
        json!({ "noKunjungan": number, "racikan": true, "kdRacikan": code, "obatDPHO": false,
    "nmObatNonDPHO": "puyer", "signa1": 3, "signa2": 1, "jmlObat": 9 })
    };
    let code = |done: Done| {
        let Done::Created(value) = done else { panic!("nothing was created") };
        value[1]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(world.add_child(&at(), ChildKind::Drug, &part(Value::Null)).unwrap()), "R.01");
    assert_eq!(code(world.add_child(&at(), ChildKind::Drug, &part(json!("R.01"))).unwrap()), "R.01");
    assert_eq!(code(world.add_child(&at(), ChildKind::Drug, &part(Value::Null)).unwrap()), "R.02");
    assert_eq!(rows(world.children(&at(), ChildKind::Drug, &number))[1]["obat"]["kdObat"], "NDPHO.02");
}

#[test]
fn children_need_a_visit_and_known_codes() {
    let (mut world, number) = with_visit();
    let reference = "Tidak sesuai dengan referensi sistem.";
    for (kind, body, field) in [
        (ChildKind::Treatment, json!({ "noKunjungan": "0114A0261126Y999999", "kdTindakan": "01006" }), "noKunjungan"),
        (ChildKind::Treatment, json!({ "noKunjungan": number, "kdTindakan": "xxxxx" }), "kdTindakan"),
        (ChildKind::Drug, json!({ "noKunjungan": number, "obatDPHO": true, "kdObat": "" }), "kdObat"),
        (ChildKind::Examination, json!({ "noKunjungan": number, "kdProvider": "0000X000" }), "kdProvider"),
    ] {
        assert_eq!(world.add_child(&at(), kind, &body), object(field, reference));
    }
    world.rules.keep_visits_with_children = true;
    world.add_child(&at(), ChildKind::Treatment, &json!({ "noKunjungan": number, "kdTindakan": "01006" })).unwrap();
    assert_eq!(world.delete_visit(&at(), &number), array("noKunjungan", texts::HAS_CHILDREN));
}

#[test]
fn activities_repeat_and_participants_do_not() {
    let mut world = world();
    let activity = json!({ "eduId": null, "clubId": 36, "tglPelayanan": TODAY, "kdKegiatan": "01", "kdKelompok": "01",
    "materi": "Senam", "biaya": 20000 });
    assert_eq!(created(&world.add_activity(&at(), &activity).unwrap()), "26110000001");
    assert_eq!(created(&world.add_activity(&at(), &activity).unwrap()), "26110000002");
    let person = json!({ "eduId": "26110000001", "noKartu": CARD });
    assert_eq!(world.add_participant(&at(), &person), Ok(Done::Created(Value::Null)));
    assert_eq!(world.add_participant(&at(), &person), object("noKartu", texts::SAME_AGAIN));
    let wrong = patched(activity, &json!({ "clubId": 99 }));
    assert_eq!(world.add_activity(&at(), &wrong), object("clubId", "Tidak sesuai dengan referensi sistem."));
    assert_eq!(rows(world.participants(&at(), "26110000001"))[0]["peserta"]["noKartu"], CARD);
    assert_eq!(rows(world.activities_of(&at(), "01-11-2026")).len(), 2);
    assert_eq!(world.delete_activity("26110000001"), Ok(Done::Changed(Value::Null)));
    assert_eq!(world.participants(&at(), "26110000001"), Err(Refusal::nothing()));
}

#[test]
fn what_is_hidden_has_landed_but_no_read_shows_it() {
    let mut world = world();
    let hidden = Moment { visible_from: at().now + std::time::Duration::from_secs(5), ..at() };
    world.register(&hidden, &registration(&json!({}))).unwrap();
    assert_eq!(world.registrations_of(&at(), TODAY, "0", "10"), Err(Refusal::nothing()));
    assert!(matches!(world.register(&at(), &registration(&json!({}))), Err(Refusal { code: 401, .. })));
    let later = Moment { now: hidden.visible_from, ..at() };
    assert_eq!(rows(world.registrations_of(&later, TODAY, "0", "10")).len(), 1);
}

#[test]
fn pages_count_the_whole_and_start_where_told() {
    let mut world = world();
    let page = |world: &World, start: &str, limit: &str| {
        let Ok(Done::Found(found)) = world.page(reference::clinics(), start, limit) else { return None };
        Some((
            found["count"].as_u64().unwrap(),
            found["list"].as_array().unwrap().len(),
            found["list"][0]["kdPoli"].clone(),
        ))
    };
    assert_eq!(page(&world, "0", "2"), Some((6, 2, json!("001"))));
    assert_eq!(page(&world, "4", "500"), Some((6, 2, json!("020"))));
    assert_eq!(page(&world, "6", "2"), None);
    assert_eq!(world.page(reference::clinics(), "a", "2"), refusal(400, texts::NOT_A_NUMBER, Value::Null));
    world.rules.first_row = 1;
    world.rules.max_rows = Some(1);
    assert_eq!(page(&world, "1", "2"), Some((6, 1, json!("001"))));
}

#[test]
fn members_are_made_up_alike_under_one_seed() {
    let by_seed = |seed| World::new(seed, "0114A026", Rules::default()).member_by_card(CARD);
    assert_eq!(by_seed(1), by_seed(1));
    assert_ne!(by_seed(1), by_seed(2));
    let world = world();
    assert_eq!(world.member_by_card("7777700000000"), Err(Refusal::nothing()));
    assert_eq!(world.member_by_card("000990000"), object("noKartu", texts::CARD_FORMAT));
    assert_eq!(world.member_by("nik", "12"), object("nik", texts::NIK_FORMAT));
    assert_eq!(world.member_by("nik", "9999999999999999"), Err(Refusal::nothing()));
    let Ok(Done::Found(by_card)) = world.member_by_card(CARD) else { panic!("the card is known") };
    let nik = by_card["noKTP"].as_str().unwrap();
    let Ok(Done::Found(by_nik)) = world.member_by("NIK", nik) else { panic!("the NIK is known") };
    assert_eq!(by_nik["noKartu"], by_card["noKartu"]);
    assert!(by_nik.get("pstProl").is_none());
}
