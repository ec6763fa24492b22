//! Reads: passed through under the facility's own credentials.
//!
//! Every read that BPJS answered leaves through [`answered`], every one that it did not through [`unavailable`]: there
//! what may be kept is kept, and here what is kept is given ([`super::kept`]).

use std::time::Duration;

use serde_json::Value;

use super::Call;
use super::answer::{Content, Reply, Source};
use super::{kept, numbers, outcome};
use crate::catalogue::render_path;
use crate::protocol::sign::Stamp;
use crate::queue::Outcome;
use crate::remote::{Answer, Passed, ReadFailure};
use crate::secret::Private;

/// Longest wait for a place in the lane's rate.
const QUEUE: Duration = Duration::from_secs(10);

pub(super) async fn answer(call: Call<'_>) -> Reply {
    match pass(&call).await {
        Ok(reply) | Err(reply) => reply,
    }
}

async fn pass(call: &Call<'_>) -> Result<Reply, Reply> {
    let Call { gateway, operation, facility, .. } = call;
    if !gateway.remote.serves(facility, operation.service) {
        let word = operation.service.word();
        return Err(Reply::own(
            404,
            format!("Layanan {word} tidak dikonfigurasi untuk faskes ini ([facility.{word}])."),
        ));
    }
    let (path, body) = with_real_numbers(call).await?;
    let lane = gateway.lane(facility, operation.service);
    if lane.is_some_and(outcome::is_open) {
        return Ok(unavailable(call, None).await);
    }
    let admitted = tokio::time::timeout(QUEUE, gateway.remote.admit(facility, operation.service)).await;
    admitted
        .map_err(|_| Reply::own(429, "Batas panggilan ke BPJS per detik tercapai; coba lagi sebentar.").after(1))?;
    let stamp = Stamp::at(call.app.clock.now());
    let passed = gateway.remote.pass(facility, operation, &path, body, stamp).await;
    if let Some(lane) = lane {
        let evidence = passed.as_ref().map_or_else(|failure| failure.evidence, |passed| passed.evidence);
        lane.heard(evidence, call.app.clock.now());
    }
    Ok(match passed {
        Ok(passed) => answered(call, passed),
        Err(failure) => unavailable(call, Some(&failure)).await,
    })
}

/// BPJS answered, be it with a no: as it gave it, sealed anew where it came sealed.
fn answered(call: &Call<'_>, passed: Passed) -> Reply {
    kept::keep(call, &passed);
    let Passed { status, code, message, response, packed, .. } = passed;
    let content = match response.into_inner() {
        Answer::Absent => Content::Absent,
        Answer::Plain(value) => Content::Plain(value),
        Answer::Sealed(value) => match packed {
            Some(packed) => Content::Packed(value, packed),
            None => Content::Sealed(value),
        },
        // It was sealed for the facility's real credentials: no use to this client.
        Answer::Shut(_) => {
            let words = "Jawaban BPJS tidak dapat dibuka: periksa jam server dan secret_key ('jembatan check').";
            return Reply { source: Source::Bridge, ..Reply::own(502, words) };
        }
    };
    Reply { status: Some(status), source: Source::Bpjs, ..Reply::own(code, message.into_inner()).with(content) }
}

/// BPJS did not answer: what is kept, or in its envelope, at once, the reason.
async fn unavailable(call: &Call<'_>, failure: Option<&ReadFailure>) -> Reply {
    if failure.is_none_or(|failure| is_outage(failure.outcome.as_ref()))
        && let Some(reply) = kept::give(call).await
    {
        return reply;
    }
    let word = call.operation.service.word();
    let Some(failure) = failure else {
        let words = format!("BPJS ({word}) sedang tidak terjangkau; jembatan memeriksanya terus. Coba lagi nanti.");
        return Reply::own(503, kept::and_nothing(call, words)).after(15);
    };
    refused(call, failure)
}

/// Whether a failed read means that BPJS is away, and not that the call or the facility's set-up is at fault.
fn is_outage(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::NotSent { why } => !["vault", "config", "argument"].iter().any(|own| why.starts_with(own)),
        Outcome::NoAnswer { .. }
        | Outcome::Unavailable { .. }
        | Outcome::Unreadable { .. }
        | Outcome::AcceptedUnread { .. }
        | Outcome::Fault(_) => true,
        Outcome::Accepted(_)
        | Outcome::AlreadyThere(_)
        | Outcome::NotFound(_)
        | Outcome::Refused(_)
        | Outcome::NotAuthorised(..)
        | Outcome::RateLimited { .. } => false,
    }
}

fn refused(call: &Call<'_>, failure: &ReadFailure) -> Reply {
    let word = call.operation.service.word();
    match failure.outcome.as_ref() {
        Outcome::RateLimited { .. } => Reply::own(429, "BPJS meminta jeda; coba lagi sebentar.").after(5),
        Outcome::NotSent { why } if why.starts_with("vault") || why.starts_with("config") => {
            Reply::own(503, "Kredensial faskes ini belum lengkap di jembatan; hubungi petugas ('jembatan check').")
        }
        Outcome::NotSent { why } if why.starts_with("argument") => {
            Reply::own(400, "Alamat memuat bagian yang tidak dapat diteruskan (mis. '..').")
        }
        Outcome::NoAnswer { .. } => {
            let words = format!("BPJS ({word}) tidak menjawab pada waktunya; coba lagi nanti.");
            Reply::own(504, kept::and_nothing(call, words)).after(5)
        }
        Outcome::Accepted(_)
        | Outcome::AcceptedUnread { .. }
        | Outcome::AlreadyThere(_)
        | Outcome::NotFound(_)
        | Outcome::Refused(_)
        | Outcome::NotAuthorised(..)
        | Outcome::Fault(_)
        | Outcome::Unavailable { .. }
        | Outcome::NotSent { .. }
        | Outcome::Unreadable { .. } => {
            let words = format!("BPJS ({word}) sedang tidak terjangkau ({}); coba lagi nanti.", failure.why);
            Reply::own(503, kept::and_nothing(call, words)).after(5)
        }
    }
}

/// The path and body with BPJS's numbers in place of provisional ones.
async fn with_real_numbers(call: &Call<'_>) -> Result<(String, Option<Private<String>>), Reply> {
    let found = numbers::find(call).await?;
    let mut body = call.body.expose().clone();
    if found.is_empty() {
        let body = (!body.is_null()).then(|| Private::new(body.to_string()));
        return Ok((call.path.clone(), body));
    }
    for number in &found {
        if number.real.is_none() {
            return Err(outcome::receipt_of(call, &number.owner.delivery).await);
        }
    }
    numbers::put_real(&mut body, &found);
    let value = |name: &str| {
        let given = call.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())?;
        let real = found.iter().find(|number| number.value == given).and_then(|number| number.real.clone());
        Some(real.unwrap_or(given))
    };
    // The template that the call fits: the one with the same placeholders.
    let operation = call.operation;
    let template = std::iter::once(&operation.path).chain(&operation.also).find(|template| {
        template.matches('{').count() == call.params.len()
            && call.params.iter().all(|(name, _)| template.contains(&format!("{{{name}}}")))
    });
    let path = render_path(template.unwrap_or(&operation.path), value);
    let path = path.map_err(|_| Reply::own(400, "Alamat memuat bagian yang kosong atau tidak sah."))?;
    Ok((path, (body != Value::Null).then(|| Private::new(body.to_string()))))
}
