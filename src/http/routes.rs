//! The route table: method, path, who may use it, how long it may take, what it does. One list makes the router, the
//! authorisation and the paths of `/openapi.json`; a route that does not stand here does not exist.

use std::time::Duration;

use axum::routing::{self, MethodRouter};

use super::{
    actions, antrean, audit, books, changes, claims, deliveries, forecast, kept, obligations, openapi, outages, pauses,
    reconciliations, reports, settle, status, submissions,
};
use crate::vault::Role::{self, Network, Operator, Sim, Viewer};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No token needed.
    Anybody,
    /// Clients of these roles, within their facilities; `sim` and `network` only what they handed in themselves.
    Roles(&'static [Role]),
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// HTTP method.
    pub method: &'static str,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// How long the whole request may take.
    pub patience: Duration,
    /// What it does, in Indonesian.
    pub title: &'static str,
}

const OPEN: Access = Access::Anybody;
const ALL: Access = Access::Roles(&[Sim, Network, Operator, Viewer]);
const SUBMIT: Access = Access::Roles(&[Sim, Network]);
/// Without `network`: what the puskesmas approved is not changed behind its back.
const MEND: Access = Access::Roles(&[Sim, Operator]);
const ACT: Access = Access::Roles(&[Operator]);
const LOOK: Access = Access::Roles(&[Operator, Viewer]);
/// The facility's own system may compare itself with BPJS; a clinic of the network sees only its own entries.
const COMPARE: Access = Access::Roles(&[Sim, Operator]);
const COMPARED: Access = Access::Roles(&[Sim, Operator, Viewer]);

/// The facility's own queue: whose patients they are, and who helps out.
const DESK: Access = Access::Roles(&[Sim, Operator]);

/// A row and its handler.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) handler: MethodRouter<std::sync::Arc<super::App>>,
}

macro_rules! routes {
    ($($method:literal $verb:ident $path:literal $access:ident $seconds:literal $title:literal $handler:path;)*) => {
        /// Every route with who may use it.
        pub const RULES: &[Rule] = &[$(Rule {
            method: $method, path: $path, access: $access, patience: Duration::from_secs($seconds), title: $title,
        },)*];

        /// Every route with its handler.
        pub(super) fn table() -> Vec<Route> {
            vec![$(Route { path: $path, handler: routing::$verb($handler) },)*]
        }
    };
}

