//! Operations that only a catalogue file knows: what is added can be read again, whatever it is.
//!
//! Job: a route for every operation of an override directory that nothing here plays. Invariants: an add keeps its body
//! under the ids the catalogue names, made from a running number; a read shows the bodies that its placeholders and the
//! additions' fields agree on; a delete removes what its ids name. Neighbours: `services` finds them, `catalogue`
//! describes them. What it does not do: refuse; nobody says what such a service would refuse.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::routes::Call;
use super::texts;
use super::vclaim::no;
use super::world::{Done, Origin, Outcome, Refusal, World, text};
use crate::catalogue::{Kind, Operation, Service};

/// What such operations keep, by service.
pub(crate) type Shelves = BTreeMap<Service, Vec<Item>>;

/// Something that was added: the body as it came, and the ids it got.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    seq: u64,
    operation: String,
    ids: Map<String, Value>,
    content: Value,
    visible_from: Timestamp,
    origin: Origin,
}

impl Item {
    /// Its row in the ledger.
    pub(crate) fn shown(&self) -> Value {
        json!({ "seq": self.seq, "operation": self.operation, "ids": self.ids, "content": self.content,
            "origin": self.origin.as_str() })
    }

    /// The body with its ids, as reads show it.
    fn row(&self) -> Value {
        let mut row = self.content.clone();
        for (id, value) in &self.ids {
            row[id] = value.clone();
        }
        row
    }

    /// Whether a field that both sides have says the same on both.
    fn agrees(&self, wanted: &[(String, String)]) -> bool {
        let row = self.row();
        wanted.iter().all(|(field, value)| lookup(&row, field).is_none_or(|there| there == *value))
    }
}

/// A field of the row, or of an object within it under its last name.
fn lookup(row: &Value, field: &str) -> Option<String> {
    let whole = super::vclaim::at(row, field);
    let last = || field.rsplit_once('.').and_then(|(_, last)| text(row, last));
    whole.or_else(last)
}

/// An operation, with its path as a template.
#[derive(Debug)]
pub(crate) struct Generic {
    operation: Operation,
    templates: Vec<Template>,
}

/// A path with `{}` for its placeholders, and their names.
#[derive(Debug)]
struct Template {
    path: String,
    placeholders: Vec<String>,
}

impl Template {
    fn new(path: &str) -> Self {
        let parts = || path.trim_matches('/').split('/');
        let name = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).map(str::to_owned);
        let shown = parts().map(|part| if name(part).is_some() { "{}" } else { part });
        Self { path: shown.collect::<Vec<_>>().join("/"), placeholders: parts().filter_map(name).collect() }
    }
}

impl Generic {
    /// The operation behind a description.
    pub(crate) fn new(operation: Operation) -> Self {
        let paths = std::iter::once(&operation.path).chain(&operation.also);
        let templates = paths.map(|path| Template::new(path)).collect();
        Self { operation, templates }
    }

    pub(crate) const fn service(&self) -> Service {
        self.operation.service
    }

