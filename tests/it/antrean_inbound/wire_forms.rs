//! Answers letter by letter as the catalogue prints them, and the sentences of refusals.

use jembatan::config::{EmptyStatus, StatusForm, UnknownPatient};
use jembatan::store::antrean::{BookingState, CallAsk, MoveAsk};

use super::*;

const TWICE: &str = "Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama";

async fn called(house: &House, label: &str) {
    let ask = CallAsk {
        facility: FACILITY.to_owned(),
        day: monday(),
        poli: "001".to_owned(),
        doctor: None,
        hours: None,
        label: label.to_owned(),
        now: house.clock.now(),
    };
    house.store.call_number(ask).await.unwrap();
}

#[tokio::test]
async fn a_booking_has_the_catalogues_types_in_both_generations() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    house.know(FACILITY, &[1, 2, 3]).await;
    let first = house.call(&login, "POST", "/antrean", Some(&v1(1))).await;
    assert_eq!(first.status, 200);
    assert_eq!(
        first.text,
        r#"{"response":{"nomorantrean":"A1","angkaantrean":"1","namapoli":"Poli Umum","sisaantrean":"0","antreanpanggil":"-","keterangan":"Apabila antrean terlewat harap mengambil antrean kembali."},"metadata":{"message":"Ok","code":200}}"#
    );
    let second = house.call(&login, "POST", "/antrean", Some(&v2(2))).await;
    assert_eq!(
        second.text,
        r#"{"response":{"nomorantrean":"A2","angkaantrean":2,"namapoli":"Poli Umum","sisaantrean":"1","antreanpanggil":"-","keterangan":"Apabila antrean terlewat harap mengambil antrean kembali."},"metadata":{"message":"Ok","code":200}}"#
    );
    house.call(&login, "POST", "/antrean", Some(&v2(3))).await;
    called(&house, "A1").await;
    let rest = house.call(&login, "GET", &format!("/antrean/sisapeserta/{}/001/2026-11-23", card(3)), None).await;
    assert_eq!(
        rest.text,
        r#"{"response":{"nomorantrean":"A3","namapoli":"Poli Umum","sisaantrean":"1","antreanpanggil":"A1","keterangan":""},"metadata":{"message":"Ok","code":200}}"#
    );
    let newer = house.call(&login, "GET", "/antrean/status/001/2026-11-23", None).await;
    assert_eq!(
        newer.text,
        r#"{"response":[{"namapoli":"Poli Umum","totalantrean":"3","sisaantrean":2,"antreanpanggil":"A1","keterangan":"","kodedokter":12345,"namadokter":"dr. Contoh","jampraktek":"08:00-12:00"}],"metadata":{"message":"Ok","code":200}}"#
    );
    let cancelled = house.call(&login, "PUT", "/antrean/batal", Some(&batal(2))).await;
    assert_eq!(cancelled.text, r#"{"metadata":{"message":"Ok","code":200}}"#);
}

#[tokio::test]
async fn the_older_status_is_one_object_of_texts_and_the_newer_is_under_v2_all_the_same() {
    let settings = AntreanInboundConfig {
        status_form: StatusForm::V1,
        base_path: "/antrean-fktp".to_owned(),
        ..AntreanInboundConfig::default()
    };
    let house = House::with(settings).await;
    let login = house.add("mjkn", FACILITY);
    let headers = [("X-USERNAME", login.name.as_str()), ("X-Password", login.password.as_str())];
    let got = house.send("GET", "/antrean-fktp/auth/", &headers, None).await;
    let login = Login { token: got.body["response"]["token"].as_str().unwrap().to_owned(), ..login };
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-10:00", 30), (2, "10:00-12:00", 30)]).await;
    let old = house.call(&login, "GET", "/antrean-fktp/antrean/status/001/2026-11-23", None).await;
    assert_eq!(
        old.text,
        r#"{"response":{"namapoli":"Poli Umum","totalantrean":"0","sisaantrean":"0","antreanpanggil":"-","keterangan":""},"metadata":{"message":"Ok","code":200}}"#
    );
    let new = house.call(&login, "GET", "/antrean-fktp/v2/Antrean/Status/001/2026-11-23/", None).await;
    assert_eq!(new.body["response"].as_array().unwrap().len(), 2, "{new:?}");
    let nowhere = house.call(&login, "GET", "/antrean/status/001/2026-11-23", None).await;
    assert_eq!((nowhere.status, nowhere.code()), (404, 201));
}

