//! Reads while BPJS is away: what is kept, marked as such; and keeping what BPJS answers.
//!
//! Job: between a gateway call and [`crate::keep`]. Invariants: a kept answer says that it is one, in headers and in the
//! envelope's words, and since when it is known; what may be incomplete, or of a member who was not looked up this month,
//! says so too; keeping an answer never makes its client wait. What it does not do: decide what is kept, or when BPJS is
//! away ([`super::read`]).

use std::sync::Arc;

use super::Call;
use super::answer::{Content, Reply, Source};
use crate::keep::{Ask, Caution, Served};
use crate::remote::Passed;

/// Answers that are being kept at once; one that comes while so many wait is not kept.
pub(super) const AT_ONCE: usize = 64;

/// Keeps what BPJS has just answered, beside the answer.
pub(super) fn keep(call: &Call<'_>, passed: &Passed) {
    if !call.gateway.keep.keeps(call.operation) {
        return;
    }
    let Ok(permit) = Arc::clone(&call.gateway.keeping).try_acquire_owned() else { return };
    let (keep, catalogue) = (Arc::clone(&call.gateway.keep), Arc::clone(&call.app.catalogue));
    let (facility, name, params) = (call.facility.clone(), call.operation.name.clone(), call.params.clone());
    let (passed, now) = (passed.clone(), call.app.clock.now());
    tokio::spawn(async move {
        let _permit = permit;
        let Some(operation) = catalogue.operation(&name) else { return };
        let ask = Ask { facility: &facility, operation, params: &params };
        if let Err(error) = keep.heard(ask, &passed, now).await {
            tracing::warn!(%error, operation = name, "an answer was not kept");
        }
    });
}

/// What is kept for this call, if anything is.
pub(super) async fn give(call: &Call<'_>) -> Option<Reply> {
    let zone = call.app.facility(&call.facility)?.timezone.clone();
    let ask = Ask { facility: &call.facility, operation: call.operation, params: &call.params };
    let served = match call.gateway.keep.served(ask, &zone, call.app.clock.now()).await {
        Ok(served) => served?,
        Err(error) => {
            tracing::warn!(%error, operation = call.operation.name, "what is kept cannot be read");
            return None;
        }
    };
    let Served { answer, as_of, caution } = served;
    let local = as_of.to_zoned(zone);
    let known = local.strftime("%d-%m-%Y %H:%M").to_string();
    let (words, notice) = match caution {
        None => ("", None),
        Some(Caution::Incomplete) => {
            (" Daftar ini mungkin tidak lengkap.", Some("daftar simpanan, mungkin tidak lengkap"))
        }
        Some(Caution::MonthNotChecked) => (
            " Status kepesertaan untuk bulan ini BELUM diperiksa ke BPJS dan dapat berubah sejak tanggal 1.",
            Some("status kepesertaan bulan ini belum diperiksa ke BPJS"),
        ),
    };
    let said = answer.message.into_inner();
    let message =
        format!("{said} (data simpanan jembatan per {known}; BPJS sedang tidak terjangkau).{words}").trim().to_owned();
    let value = answer.value.into_inner();
    let content = if answer.sealed { Content::Sealed(value) } else { Content::Plain(value) };
    let as_of = Some(local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
    let reply =
        Reply { status: Some(answer.status), source: Source::Cache, as_of, notice, ..Reply::own(answer.code, message) };
    Some(reply.with(content))
}

/// The words of a call that nothing is kept for, where something might have been.
pub(super) fn and_nothing(call: &Call<'_>, words: String) -> String {
    if call.gateway.keep.keeps(call.operation) {
        format!("{words} Jembatan tidak menyimpan jawaban untuk permintaan ini.")
    } else {
        words
    }
}