    pub(crate) const fn method(&self) -> &'static str {
        self.operation.method.word()
    }

    /// Its paths, with `{}` for placeholders.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &str> {
        self.templates.iter().map(|template| template.path.as_str())
    }

    pub(crate) fn name(&self) -> &str {
        &self.operation.name
    }

    pub(crate) fn is_write(&self) -> bool {
        self.operation.kind != Kind::Read
    }

    pub(crate) const fn has_body(&self) -> bool {
        self.operation.content_type.is_some()
    }

    /// Does it with what this service keeps.
    pub(crate) fn perform(&self, world: &mut World, call: &Call<'_>) -> Outcome {
        match self.operation.kind {
            Kind::Add => self.add(world, call),
            Kind::Edit => self.change(world, call, |item, body| {
                for (field, value) in body.as_object().into_iter().flatten() {
                    item.content[field] = value.clone();
                }
                true
            }),
            Kind::Delete => self.change(world, call, |_, _| false),
            Kind::Read => self.read(world, call),
        }
    }

    /// The body without what the catalogue wraps around it.
    fn inner(&self, body: &Value) -> Value {
        self.operation.unwrap_body(body.clone())
    }

    /// Whether the answer is sealed.
    pub(crate) const fn is_sealed(&self) -> bool {
        self.operation.dialect().sealed
    }

    /// Whether the P-Care web login must come along.
    pub(crate) const fn needs_login(&self) -> bool {
        self.operation.dialect().authorization
    }

    fn add(&self, world: &mut World, call: &Call<'_>) -> Outcome {
        let seq = world.next("seq");
        let mut ids = Map::new();
        for name in self.operation.gives.iter().chain(&self.operation.gives_also) {
            let number = world.next(&format!("generic {name}"));
            ids.insert(name.clone(), Value::String(format!("{}{number:06}", world.facility)));
        }
        let item = Item {
            seq,
            operation: self.operation.name.clone(),
            ids: ids.clone(),
            content: self.inner(call.body),
            visible_from: call.at.visible_from,
            origin: call.at.origin,
        };
        world.generic.entry(self.service()).or_default().push(item);
        let answer = self.created(&ids);
        Ok(if self.is_sealed() { Done::Created(answer) } else { Done::Plain(answer) })
    }

    /// The ids where the catalogue says that they stand: under the paths of `ids_at`, else as `{field, message}`.
    fn created(&self, ids: &Map<String, Value>) -> Value {
        if self.operation.ids_at.is_empty() {
            let mut pairs: Vec<_> = ids.iter().map(|(id, value)| json!({ "field": id, "message": value })).collect();
            return match pairs.len() {
                0 => Value::Null,
                1 => pairs.swap_remove(0),
                _ => Value::Array(pairs),
            };
        }
        let mut answer = json!({});
        for (id, value) in ids {
            match self.operation.ids_at.get(id).map(String::as_str) {
                Some(".") => return value.clone(),
                Some(path) => place(&mut answer, path, value.clone()),
                None => place(&mut answer, id, value.clone()),
            }
        }
        answer
    }

    /// What path and body say of the thing that is meant: placeholders, then ids and natural key of the body.
    fn wanted(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let template = self.templates.iter().find(|template| template.placeholders.len() == call.params.len());
        let names = template.into_iter().flat_map(|template| template.placeholders.iter().cloned());
        let of_path = names.zip(call.params.iter().cloned());
        let body = self.inner(call.body);
        let operation = &self.operation;
        let named = operation.natural_key.iter().chain(&operation.id_scope).chain(&operation.gives);
        let named = named.chain(operation.own_id.iter()).chain(operation.needs.iter().map(|need| &need.field));
        let of_body = named.filter_map(|field| Some((field.clone(), lookup(&body, field)?)));
        of_path.chain(of_body).collect()
    }

    fn change(&self, world: &mut World, call: &Call<'_>, how: impl Fn(&mut Item, &Value) -> bool) -> Outcome {
        let wanted = self.wanted(call);
        let body = self.inner(call.body);
        let shelf = world.generic.entry(self.service()).or_default();
        let mut met = false;
        shelf.retain_mut(|item| {
            if !same_thing(item, &wanted) {
                return true;
            }
            met = true;
            how(item, &body)
        });
        if met { Ok(Done::Changed(Value::Null)) } else { Err(nothing(self.service())) }
    }

    fn read(&self, world: &World, call: &Call<'_>) -> Outcome {
        let search = self.operation.search.clone().unwrap_or_default();
        let paging: Vec<String> = [search.start, search.limit, search.term].into_iter().flatten().collect();
        let mut wanted = self.wanted(call);
        wanted.retain(|(field, _)| !paging.contains(field));
        let shelf = world.generic.get(&self.service()).into_iter().flatten();
        let rows = shelf.filter(|item| item.visible_from <= call.at.now && item.agrees(&wanted)).map(Item::row);
        let rows: Vec<Value> = rows.collect();
        if rows.is_empty() { Err(nothing(self.service())) } else { Ok(self.shown(rows)) }
    }

    /// The rows where the catalogue says that they stand.
    fn shown(&self, rows: Vec<Value>) -> Done {
        let mut answer = json!({});
        if self.service() == Service::Pcare {
            answer["count"] = json!(rows.len());
        }
        place(&mut answer, self.operation.rows.as_deref().unwrap_or("list"), Value::Array(rows));
        if self.is_sealed() { Done::Found(answer) } else { Done::Plain(answer) }
    }
}

/// Puts a value under a name with dots, making the objects on the way.
fn place(answer: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => answer[path] = value,
        Some((step, rest)) => {
            if !answer[step].is_object() {
                answer[step] = json!({});
            }
            place(&mut answer[step], rest, value);
        }
    }
}

/// Whether an edit or a delete means this item: something it names is there and the same, and nothing differs.
fn same_thing(item: &Item, wanted: &[(String, String)]) -> bool {
    let row = item.row();
    let named = wanted.iter().filter(|(field, value)| lookup(&row, field).as_deref() == Some(value.as_str())).count();
    named > 0 && item.agrees(wanted)
}

/// *Nothing found*, as the service says it.
fn nothing(service: Service) -> Refusal {
    match service {
        Service::Pcare => Refusal::nothing(),
        Service::Vclaim | Service::AntreanFktp | Service::Icare => no(texts::NO_DATA),
    }
}
