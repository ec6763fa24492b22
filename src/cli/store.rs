//! `jembatan store`: moving from SQLite to PostgreSQL.
//!
//! Job: both databases stopped, everything copied and compared, the source closed to daemons. Invariant: at no moment can
//! daemons run on both: the source is closed before the first row is read, and opened again (`--give-up`) only where the
//! target has nothing. What it does not do: change the configuration.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Language;
use super::root::CliError;
use super::words::table;
use crate::clock::Clock;
use crate::config::{Config, StoreUrl};
use crate::daemon;
use crate::store::postgres::moving::{Arrived, By, Moved, has_arrived, take_in};
use crate::store::sqlite::moving::Source;
use crate::vault::KeyAccess;

/// Arguments of `jembatan store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// Basis data (the database).
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Memindahkan semua isi dari SQLite ke PostgreSQL; jembatan harus mati (move everything; the daemon must be stopped)
    Migrate(MigrateArgs),
}

/// Arguments of `jembatan store migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Asal, sqlite:/jalur; tanpa ini store.url (from; without: store.url)
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// Tujuan, postgres://…; tanpa ini store.url (to; without: store.url)
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Membatalkan pemindahan yang belum selesai: asal boleh dipakai lagi (give an unfinished move up)
    #[arg(long)]
    pub give_up: bool,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Runs one of them.
///
/// # Errors
/// The databases are not as they must be, or do not answer.
pub fn run(args: &StoreArgs, config: &Config, language: Language) -> Result<(), CliError> {
    let StoreCommand::Migrate(args) = &args.command;
    let url = |given: &Option<String>| match given {
        None => Ok(config.store.url.clone()),
        Some(text) => {
            StoreUrl::of(text).ok_or_else(|| CliError::Other(anyhow::anyhow!("URL: sqlite:/… · postgres://…")))
        }
    };
    let (StoreUrl::Sqlite(from), StoreUrl::Postgres(to)) = (url(&args.from)?, url(&args.to)?) else {
        let text = language.pick(
            "dari sqlite:/… ke postgres://…: beri yang tidak ada di store.url dengan --from atau --to",
            "from sqlite:/… to postgres://…: give the one that is not in store.url with --from or --to",
        );
        return Err(CliError::Other(anyhow::anyhow!(text)));
    };
    let source = Source::open(&from).with_context(|| from.display().to_string())?;
    let settings = || daemon::postgres_settings(config, to.clone(), &KeyAccess::of_process()).context("PostgreSQL");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().context("tokio")?;
    if args.give_up {
        let may = !source.is_moved().context("meta")?
            && !runtime.block_on(has_arrived(&source, settings()?)).context("PostgreSQL")?;
        return give_up(&source, may, language);
    }
    source.begin().context("meta")?;
    let by = By { actor: actor(), at: Clock::system().now(), from: format!("sqlite:{}", from.display()) };
    let moved = runtime.block_on(take_in(&source, settings()?, &by, |one| {
        if !args.json {
            eprintln!("{}: {}", one.table, one.sum.rows);
        }
    }));
    let moved = moved.with_context(|| {
        language.pick(
            "tidak ada yang berpindah; jalankan lagi, atau batalkan dengan --give-up",
            "nothing has moved; run it again, or give it up with --give-up",
        )
    })?;
    source.done().context("meta")?;
    tell(&moved, args.json, language);
    Ok(())
}

/// Who runs this, as the system knows: nobody else has to do with two stopped databases.
fn actor() -> String {
    format!("operator (uid {})", rustix::process::getuid().as_raw())
}

/// Opens the source again, if the target has nothing of it.
fn give_up(source: &Source, may: bool, language: Language) -> Result<(), CliError> {
    if !may {
        let text = language.pick(
            "isi sudah ada di PostgreSQL: jalankan 'jembatan store migrate' lagi sampai selesai, lalu pakai PostgreSQL",
            "everything is in PostgreSQL already: run 'jembatan store migrate' again to its end, then use PostgreSQL",
        );
        return Err(CliError::NeedsPerson(text.to_owned()));
    }
    source.give_up().context("meta")?;
    say!(
        "{}",
        language.pick("Pemindahan dibatalkan; SQLite boleh dipakai lagi.", "Given up; SQLite may be used again.")
    );
    Ok(())
}

fn tell(moved: &Moved, as_json: bool, language: Language) {
    let arrived: &[Arrived] = match moved {
        Moved::Now(arrived) => arrived,
        Moved::Before => &[],
    };
    if as_json {
        let row = |one: &Arrived| json!({ "table": one.table, "rows": one.sum.rows, "sum": one.sum.text() });
        let before = *moved == Moved::Before;
        say!("{}", json!({ "tables": arrived.iter().map(row).collect::<Vec<_>>(), "before": before }));
        return;
    }
    let head = match language {
        Language::Indonesian => ["TABEL", "BARIS", "JUMLAH PERIKSA"],
        Language::English => ["TABLE", "ROWS", "SUM"],
    };
    let row = |one: &Arrived| vec![one.table.clone(), one.sum.rows.to_string(), one.sum.text()];
    if !arrived.is_empty() {
        say!("{}", table(&head, &arrived.iter().map(row).collect::<Vec<_>>()));
    }
    say!(
        "{}",
        language.pick(
            "Selesai. SQLite tidak akan dipakai lagi: atur store.url ke PostgreSQL, jalankan 'jembatan check', lalu nyalakan.",
            "Done. SQLite will not be used again: set store.url to PostgreSQL, run 'jembatan check', then start."
        )
    );
}
