//! The words of BPJS, in one place.
//!
//! Job: every message the simulated services say. Invariant: what a public source quotes stands under *verbatim* and is
//! never reworded, since clients decide by these texts; what no source quotes stands under *assumed*. Neighbours:
//! `world`, `gate` and `faults` speak with them. What it does not do: choose between them.

/// Success of a read, an edit or a delete (catalogue).
pub const OK: &str = "OK";
/// Success of a creation (catalogue).
pub const CREATED: &str = "CREATED";
/// Nothing matches (client sources agree on code 204).
pub const NO_CONTENT: &str = "NO_CONTENT";
/// A field was refused; the details stand in `response`.
pub const PRECONDITION_FAILED: &str = "PRECONDITION_FAILED";
/// Reference data are wrong (code 424).
pub const FAILED_DEPENDENCY: &str = "FAILED_DEPENDENCY";

// Verbatim.

/// Duplicate registration (code 401) and second visit (412 array).
pub const DUPLICATE: &str = "Peserta sudah di-entri di poli yang sama pada hari yang sama.";
/// The yearly screening is missing (code 401).
pub const SCREENING: &str = "Anda belum melakukan skrining kesehatan. \
        Mohon untuk melakukan skrining kesehatan terlebih dahulu pada menu Skrining Kesehatan.";
/// The user key is not activated, or the old path is closed (code 404).
pub const NOT_REGISTERED: &str = "Unauthorized! You are not registered for this service!";
/// The timestamp is too far from the service's clock (code 401; seen on the sibling service).
pub const EXPIRED: &str = "Service Expired";
/// `X-authorization` lacks `Basic ` (HTTP 400, code 50000); the second line is .NET's own.
pub const START_INDEX: &str = "StartIndex cannot be less than zero.\r\nParameter name: startIndex";
/// A visit without its registration (412 array, field `noKartu`).
pub const NO_REGISTRATION: &str = "Belum melakukan pendaftaran pada poli tersebut.";
/// A code that the reference lists do not have (412).
pub const NOT_IN_REFERENCE: &str = "Tidak sesuai dengan referensi sistem.";
/// The same as a fault escaping with code 500.
pub const POLI_NOT_IN_REFERENCE_500: &str = "kdPoli Tidak sesuai dengan referensi sistem";
/// A card nobody has (412).
pub const NO_SUCH_MEMBER: &str = "noKartu peserta tidak ditemukan";
/// No clinic was named (412).
pub const POLI_MISSING: &str = "kode poli harus diisi";
/// The visit is billed, older than three months or used by a hospital (412).
pub const LOCKED: &str = "Transaksi dikunci karena sudah ditagihkan atau data > 3 bulan atau sudah dilayani RS";
/// The hospital has used the referral (428).
pub const SERVED_BY_HOSPITAL: &str = "Data Rujukan sudah dilayani di RS";
/// .NET met a null (500).
pub const NULL_REFERENCE: &str = "Object reference not set to an instance of an object.";
/// The body arrived as a string, or `rujukLanjut` was null (500).
pub const JVALUE: &str = "Cannot access child value on Newtonsoft.Json.Linq.JValue.";

// Assumed: no public source quotes these.

