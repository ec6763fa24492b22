//! One error envelope: RFC 9457 `application/problem+json`, in Indonesian, with the field and the remedy.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::intake::json::{DEPTH, JsonFault};
use crate::intake::{Fault, IntakeError};
use crate::store::StoreError;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        /// What kind of problem it is: status, stable `type` and title belong together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The stable `type` URI.
            #[must_use]
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/masalah/", $slug),)* }
            }

            /// The title.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// Not JSON, or not readable as such.
    NotJson = BAD_REQUEST, "bukan-json", "Isi permintaan tidak terbaca";
    /// A query parameter is wrong.
    BadQuery = BAD_REQUEST, "parameter-tidak-sah", "Parameter tidak sah";
    /// The request itself is wrong (headers).
    BadRequest = BAD_REQUEST, "permintaan-tidak-sah", "Permintaan tidak sah";
    /// No or no valid token.
    Unauthorized = UNAUTHORIZED, "tidak-dikenal", "Token tidak diterima";
    /// The role or facility does not allow it.
    Forbidden = FORBIDDEN, "tidak-berhak", "Tidak berhak";
    /// There is no such thing, or not for this client.
    NotFound = NOT_FOUND, "tidak-ada", "Tidak ada";
    /// The address knows other methods.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "metode-tidak-ada", "Metode tidak ada";
    /// The request did not arrive in time.
    TooSlow = REQUEST_TIMEOUT, "terlalu-lambat", "Permintaan terlalu lambat";
    /// The key is taken by another body.
    RefTaken = CONFLICT, "ref-sudah-dipakai", "Ref sudah dipakai";
    /// The delivery's state does not allow it.
    State = CONFLICT, "keadaan-tidak-cocok", "Keadaan tidak cocok";
    /// The body is too large.
    TooLarge = PAYLOAD_TOO_LARGE, "terlalu-besar", "Isi permintaan terlalu besar";
    /// The body is not declared as JSON.
    MediaType = UNSUPPORTED_MEDIA_TYPE, "jenis-isi", "Jenis isi tidak didukung";
    /// The `Host` header names another machine.
    WrongHost = MISDIRECTED_REQUEST, "host-tidak-dikenal", "Host tidak dikenal";
    /// Fields are wrong.
    Invalid = UNPROCESSABLE_ENTITY, "isi-tidak-sah", "Isi tidak sah";
    /// Too many requests.
    TooMany = TOO_MANY_REQUESTS, "terlalu-sering", "Terlalu sering";
    /// A defect of the bridge.
    Internal = INTERNAL_SERVER_ERROR, "kesalahan-dalam", "Kesalahan dalam jembatan";
    /// Nothing can be accepted now.
    Unavailable = SERVICE_UNAVAILABLE, "belum-dapat", "Belum dapat dilayani";
}

/// A problem on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which kind.
    pub kind: Kind,
    /// What is wrong here and what to do, in Indonesian, without personal data.
    pub detail: String,
    /// The fields at fault.
    pub errors: Vec<Fault>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// More members of the object.
    pub more: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem with a remedy.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None, more: Vec::new() }
    }

    /// Fields at fault: all of them.
    #[must_use]
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = format!("{} isian perlu diperbaiki; tidak ada yang disimpan. Lihat \"errors\".", errors.len());
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// One query parameter at fault.
    #[must_use]
    pub fn query(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let errors = vec![Fault::new(format!("?{name}"), detail.clone())];
        Self { errors, ..Self::new(Kind::BadQuery, format!("Parameter {name}: {detail}")) }
    }

    /// No such thing, or not for this client.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "Tidak ada, atau bukan milik klien ini; periksa id dan alamatnya.")
    }

    /// The client may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// With seconds after which to try again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    /// The answer, naming the request it belongs to.
    #[must_use]
    pub fn render(&self, instance: Option<&str>) -> Response {
        let status = self.kind.status();
        let mut body = json!({
            "type": self.kind.uri(), "title": self.kind.title(), "status": status.as_u16(), "detail": self.detail,
        });
        if let Some(map) = body.as_object_mut() {
            if let Some(instance) = instance {
                map.insert("instance".to_owned(), instance.into());
            }
            let errors = self.errors.iter().map(|e| json!({ "pointer": e.pointer, "detail": e.detail }));
            map.insert("errors".to_owned(), errors.collect());
            map.extend(self.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.kind, Kind::TooLarge | Kind::TooSlow) {
            // The rest of the body is not worth reading.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Travels as an extension too, so that the outermost layer can name the request.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Full(_) => full(),
            StoreError::Unknown(_)
            | StoreError::Closed
            | StoreError::Busy(_)
            | StoreError::Unavailable(_)
            | StoreError::Replaced(_) => Self::new(
                Kind::Unavailable,
                "Penyimpanan sedang tidak tersedia dan hasilnya belum pasti. Kirim ulang permintaan yang sama sebentar lagi.",
            )
            .after(5),
            StoreError::Unreadable(_) | StoreError::Newer { .. } | StoreError::Moved(_) | StoreError::Database(_) => {
                tracing::error!(%error, "store");
                Self::new(Kind::Internal, "Penyimpanan tidak terbaca. Jalankan 'jembatan check' pada server jembatan.")
            }
        }
    }
}

/// The disk is nearly full.
pub(super) fn full() -> Problem {
    Problem::new(
        Kind::Unavailable,
        "Ruang penyimpanan server jembatan hampir habis; entri baru belum diterima. Kosongkan disk, lalu kirim ulang.",
    )
    .after(60)
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Invalid(faults) => Self::invalid(faults),
            IntakeError::Conflict(row) => Self {
                errors: vec![Fault::new("/ref", "sudah dipakai kiriman lain dengan isi berbeda")],
                ..Self::new(
                    Kind::RefTaken,
                    "Ref ini sudah dipakai dengan isi lain. Pakai ref baru, atau perbaiki entrinya dengan 'amend'.",
                )
                .with("submission", row.id.to_string())
            },
            IntakeError::Store(error) => error.into(),
        }
    }
}

impl From<JsonFault> for Problem {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Syntax { line, column } => {
                Self::new(Kind::NotJson, format!("Bukan JSON yang sah: baris {line}, kolom {column}."))
            }
            JsonFault::TooDeep => {
                Self::new(Kind::NotJson, format!("Bersarang terlalu dalam: paling banyak {DEPTH} tingkat."))
            }
            JsonFault::Twice(pointer) => {
                Self::invalid(vec![Fault::new(pointer, "tertulis dua kali dalam objek yang sama; hapus salah satu")])
            }
            JsonFault::Nul(faults) => Self::invalid(faults),
        }
    }
}