#[tokio::test]
async fn a_repeat_after_the_callers_own_timeout_is_told_so_and_takes_no_second_number() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 1)]).await;
    house.know(FACILITY, &[1]).await;
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(1))).await.code(), 200);
    // The quota is used up by this very booking: the repeat must still be told the truth.
    for _ in 0..2 {
        assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(1))).await.refusal(), (201, TWICE));
    }
    assert_eq!(house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await.code(), 200);
    let again = house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await;
    assert_eq!(again.refusal(), (201, "Antrean sudah dibatalkan !"));
    let rebooked = house.call(&login, "POST", "/antrean", Some(&v2(1))).await;
    assert_eq!(rebooked.body["response"]["nomorantrean"], "A2", "a cancelled number is not given again: {rebooked:?}");
}

#[tokio::test]
async fn a_new_patient_registers_books_and_is_known_once_the_sim_answers() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    let unknown = house.call(&login, "POST", "/antrean", Some(&v2(1))).await;
    assert_eq!(unknown.refusal().0, 202);
    // The catalogue's own sample has a letter in kodekel; a field that it does not know does no harm.
    let mut body = peserta(1);
    body["nohp"] = "081234567890".into();
    for _ in 0..2 {
        let got = house.call(&login, "POST", "/peserta", Some(&body)).await;
        assert_eq!(got.text, r#"{"metadata":{"message":"Ok","code":200}}"#);
    }
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(1))).await.code(), 200);
    let waiting = house.store.registrations(&[], None, None, 10).await.unwrap().items;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].body.as_ref().unwrap().expose()["kodekel"], "D2105");
    let norm = Private::new("RM-1".to_owned());
    house.store.answer_registration(&waiting[0].id, Ok(norm), house.clock.now()).await.unwrap();
    let known = house.call(&login, "POST", "/peserta", Some(&body)).await;
    assert_eq!(known.refusal(), (201, "Data pasien ini sudah terdaftar"));
}

#[tokio::test]
async fn policies_where_sources_disagree() {
    let stranger =
        "Data pasien ini tidak ditemukan, silahkan Melakukan Registrasi Pasien Baru Ke loket Administrasi Kami";
    for (policy, code) in [(UnknownPatient::New, 202), (UnknownPatient::Refuse, 201), (UnknownPatient::Accept, 200)] {
        let house = House::with(AntreanInboundConfig { unknown_patient: policy, ..Default::default() }).await;
        let login = house.caller().await;
        house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
        let got = house.call(&login, "POST", "/antrean", Some(&v2(1))).await;
        assert_eq!(got.code(), code, "{policy}");
        if code != 200 {
            assert_eq!(got.refusal().1, stranger);
        }
    }
    for (policy, code, words) in [
        (EmptyStatus::Zeros, 200, "Ok"),
        (EmptyStatus::Success, 200, "Maaf belum Ada Antrian ditanggal 23-11-2026"),
        (EmptyStatus::Failure, 201, "Maaf belum Ada Antrian ditanggal 23-11-2026"),
    ] {
        let house = House::with(AntreanInboundConfig { empty_status: policy, ..Default::default() }).await;
        let login = house.caller().await;
        house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
        let got = house.call(&login, "GET", "/antrean/status/001/2026-11-23", None).await;
        assert_eq!(got.body["metadata"], json!({ "message": words, "code": code }), "{policy}");
    }
}