routes! {
    "POST" post "/v1/submissions" SUBMIT 160 "Serahkan kiriman" submissions::submit;
    "GET" get "/v1/submissions" ALL 30 "Daftar kiriman" submissions::list;
    "GET" get "/v1/submissions/{id}" ALL 30 "Satu kiriman" submissions::show;
    "GET" get "/v1/deliveries" ALL 30 "Daftar pengantaran" deliveries::list;
    "POST" post "/v1/deliveries/actions" ACT 120 "Tindakan atas banyak pengantaran" actions::bulk;
    "GET" get "/v1/deliveries/{id}" ALL 30 "Satu pengantaran dengan riwayat percobaannya" deliveries::show;
    "POST" post "/v1/deliveries/{id}/retry" ACT 30 "Coba lagi" actions::retry;
    "POST" post "/v1/deliveries/{id}/hold" ACT 30 "Tahan" actions::hold;
    "POST" post "/v1/deliveries/{id}/release" ACT 30 "Lepaskan" actions::release;
    "POST" post "/v1/deliveries/{id}/cancel" MEND 30 "Batalkan" actions::cancel;
    "POST" post "/v1/deliveries/{id}/resolve" ACT 30 "Putuskan: ada di BPJS, atau tidak ada" actions::resolve;
    "POST" post "/v1/deliveries/{id}/amend" MEND 30 "Perbaiki isi" actions::amend;
    "GET" get "/v1/forecast" COMPARED 30 "Entri yang akan terlambat menurut laju sekarang" forecast::list;
    "GET" get "/v1/changes" ALL 80 "Yang menjadi final sejak kursor (long poll)" changes::feed;
    "GET" get "/v1/antrean" DESK 30 "Antrean pasien yang diambil" antrean::list;
    "POST" post "/v1/antrean" DESK 30 "Ambil nomor antrean di loket" antrean::book;
    "GET" get "/v1/antrean/jadwal" DESK 30 "Jadwal, kuota dan antrean hari itu" antrean::schedule;
    "PUT" put "/v1/antrean/jadwal" DESK 30 "Tetapkan jadwal dan kuota" antrean::set_schedule;
    "PUT" put "/v1/antrean/pasien" DESK 30 "Pasien yang dikenal SIM (nomor rekam medis)" antrean::put_patients;
    "POST" post "/v1/antrean/panggil" DESK 30 "Panggil nomor antrean" antrean::call;
    "GET" get "/v1/antrean/peserta" DESK 30 "Pendaftaran pasien baru dari Mobile JKN" antrean::registrations;
    "POST" post "/v1/antrean/peserta/{id}" DESK 30 "Terima atau tolak pendaftaran pasien baru" antrean::answer_registration;
    "GET" get "/v1/antrean/{id}" DESK 30 "Satu antrean" antrean::show;
    "POST" post "/v1/antrean/{id}/state" DESK 30 "Ubah keadaan antrean" antrean::set_state;
    "GET" get "/v1/outages" ALL 30 "Daftar gangguan" outages::list;
    "POST" post "/v1/outages" ACT 30 "Buka gangguan secara manual" outages::open;
    "GET" get "/v1/outages/plans" ALL 30 "Pemeliharaan yang diumumkan" outages::plans;
    "POST" post "/v1/outages/plans" ACT 30 "Catat pemeliharaan yang diumumkan" outages::plan;
    "POST" post "/v1/outages/plans/{id}/withdraw" ACT 30 "Tarik kembali pemeliharaan yang diumumkan" outages::withdraw;
    "POST" post "/v1/outages/{id}/classify" ACT 30 "Golongkan gangguan, misalnya keadaan kahar" outages::classify;
    "GET" get "/v1/outages/{id}" ALL 30 "Satu gangguan" outages::show;
    "POST" post "/v1/outages/{id}/close" ACT 30 "Tutup gangguan" outages::close;
    "GET" get "/v1/reconciliations" COMPARED 30 "Daftar rekonsiliasi" reconciliations::list;
    "POST" post "/v1/reconciliations" COMPARE 900 "Bandingkan dengan BPJS" reconciliations::run;
    "GET" get "/v1/reconciliations/{id}" COMPARED 30 "Satu rekonsiliasi" reconciliations::show;
    "GET" get "/v1/obligations" COMPARED 30 "Kalender kewajiban" obligations::list;
    "GET" get "/v1/obligations.ics" COMPARED 30 "Kalender kewajiban sebagai iCalendar" obligations::calendar;
    "POST" post "/v1/obligations/{id}/done" ACT 30 "Tandai kewajiban selesai" obligations::done;
    "GET" get "/v1/obligations/events" COMPARED 30 "Peristiwa yang menentukan tanggal kewajiban" obligations::events;
    "POST" post "/v1/obligations/events" ACT 30 "Catat peristiwa" obligations::record;
    "POST" post "/v1/reconciliations/{id}/items/{n}/settle" ACT 30 "Selesaikan satu perbedaan" settle::settle;
    "GET" get "/v1/network" LOOK 30 "Entri jejaring dalam satu bulan" books::network;
    "GET" get "/v1/telekonsultasi" LOOK 30 "Buku catatan telekonsultasi satu bulan" books::telekonsultasi;
    "GET" get "/v1/claims" LOOK 60 "Klaim nonkapitasi satu bulan, entri demi entri" claims::list;
    "GET" get "/v1/reports/{kind}" LOOK 120 "Dokumen: PDF, XLSX, CSV, HTML, JSON" reports::make;
    "GET" get "/v1/pauses" LOOK 30 "Yang sedang dijeda" pauses::list;
    "POST" post "/v1/pauses" ACT 30 "Jeda pengiriman" pauses::pause;
    "DELETE" delete "/v1/pauses" ACT 30 "Lanjutkan pengiriman" pauses::resume;
    "GET" get "/v1/kept" LOOK 30 "Data simpanan untuk gangguan: referensi dan umurnya" kept::list;
    "DELETE" delete "/v1/kept" ACT 60 "Hapus semua data simpanan satu faskes" kept::clear;
    "POST" post "/v1/kept/refresh" ACT 30 "Ambil ulang referensi satu faskes" kept::refresh;
    "GET" get "/v1/status" LOOK 30 "Layar status" status::show;
    "GET" get "/v1/audit" ACT 30 "Log keamanan dengan rantai hash" audit::list;
    "GET" get "/openapi.json" OPEN 30 "Dokumen ini" openapi::document;
}

/// The row of a method and a matched path; HEAD is a GET without its body.
pub(super) fn rule(method: &str, path: &str) -> Option<&'static Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.method == method && rule.path == path)
}
