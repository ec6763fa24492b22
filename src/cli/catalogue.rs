//! `jembatan catalogue`: the operations this program knows, and where each comes from. Works without the daemon.
//!
//! Job: list and show the catalogue as the configuration makes it: shipped tables and the override directory over them.
//! Invariants: what is shown is what would be loaded. Neighbours: `catalogue` loads. What it does not do: call BPJS, read
//! anything of the configuration but `[catalogue]`.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Language;
use super::root::CliError;
use super::words::table;
use crate::catalogue::{Catalogue, Changed, Field, Operation, Service};
use crate::config::Config;

/// Arguments of `jembatan catalogue`.
#[derive(Debug, Args)]
pub struct CatalogueArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: CatalogueCommand,
}

/// Katalog operasi BPJS (the catalogue of operations).
#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// Semua operasi: metode, alamat, sumber, diubah atau tidak (every operation)
    List {
        /// Hanya layanan ini (only this service)
        #[arg(long, value_name = "LAYANAN", value_parser = ["pcare", "vclaim", "antrean_fktp", "icare"])]
        service: Option<String>,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Satu operasi dengan isiannya (one operation with its fields)
    Show {
        /// Nama operasi, mis. vclaim.sep.add (its name)
        #[arg(value_name = "OPERASI")]
        operation: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
}

/// Runs `jembatan catalogue`. Without a configuration file the shipped tables are shown.
///
/// # Errors
/// The configuration or a table is wrong, or there is no such operation.
pub fn run(args: &CatalogueArgs, path: &Path, language: Language) -> Result<(), CliError> {
    let dir = if path.exists() { Config::load(path, std::env::vars())?.catalogue.dir } else { None };
    let catalogue = Catalogue::with_overrides(dir.as_deref()).map_err(anyhow::Error::from)?;
    match &args.command {
        CatalogueCommand::List { service, json } => {
            let service = service.as_deref().and_then(Service::of_word);
            list(&catalogue, service, *json, language);
            Ok(())
        }
        CatalogueCommand::Show { operation, json } => {
            let Some(found) = catalogue.operation(operation) else {
                let words = language.pick("tidak ada operasi bernama", "there is no operation named");
                return Err(anyhow::anyhow!("{words} {operation}").into());
            };
            if *json {
                say!("{}", shown(&catalogue, found));
            } else {
                say!("{}", text(&catalogue, found, language));
            }
            Ok(())
        }
    }
}

/// A change by the override directory, in words.
pub(super) const fn changed(how: Changed, language: Language) -> &'static str {
    match (how, language) {
        (Changed::Added, Language::Indonesian) => "ditambah",
        (Changed::Replaced, Language::Indonesian) => "diganti",
        (Changed::Retired, Language::Indonesian) => "dihentikan",
        (how, Language::English) => how.word(),
    }
}

fn change_of(catalogue: &Catalogue, operation: &Operation) -> Option<(Changed, String)> {
    let change = catalogue.changes().iter().rev().find(|change| change.operation == operation.name)?;
    Some((change.how, format!("{}:{}", change.table, change.line)))
}

fn list(catalogue: &Catalogue, service: Option<Service>, as_json: bool, language: Language) {
    let wanted = |operation: &&Operation| service.is_none_or(|service| operation.service == service);
    let operations = catalogue.operations().filter(wanted);
    if as_json {
        let items: Vec<Value> = operations.map(|operation| brief(catalogue, operation)).collect();
        say!("{}", json!({ "items": items }));
        return;
    }
    let head = match language {
        Language::Indonesian => ["OPERASI", "METODE", "ALAMAT", "DIUBAH", "SUMBER"],
        Language::English => ["OPERATION", "METHOD", "PATH", "CHANGED", "SOURCE"],
    };
    let rows = operations.map(|operation| {
        let change = change_of(catalogue, operation);
        let change = change.map_or_else(String::new, |(how, place)| format!("{} ({place})", changed(how, language)));
        let method = operation.method.word().to_owned();
        vec![operation.name.clone(), method, operation.path.clone(), change, operation.source.clone()]
    });
    say!("{}", table(&head, &rows.collect::<Vec<_>>()));
}

fn brief(catalogue: &Catalogue, operation: &Operation) -> Value {
    let change = change_of(catalogue, operation);
    json!({
        "operation": operation.name,
        "service": operation.service.word(),
        "title": operation.title,
        "write": operation.is_write(),
        "method": operation.method.word(),
        "path": operation.path,
        "source": operation.source,
        "retired": operation.retired,
        "changed": change.as_ref().map(|(how, _)| how.word()),
        "table": change.map(|(_, place)| place),
    })
}

fn shown(catalogue: &Catalogue, operation: &Operation) -> Value {
    let mut value = brief(catalogue, operation);
    let dialect = operation.dialect();
    value["schema"] = operation.schema();
    value["wrap"] = json!(operation.wrap);
    value["gives"] = json!(operation.gives);
    value["needs"] = operation.needs.iter().map(|need| json!({ "field": need.field, "from": need.from })).collect();
    value["look_up"] = json!(operation.look_up.as_ref().map(|plan| &plan.read));
    value["content_type"] = json!(operation.content_type);
    value["dialect"] = json!({
        "envelope": dialect.envelope.word(),
        "success": dialect.success,
        "authorization": dialect.authorization,
        "sealed": dialect.sealed,
    });
    value
}

fn text(catalogue: &Catalogue, operation: &Operation, language: Language) -> String {
    let mut lines = vec![
        format!("{} · {}", operation.name, operation.title),
        format!("{} {}", operation.method.word(), operation.path),
        operation.source.clone(),
    ];
    if let Some((how, place)) = change_of(catalogue, operation) {
        lines.push(format!("{} ({place})", changed(how, language)));
    }
    let head = match language {
        Language::Indonesian => ["ISIAN", "WAJIB", "KETERANGAN"],
        Language::English => ["FIELD", "REQUIRED", "WHAT"],
    };
    let must = |field: &Field| if field.required { language.pick("ya", "yes") } else { "" };
    let fields = operation.fields.iter();
    let rows = fields.map(|(name, field)| vec![name.clone(), must(field).to_owned(), field.title.clone()]);
    lines.push(table(&head, &rows.collect::<Vec<_>>()));
    lines.join("\n")
}