#[tokio::test]
async fn every_refusal_of_a_booking_has_its_sentence() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 0), (2, "08:00-12:00", 9)]).await;
    house.know(FACILITY, &[1]).await;
    for (field, value, words) in [
        ("nomorkartu", json!(""), "Nomor kartu Tidak Boleh Kosong"),
        ("nomorkartu", json!("00012345678"), "Nomor kartu harus 13 digit"),
        ("nomorkartu", json!("0001234567abc"), "Format Nomor Kartu Tidak Sesuai"),
        ("nik", json!(null), "NIK Tidak Boleh Kosong "),
        ("nik", json!("123"), "NIK harus 16 digit "),
        ("nik", json!("647400000000000x"), "Format NIK Tidak Sesuai"),
        ("kodepoli", json!(""), "Kode Poli Tidak Boleh Kosong"),
        ("kodepoli", json!("ZZZ"), "Poli Tidak Ditemukan"),
        ("kodepoli", json!("' OR 1=1 --"), "Poli Tidak Ditemukan"),
        ("tanggalperiksa", json!("23-11-2026"), "Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd"),
        ("tanggalperiksa", json!("2026-02-30"), "Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd"),
        ("tanggalperiksa", json!("2026-11-20"), "Tanggal Periksa Tidak Berlaku"),
        ("tanggalperiksa", json!("2026-11-24"), "Pendaftaran ke Poli Ini Sedang Tutup"),
        ("kodedokter", json!(""), "Maaf Dokter Tujuan Anda Masih Kosong"),
        ("kodedokter", json!(777), "Maaf Dokter Tujuan Tidak Ditemukan"),
        ("jampraktek", json!(""), "Maaf Jam Praktek tidak boleh kosong"),
        ("jampraktek", json!("13:00-14:00"), "Maaf Jam Praktek tidak ditemukan"),
        ("nohp", json!("<script>"), "Maaf Format Nomor HP Tidak Sesuai"),
        ("keluhan", json!("a\u{7}b"), "Maaf Keluhan tidak sesuai format"),
        ("norm", json!(""), "Kuota penuh, silakan pilih jadwal atau tanggal lain"),
    ] {
        let mut body = v2(1);
        body[field] = value;
        let got = house.call(&login, "POST", "/antrean", Some(&body)).await;
        assert_eq!((got.status, got.refusal()), (200, (201, words)), "{field}");
    }
    // A doctor's code as text and hours with blanks are the same.
    let mut body = v2(1);
    body["kodedokter"] = "2".into();
    body["jampraktek"] = "08:00 - 12:00".into();
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&body)).await.code(), 200);
    // On the day itself the door closes.
    house.at("2026-11-23T04:00:01Z");
    let login = house.log_in(login).await;
    house.know(FACILITY, &[2]).await;
    let mut body = v2(2);
    body["kodedokter"] = 2.into();
    let late = house.call(&login, "POST", "/antrean", Some(&body)).await;
    assert_eq!(late.refusal(), (201, "Pendaftaran Ke Poli Poli Umum Sudah Tutup Jam 12:00:00"));
}

#[tokio::test]
async fn what_cannot_be_found_or_cancelled_says_why() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    house.know(FACILITY, &[1, 2]).await;
    let rest = |n, poli: &str| format!("/antrean/sisapeserta/{}/{poli}/2026-11-23", card(n));
    assert_eq!(house.call(&login, "GET", &rest(1, "001"), None).await.refusal().1, "Antrean Tidak Ditemukan !");
    assert_eq!(house.call(&login, "GET", &rest(1, "009"), None).await.refusal().1, "Poli Tidak Ditemukan");
    let none = house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await;
    assert_eq!(none.refusal(), (201, "Antrean Tidak Ditemukan !"));
    for n in [1, 2] {
        house.call(&login, "POST", "/antrean", Some(&v2(n))).await;
    }
    called(&house, "A1").await;
    let now_called = house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await;
    assert_eq!(now_called.refusal().1, "Pembatalan antrean tidak dapat diproses!");
    let place = house.store.place(FACILITY, Private::new(card(1)), "001", monday()).await.unwrap().unwrap();
    let served = MoveAsk { id: place.booking.id, to: BookingState::Served, reason: None, now: house.clock.now() };
    house.store.move_booking(served).await.unwrap();
    let done = house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await;
    assert_eq!(done.refusal().1, "Pasien Sudah Dilayani, Antrean Tidak Dapat Dibatalkan!");
    let shut = house.call(&login, "GET", "/antrean/status/001/2026-11-29", None).await;
    assert_eq!(shut.refusal().1, "Pendaftaran ke Poli Ini Sedang Tutup");
    for (field, value, words) in [
        ("nomorkk", "12", "Nomor KK harus 16 digit "),
        ("nama", " ", "Nama tidak boleh kosong"),
        ("jeniskelamin", "X", "Jenis Kelamin tidak ditemukan"),
        ("tanggallahir", "2027-01-01", "Format Tanggal Lahir tidak sesuai, format yang benar adalah yyyy-mm-dd"),
    ] {
        let mut body = peserta(3);
        body[field] = value.into();
        assert_eq!(house.call(&login, "POST", "/peserta", Some(&body)).await.refusal().1, words, "{field}");
    }
}