/// A header of the five is missing (401).
pub const HEADER_MISSING: &str = "Unauthorized, header tidak lengkap: ";
/// Unknown consumer (401).
pub const UNKNOWN_CONSUMER: &str = "Unauthorized, consumer ID tidak terdaftar";
/// Signature does not fit (401).
pub const BAD_SIGNATURE: &str = "Unauthorized, signature tidak sesuai";
/// Web login refused (401).
pub const BAD_LOGIN: &str = "Username atau password PCare tidak sesuai";
/// `{start}` or `{limit}` is no number (400; .NET's words).
pub const NOT_A_NUMBER: &str = "Input string was not in a correct format.";
/// Card number malformed (412).
pub const CARD_FORMAT: &str = "noKartu harus 13 digit numerik";
/// NIK malformed (412).
pub const NIK_FORMAT: &str = "NIK harus 16 digit numerik";
/// Not a date in dd-mm-yyyy (412).
pub const DATE_FORMAT: &str = "format tanggal harus dd-mm-yyyy";
/// Date ahead of BPJS's day (412).
pub const FUTURE: &str = "tglDaftar tidak boleh lebih dari tanggal hari ini";
/// Date too far back, where the rule is switched on (412).
pub const TOO_OLD: &str = "tglDaftar melewati batas tanggal mundur";
/// Sick visit at a healthy clinic or the other way round (412).
pub const SICK_MISMATCH: &str = "kunjSakit tidak sesuai dengan poli";
/// Deleting a registration that was served (412).
pub const ALREADY_SERVED: &str = "Pendaftaran tidak dapat dihapus, peserta sudah dilayani";
/// A vital sign is not plausible (412).
pub const VITALS: &str = "Validasi Pemeriksaan Fisik: nilai tidak sesuai";
/// A diagnosis of primary care is referred without a reason (412).
pub const TACC_REQUIRED: &str = "Diagnosa non spesialis, TACC harus diisi";
/// The reason does not fit the TACC code (412).
pub const TACC_REASON: &str = "alasanTacc tidak sesuai dengan kdTacc";
/// Referral planned before the visit (412).
pub const REFERRAL_DATE: &str = "tglEstRujuk tidak boleh kurang dari tglDaftar";
/// Discharge before admission (412).
pub const DISCHARGE_DATE: &str = "tglPulang tidak boleh kurang dari tglDaftar";
/// The member is not active, where the rule is switched on (412).
pub const INACTIVE: &str = "Peserta tidak aktif";
/// The same treatment, drug, examination or activity again, where the rule is switched on (412).
pub const SAME_AGAIN: &str = "Data sudah pernah di-entri";
/// A visit with children is deleted, where the rule is switched on (412).
pub const HAS_CHILDREN: &str = "Kunjungan masih memiliki data pelayanan";

// V-Claim, Antrean and i-Care, verbatim.

/// V-Claim's success (catalogue).
pub const SUKSES: &str = "Sukses";
/// Antrean FKTP's success of a write (catalogue).
pub const ANTREAN_OK: &str = "Ok";
/// Nothing matches (code 201; V-Claim and Antrean).
pub const NO_DATA: &str = "Data Tidak Ditemukan";
/// No referral of that number (code 201).
pub const NO_REFERRAL: &str = "Data Rujukan Tidak Ditemukan.";
/// The signature does not fit (code 201; seen on the Antrean services).
pub const SIGNATURE: &str = "Signature tidak sesuai";
/// No fingerprint on the day of service (code 201).
pub const NO_FINGERPRINT: &str = "Peserta Belum Melakukan Verifikasi Sidik Jari";
/// No fingerprint enrolled at all (code 201).
pub const NO_ENROLLMENT: &str = "Peserta Belum Melakukan Enrollment";
/// No schedule on that day (code 201).
pub const NO_SCHEDULE: &str = "No Content";
/// Every place is taken (code 201).
pub const QUOTA_FULL: &str = "Kuota penuh";

// V-Claim, Antrean and i-Care, assumed.

/// HTTP 401 form of a refused consumer or signature.
pub const UNAUTHORIZED: &str = "Unauthorized";
/// A field is missing or malformed (code 201); the field's name follows.
pub const FIELD_WRONG: &str = "Data tidak sesuai: ";
/// The card is nobody's (code 201).
pub const MEMBER_UNKNOWN: &str = "Peserta Tidak Ditemukan";
/// The member is not active (code 201).
pub const MEMBER_INACTIVE: &str = "Status Peserta Tidak Aktif";
/// The SEP is dated ahead (code 201).
pub const SEP_FUTURE: &str = "Tanggal SEP tidak boleh lebih dari tanggal hari ini";
/// The SEP lies too far back without an approval (code 201).
pub const SEP_BACKDATE: &str = "Tanggal SEP backdate, silahkan melakukan pengajuan SEP";
/// No request to approve (code 201).
pub const NO_REQUEST: &str = "Data Pengajuan Tidak Ditemukan";
/// A value of formPRB lies outside its range (code 201); the field's name follows.
pub const FORM_PRB: &str = "formPRB tidak sesuai: ";
/// A claim form for a SEP that has one (code 201); the SEP's number follows.
pub const LPK_EXISTS: &str = "LPK sudah ada untuk No.SEP";
/// An antrean for the same card, clinic and day (code and text are switches).
pub const ANTREAN_EXISTS: &str = "Antrean sudah ada";
/// No antrean for that card, clinic and day (code 201).
pub const ANTREAN_UNKNOWN: &str = "Antrean tidak ditemukan";
/// The clinic does not exist (code 201).
pub const ANTREAN_CLINIC: &str = "Poli tidak ditemukan";
