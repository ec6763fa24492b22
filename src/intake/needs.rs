//! Ids that a prerequisite must give: every open field needs one that can.

use super::Fault;
use super::after::{Before, closure};
use super::body::SubmissionBody;
use super::json::pointer;
use crate::catalogue::{Need, Operation, at, is_unset};

/// For every entry the prerequisites it needs besides those it names: where only something further along `after` can
/// fill an open field, it becomes a prerequisite of its own.
///
/// # Errors
/// Every open field that nothing before it can fill, with the remedy.
pub(super) fn complete(
    body: &SubmissionBody,
    operations: &[&Operation],
    before: &[Vec<Before>],
) -> Result<Vec<Vec<Before>>, Vec<Fault>> {
    let (mut completed, mut faults) = (before.to_vec(), Vec::new());
    for (i, (entry, operation)) in body.entries.iter().zip(operations).enumerate() {
        let payload = entry.payload.expose();
        let is_open = |need: &&Need| at(payload, &need.field).is_none_or(is_unset);
        for need in operation.needs.iter().filter(|need| !need.optional).filter(is_open) {
            match giver(need, operations, before, i) {
                Some(giver) => {
                    if let Some(list) = completed.get_mut(i).filter(|list| !list.contains(giver)) {
                        list.push(giver.clone());
                    }
                }
                None => faults.push(Fault::new(format!("/entries/{i}/payload{}", pointer(&need.field)), remedy(need))),
            }
        }
    }
    if faults.is_empty() { Ok(completed) } else { Err(faults) }
}

/// The nearest prerequisite that gives what is needed; the catalogue's order of operations decides first.
fn giver<'b>(need: &Need, operations: &[&Operation], before: &'b [Vec<Before>], place: usize) -> Option<&'b Before> {
    let all = closure(before, place);
    need.from.iter().find_map(|from| {
        all.iter().copied().find(|candidate| match candidate {
            Before::Own(other) => operations.get(*other).is_some_and(|operation| operation.name == *from),
            Before::Earlier(earlier) => earlier.operation == *from,
        })
    })
}

fn remedy(need: &Need) -> String {
    format!(
        "kosong, dan tidak ada entri pendahulu yang memberinya: isi {}, atau sebutkan entri {} pada \"after\"",
        need.field,
        need.from.join(" atau ")
    )
}
