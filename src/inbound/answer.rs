//! The envelope and every sentence a patient may read.
//!
//! Job: `response` first, then lower-case `metadata` with `message` and `code`, as the catalogue prints it (an answer with
//! `metaData` counts as failed). The sentences are those that two independent implementations or the acceptance
//! checklist use, letter by letter; see docs/decisions. What it does not do: choose which.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::civil::{Date, Time};
use serde_json::{Map, Value, json};

use crate::secret::Private;
use crate::store::StoreError;

/// Sukses.
const SUCCESS: i64 = 200;
/// Gagal.
const FAILED: i64 = 201;
/// Pasien Baru.
const NEW_PATIENT: i64 = 202;

pub(super) const WRONG_LOGIN: &str = "Username atau Password Tidak Sesuai";
pub(super) const TOKEN_EXPIRED: &str = "Token Expired";
pub(super) const TOO_MANY_LOGINS: &str = "Terlalu banyak percobaan masuk yang gagal, silakan coba beberapa saat lagi";
pub(super) const NOT_JSON: &str = "Format JSON Tidak Sesuai";
pub(super) const POLI_EMPTY: &str = "Kode Poli Tidak Boleh Kosong";
pub(super) const POLI_UNKNOWN: &str = "Poli Tidak Ditemukan";
pub(super) const DATE_FORM: &str = "Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd";
pub(super) const DATE_EMPTY: &str = "Tanggal Tidak Boleh Kosong";
pub(super) const DATE_PAST: &str = "Tanggal Periksa Tidak Berlaku";
pub(super) const CARD_EMPTY: &str = "Nomor kartu Tidak Boleh Kosong";
pub(super) const CARD_LENGTH: &str = "Nomor kartu harus 13 digit";
pub(super) const CARD_FORM: &str = "Format Nomor Kartu Tidak Sesuai";
// Both sources have the blank at the end.
pub(super) const NIK_EMPTY: &str = "NIK Tidak Boleh Kosong ";
pub(super) const NIK_LENGTH: &str = "NIK harus 16 digit ";
pub(super) const NIK_FORM: &str = "Format NIK Tidak Sesuai";
pub(super) const DOCTOR_EMPTY: &str = "Maaf Dokter Tujuan Anda Masih Kosong";
pub(super) const DOCTOR_UNKNOWN: &str = "Maaf Dokter Tujuan Tidak Ditemukan";
pub(super) const HOURS_EMPTY: &str = "Maaf Jam Praktek tidak boleh kosong";
pub(super) const HOURS_UNKNOWN: &str = "Maaf Jam Praktek tidak ditemukan";
pub(super) const PHONE_FORM: &str = "Maaf Format Nomor HP Tidak Sesuai";
pub(super) const COMPLAINT_FORM: &str = "Maaf Keluhan tidak sesuai format";
pub(super) const CLOSED: &str = "Pendaftaran ke Poli Ini Sedang Tutup";
pub(super) const FULL: &str = "Kuota penuh, silakan pilih jadwal atau tanggal lain";
pub(super) const TWICE: &str = "Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama";
pub(super) const STRANGER: &str =
    "Data pasien ini tidak ditemukan, silahkan Melakukan Registrasi Pasien Baru Ke loket Administrasi Kami";
pub(super) const NOT_FOUND: &str = "Antrean Tidak Ditemukan !";
pub(super) const ALREADY_CANCELLED: &str = "Antrean sudah dibatalkan !";
pub(super) const SERVED: &str = "Pasien Sudah Dilayani, Antrean Tidak Dapat Dibatalkan!";
pub(super) const NOT_CANCELLABLE: &str = "Pembatalan antrean tidak dapat diproses!";
pub(super) const PATIENT_KNOWN: &str = "Data pasien ini sudah terdaftar";
pub(super) const KK_LENGTH: &str = "Nomor KK harus 16 digit ";
pub(super) const NAME_EMPTY: &str = "Nama tidak boleh kosong";
pub(super) const SEX_UNKNOWN: &str = "Jenis Kelamin tidak ditemukan";
pub(super) const BIRTHDAY_FORM: &str = "Format Tanggal Lahir tidak sesuai, format yang benar adalah yyyy-mm-dd";
pub(super) const TOO_LONG: &str = "Isian terlalu panjang atau tidak sesuai format";
/// What the catalogue prints in its sample of a number given.
pub(super) const REMINDER: &str = "Apabila antrean terlewat harap mengambil antrean kembali.";
/// While nobody was called.
pub(super) const NOBODY: &str = "-";

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: StatusCode,
    code: i64,
    message: String,
    response: Option<Private<Value>>,
}

impl Answer {
    /// With content.
    pub(super) fn ok(response: Value) -> Self {
        Self { response: Some(Private::new(response)), ..Self::done() }
    }

    /// Without content.
    pub(super) fn done() -> Self {
        Self { status: StatusCode::OK, code: SUCCESS, message: "Ok".to_owned(), response: None }
    }

    /// No, with a sentence for the patient.
    pub(super) fn fail(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into(), ..Self::done() }
    }

    /// Code 202: Mobile JKN goes on with `POST /peserta`.
    pub(super) fn new_patient() -> Self {
        Self { code: NEW_PATIENT, ..Self::fail(STRANGER) }
    }

    pub(super) fn closed_at(poli: &str, time: Time) -> Self {
        Self::fail(format!("Pendaftaran Ke Poli {poli} Sudah Tutup Jam {}", time.strftime("%H:%M:%S")))
    }

    /// A day without bookings, in words.
    pub(super) fn nobody_yet(day: Date, success: bool) -> Self {
        let message = format!("Maaf belum Ada Antrian ditanggal {}", day.strftime("%d-%m-%Y"));
        Self { code: if success { SUCCESS } else { FAILED }, ..Self::fail(message) }
    }

    pub(super) fn no_path() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::fail("Alamat Tidak Ditemukan") }
    }

    pub(super) fn method_not_allowed() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..Self::fail("Metode Tidak Sesuai") }
    }

    pub(super) fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::fail(TOO_LONG) }
    }

    pub(super) fn too_slow() -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, ..Self::fail("Permintaan terlalu lambat") }
    }

    pub(super) fn too_many() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..Self::fail("Terlalu banyak permintaan, silakan coba beberapa saat lagi")
        }
    }

    pub(super) fn unavailable() -> Self {
        let message = "Maaf, layanan antrean sedang tidak tersedia. Silakan coba beberapa saat lagi";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::fail(message) }
    }

    /// The code in `metadata`.
    pub(super) const fn code(&self) -> i64 {
        self.code
    }

    pub(super) fn render(self) -> Response {
        let mut body = Map::new();
        if let Some(response) = self.response {
            body.insert("response".to_owned(), response.into_inner());
        }
        body.insert("metadata".to_owned(), json!({ "message": self.message, "code": self.code }));
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
            // The rest of the body is not worth reading.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<StoreError> for Answer {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Full(_)
            | StoreError::Unknown(_)
            | StoreError::Closed
            | StoreError::Busy(_)
            | StoreError::Unavailable(_)
            | StoreError::Replaced(_) => {}
            StoreError::Unreadable(_) | StoreError::Newer { .. } | StoreError::Moved(_) | StoreError::Database(_) => {
                tracing::error!(%error, "store");
            }
        }
        Self::unavailable()
    }
}
