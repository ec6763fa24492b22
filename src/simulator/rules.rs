//! What no public source settles, as switches.
//!
//! Job: one field per behaviour of BPJS that is unknown or differs between sources, with the default this project
//! assumes. Invariant: with the defaults the shipped day of a puskesmas lands entirely. Neighbours: `world` and `gate`
//! read them; a script file or `/_sim/rules` changes them. What it does not do: faults (`faults`).

use serde::{Deserialize, Serialize};

/// The switches. Every field has a default; an unknown field is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Cards that exist: thirteen digits with one of these beginnings.
    pub card_prefixes: Vec<String>,
    /// How far `X-timestamp` may be from the service's clock, in seconds either way.
    pub max_skew_seconds: u32,
    /// The zone that says which day "today" is at BPJS.
    pub timezone: String,
    /// Answer "nothing found" as HTTP 204 without a body instead of HTTP 200 with `metaData.code` 204.
    pub no_content_empty: bool,
    /// `metaData.code` as text instead of a number.
    pub code_as_text: bool,
    /// Whether `kunjungan` without `/v1` still takes visits; otherwise 404, not registered.
    pub old_visit_path: bool,
    /// Whether a body of the wrong content type breaks (`JValue`, 500): P-Care refuses `application/json`, V-Claim wants
    /// the form type, i-Care `application/json`; Antrean takes any.
    pub strict_content_type: bool,
    /// Whether an explicit `"rujukLanjut": null` breaks (`JValue`, 500).
    pub strict_null_referral: bool,
    /// Whether an unknown `kdPoli` escapes as code 500 instead of 412.
    pub unknown_poli_is_500: bool,
    /// How many days back a registration may lie; none: any.
    pub backdate_days: Option<u32>,
    /// Whether registrations of inactive members are refused.
    pub refuse_inactive: bool,
    /// Whether the same treatment, drug, examination or activity a second time is refused.
    pub refuse_same_children: bool,
    /// Whether a visit with treatments, drugs or examinations cannot be deleted (otherwise they go with it).
    pub keep_visits_with_children: bool,
    /// Number of the first row in `{start}`: 0 or 1.
    pub first_row: usize,
    /// The most rows of one page; none: no limit.
    pub max_rows: Option<usize>,
    /// Code of *Rujuk Internal* in the discharge list (`5` or `6`; both are accepted).
    pub internal_referral: String,
    /// Whether V-Claim, Antrean and i-Care refuse consumer and signature as HTTP 200 with code 201 and words (otherwise
    /// as HTTP 401).
    pub refuse_with_words: bool,
    /// What V-Claim leaves open.
    pub vclaim: VclaimRules,
    /// What Antrean FKTP leaves open.
    pub antrean: AntreanRules,
}

/// Whether V-Claim asks for a fingerprint before an outpatient SEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fingerprint {
    /// Never.
    Off,
    /// The member has enrolled and must verify on the day.
    Verification,
    /// The member must enrol first.
    Enrollment,
}

/// The switches of V-Claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VclaimRules {
    /// Whether a fingerprint is asked for.
    pub fingerprint: Fingerprint,
    /// How many days back a SEP may lie without an approved request; none: any.
    pub backdate_days: Option<u32>,
    /// Whether a SEP with a referral number that this world does not know is refused.
    pub known_referrals_only: bool,
    /// The most days of a range in monitoring reads; none: no limit.
    pub longest_range_days: Option<u32>,
}

impl Default for VclaimRules {
    fn default() -> Self {
        Self {
            fingerprint: Fingerprint::Off,
            backdate_days: None,
            known_referrals_only: false,
            longest_range_days: None,
        }
    }
}

/// The switches of Antrean FKTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AntreanRules {
    /// Whether `ref/*` answers a bare array instead of `{"list": …}`.
    pub bare_array: bool,
    /// Code of a repeated `antrean/add` (201 or 208); 200 takes it in silence.
    pub duplicate_code: u16,
    /// Words of a repeated `antrean/add`.
    pub duplicate_text: String,
    /// Whether every `antrean/add` is refused with `Kuota penuh`.
    pub quota_full: bool,
    /// Words of a day without schedule.
    pub no_schedule_text: String,
    /// Days without any schedule besides Sundays, yyyy-MM-dd.
    pub holidays: Vec<String>,
}

impl Default for AntreanRules {
    fn default() -> Self {
        Self {
            bare_array: false,
            duplicate_code: 201,
            duplicate_text: super::texts::ANTREAN_EXISTS.to_owned(),
            quota_full: false,
            no_schedule_text: super::texts::NO_SCHEDULE.to_owned(),
            holidays: Vec::new(),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            card_prefixes: vec!["00099".to_owned(), "0001".to_owned()],
            max_skew_seconds: 300,
            timezone: "Asia/Jakarta".to_owned(),
            no_content_empty: false,
            code_as_text: false,
            old_visit_path: true,
            strict_content_type: false,
            strict_null_referral: false,
            unknown_poli_is_500: false,
            backdate_days: None,
            refuse_inactive: false,
            refuse_same_children: false,
            keep_visits_with_children: false,
            first_row: 0,
            max_rows: None,
            internal_referral: "5".to_owned(),
            refuse_with_words: true,
            vclaim: VclaimRules::default(),
            antrean: AntreanRules::default(),
        }
    }
}
