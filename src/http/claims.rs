//! The claims of a month, entry by entry: which are entered, on their way, stopped, near their last date, without a
//! tariff, and which visits lack a procedure.
//!
//! Job: the book of `report::claims` as JSON. Invariant: the same book as the document's, so that both show the same.
//! What it does not do: reckon.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::App;
use super::auth::Caller;
use super::books::{self, Month, Sides};
use super::extract::Params;
use super::problem::Problem;
use crate::report::claims::{Book, Claimant, Earned, Input, Line, Missing, Shelf};
use crate::report::frame::Period;
use crate::report::journal::{Entry, Journal};

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let month = Month::read(&app, &caller, &mut params)?;
    let words = Shelf::ALL.iter().map(|shelf| shelf.word()).collect::<Vec<_>>().join(", ");
    let section = params.parsed("section", &format!("salah satu dari {words}"), Shelf::of_word)?;
    let share = books::share(&mut params)?;
    params.finish()?;
    let period = Period { from: month.from, to: month.to };
    let frame = app.frame(&month.facility, &caller).await?;
    let rows = books::journal(&app, &month.facility, period).await?;
    let sides = Sides::of(&app, &frame, period, share).await?;
    let input = sides.input(&app, &frame);
    let book = Book::new(&input, &Journal::new(&rows), &Journal::new(&sides.older));
    let counts: Map<String, Value> =
        Shelf::ALL.iter().map(|shelf| (shelf.word().to_owned(), json!(count(&book, *shelf)))).collect();
    let lines = book.lines.iter().filter(|line| match section {
        Some(shelf) => line.shelves.contains(&shelf) && (line.within || shelf == Shelf::Near),
        None => true,
    });
    let missing = book.missing.iter().filter(|_| section.is_none_or(|shelf| shelf == Shelf::Missing));
    let items: Vec<Value> =
        lines.map(|line| item(&input, line)).chain(missing.map(|one| absent(&input, one))).collect();
    Ok(Json(json!({
        "facility": month.facility, "month": month.word, "counts": counts, "items": items, "next": null,
    })))
}

fn count(book: &Book<'_>, shelf: Shelf) -> usize {
    if shelf == Shelf::Missing { book.missing.len() } else { book.of(shelf).count() }
}

fn claimant(claimant: &Claimant) -> Value {
    match claimant {
        Claimant::Facility => Value::Null,
        Claimant::Network(name) => json!(name),
    }
}

/// What lines and missing ones share; no name, card or diagnosis.
fn base(entry: &Entry<'_>) -> Value {
    let delivery = &entry.row.delivery;
    json!({
        "delivery": delivery.id.to_string(),
        "ref": format!("{}/{}", entry.row.reference, delivery.entry_ref),
        "client": entry.row.client,
        "operation": delivery.operation,
        "state": delivery.progress.state.word(),
        "why": delivery.progress.why.as_ref().map(|why| &why.code),
        "noKunjungan": entry.text("noKunjungan"),
    })
}

fn item(input: &Input<'_>, line: &Line<'_>) -> Value {
    let mut value = base(&line.entry);
    value["kind"] = json!(line.what.word());
    value["code"] = json!(line.code);
    value["date"] = json!(line.day);
    value["claimant"] = claimant(&line.claimant);
    value["cost"] = json!(line.entry.cost());
    value["tariff"] = match line.earned {
        Earned::Unknown => Value::Null,
        Earned::NoStay(tariff) => json!({ "id": tariff.id, "each": tariff.amount, "times": null, "amount": null }),
        Earned::Known { tariff, times } => {
            json!({ "id": tariff.id, "each": tariff.amount, "times": times, "amount": line.amount() })
        }
    };
    value["last"] = json!(line.last);
    value["left"] = json!(input.left(line.last));
    value["submit_by"] = json!(line.due.as_ref().map(|due| due.due));
    value["filed"] = json!(line.filed);
    value["sections"] = line.shelves.iter().map(|shelf| shelf.word()).collect();
    value["missing"] = Value::Null;
    value
}

fn absent(input: &Input<'_>, one: &Missing<'_>) -> Value {
    let mut value = base(&one.visit.entry);
    value["kind"] = json!("kunjungan");
    value["code"] = Value::Null;
    value["date"] = json!(one.visit.day());
    value["claimant"] = claimant(&one.claimant);
    value["cost"] = Value::Null;
    value["tariff"] = Value::Null;
    value["last"] = json!(one.last);
    value["left"] = json!(input.left(one.last));
    value["submit_by"] = Value::Null;
    value["filed"] = Value::Null;
    value["sections"] = json!([Shelf::Missing.word()]);
    value["missing"] = json!({ "rule": one.why.id, "text": one.why.text, "clause": one.why.clause });
    value
}
