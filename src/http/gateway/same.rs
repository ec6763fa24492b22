//! What makes two calls the same call.
//!
//! Job: the key of a write, in which one thing has one name: a number of BPJS that this bridge's own entry brought, and
//! the provisional number that stood for it, both count as that entry. Invariants: pure but for the question who owns a
//! number; what is sent is not touched. What it does not do: remember ([`crate::store::Store::standing`]).

use serde_json::Value;

use super::Call;
use super::answer::Reply;
use super::numbers::Number;
use super::outcome::store_down;
use crate::catalogue::{Need, at, is_unset};
use crate::intake::{self, json::canonical};
use crate::secret::Private;

/// The key of a call.
pub(super) struct Key {
    /// Values of the natural key, or the body.
    pub(super) parts: Private<Vec<String>>,
    /// Whether it is the natural key.
    pub(super) is_natural: bool,
    /// Fields that name another entry of ours.
    pub(super) links: Vec<String>,
}

/// The key of a call: `raw` as the client sent it, `payload` as it is handed in.
pub(super) async fn key(call: &Call<'_>, raw: &Value, payload: &Value, found: &[Number]) -> Result<Key, Reply> {
    let mut named = raw.clone();
    let mut links = Vec::new();
    for need in &call.operation.needs {
        let Some(given) = at(raw, &need.field).filter(|value| !is_unset(value)) else { continue };
        let own = found.iter().find(|number| given.as_str() == Some(&number.value));
        let owner = match own {
            Some(number) => Some(number.owner.delivery.id),
            None => owner(call, payload, need).await?,
        };
        if let Some(owner) = owner {
            put(&mut named, &need.field, Value::String(format!("pengantaran {owner}")));
            links.push(need.field.clone());
        }
    }
    let natural = intake::natural_key(call.operation, &named);
    let is_natural = natural.is_some();
    let parts = natural.unwrap_or_else(|| Private::new(vec![canonical(&named)]));
    Ok(Key { parts, is_natural, links })
}

/// The entry of ours that brought the number in a field.
async fn owner(call: &Call<'_>, payload: &Value, need: &Need) -> Result<Option<crate::queue::DeliveryId>, Reply> {
    let Some(id) = at(payload, &need.field).and_then(intake::text_of) else { return Ok(None) };
    for from in need.from.iter().filter_map(|from| call.app.catalogue.operation(from)) {
        if from.gives.first() != Some(&need.id) {
            continue;
        }
        let scope = intake::scope_values(from, |field| at(payload, field).and_then(intake::text_of));
        let Some(scope) = scope else { continue };
        let ids = std::slice::from_ref(&id);
        let owners = call.app.store.owners(&call.facility, &from.name, &scope, ids).await;
        if let Some(owner) = owners.map_err(|error| store_down(&error))?.into_iter().flatten().next() {
            return Ok(Some(owner));
        }
    }
    Ok(None)
}

/// Whether a body says the same as one that is kept: fields that name another entry of ours were compared with the key.
pub(super) fn says_the_same(key: &Key, ours: &Value, kept: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        key.links.iter().for_each(|field| put(&mut value, field, Value::Null));
        canonical(&value)
    };
    without(ours) == without(kept)
}

/// Puts a value where something stands already.
fn put(value: &mut Value, name: &str, new: Value) {
    let place = name.split('.').try_fold(value, |value, step| value.get_mut(step));
    if let Some(place) = place {
        *place = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn links_do_not_count_in_the_comparison_and_everything_else_does() {
        let key = Key { parts: Private::new(Vec::new()), is_natural: true, links: vec!["a.b".to_owned()] };
        assert!(says_the_same(&key, &json!({ "a": { "b": "1" }, "c": 2 }), &json!({ "c": 2, "a": { "b": null } })));
        assert!(!says_the_same(&key, &json!({ "a": { "b": "1" }, "c": 2 }), &json!({ "c": 3, "a": { "b": "1" } })));
    }
}
