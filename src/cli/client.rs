//! `jembatan client`: who may talk to the bridge.
//!
//! Job: the command functions of `client add · list · revoke`. Invariants: a token is printed once, by `add`, and kept
//! nowhere. Neighbours: [`crate::vault::Clients`]. What it does not do: need the daemon; a running one sees the change at
//! its next request.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::Console;
use crate::config::VaultConfig;
use crate::vault::{ClientInfo, Clients, Grant, KeyAccess, Kind, NewClient, Role, Vault, VaultError};

/// Arguments of `jembatan client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: ClientCommand,
}

/// Klien SIM, klien gateway, dan operator (SIM clients, gateway clients and operators).
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Menambah klien dan mencetak tokennya sekali (add a client, print its token once)
    Add {
        /// Nama klien, misalnya sim-poli (client name)
        #[arg(value_name = "NAMA")]
        name: String,
        /// Kode faskes; boleh diulang (facility code, repeatable)
        #[arg(long, value_name = "KODE", required = true)]
        facility: Vec<String>,
        /// Beri juga kredensial lokal untuk gateway /ws (local credentials for the gateway too)
        #[arg(long)]
        gateway: bool,
        /// Peran (role)
        #[arg(long, value_enum, default_value_t = Role::Sim)]
        role: Role,
        /// Jenis klien jejaring, untuk laporan bulanan dan klaim; hanya dengan --role network (kind of the network)
        #[arg(long, value_enum, value_name = "JENIS")]
        kind: Option<Kind>,
        /// Masa berlaku token dalam hari; sandi mobile-jkn berlaku sampai dicabut (days the token lives)
        #[arg(long, value_name = "HARI", default_value_t = 365, value_parser = clap::value_parser!(u16).range(0..=365))]
        days: u16,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Daftar klien (list clients)
    List {
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Mencabut hak klien, berlaku pada permintaan berikutnya (revoke, from the next request on)
    Revoke {
        /// Nama klien (client name)
        #[arg(value_name = "NAMA")]
        name: String,
    },
}

/// Runs one client command.
///
/// # Errors
/// Whatever the client list or the vault answers.
pub fn run(
    args: &ClientArgs,
    place: &VaultConfig,
    access: KeyAccess,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), VaultError> {
    let clients = Clients::open(&place.path)?;
    match &args.command {
        ClientCommand::Add { gateway: true, role: Role::MobileJkn, .. } => Err(VaultError::MobileJknAlone),
        ClientCommand::Add { name, facility, gateway, role, kind, days, json } => {
            let (name, facilities) = (name.clone(), facility.clone());
            let new = NewClient { name, facilities, role: *role, kind: *kind, days: *days };
            // Only a gateway client has something to seal, so only then is the key needed.
            let vault = gateway.then(|| Vault::open(&place.path, &place.key, access)).transpose()?;
            let grant = clients.add(&new, vault.as_ref(), now)?;
            if *json { print_json(&grant, console) } else { print(&grant, console) }
        }
        ClientCommand::List { json } => list(&clients, *json, now, console),
        ClientCommand::Revoke { name } => {
            clients.revoke(name, now)?;
            let revoked = console.language.pick("dicabut", "revoked");
            console.say(&format!("{name}: {revoked}"))
        }
    }
}

fn print_json(grant: &Grant, console: &mut Console<'_>) -> Result<(), VaultError> {
    if grant.client.role == Role::MobileJkn {
        let (name, password) = (&grant.client.name, grant.token.expose().as_str());
        return console.json(&json!({ "name": name, "username": name, "password": password }));
    }
    let mut value = json!({ "name": grant.client.name, "token": grant.token.expose().as_str() });
    if let Some(local) = &grant.gateway {
        value["cons_id"] = local.cons_id.expose().into();
        value["secret_key"] = local.secret_key.expose().into();
        value["user_key"] = local.user_key.expose().into();
        value["username"] = local.username.expose().into();
        value["password"] = local.password.expose().into();
    }
    console.json(&value)
}

fn print(grant: &Grant, console: &mut Console<'_>) -> Result<(), VaultError> {
    if grant.client.role == Role::MobileJkn {
        console.say(&format!("username    {}", grant.client.name))?;
        console.say(&format!("password    {}", grant.token.expose().as_str()))?;
        return console.remark(
            "Berikan keduanya kepada BPJS (header x-username dan x-password). Catat sekarang: tidak akan ditampilkan lagi.",
            "Give both to BPJS (headers x-username and x-password). Write them down now: they will not be shown again.",
        );
    }
    console.say(&format!("name        {}", grant.client.name))?;
    console.say(&format!("token       {}", grant.token.expose().as_str()))?;
    if let Some(local) = &grant.gateway {
        console.say(&format!("cons_id     {}", local.cons_id.expose()))?;
        console.say(&format!("secret_key  {}", local.secret_key.expose()))?;
        console.say(&format!("user_key    {}", local.user_key.expose()))?;
        console.say(&format!("username    {}", local.username.expose()))?;
        console.say(&format!("password    {}", local.password.expose()))?;
    }
    console.remark("Catat sekarang: tidak akan ditampilkan lagi.", "Write it down now: it will not be shown again.")
}

fn list(clients: &Clients, json: bool, now: Timestamp, console: &mut Console<'_>) -> Result<(), VaultError> {
    let items = clients.list()?;
    if json {
        return console.json(&json!({ "items": items }));
    }
    if items.is_empty() {
        return console.remark("Belum ada klien.", "No clients yet.");
    }
    for client in &items {
        let state = state(client, now, console);
        let facilities = client.facilities.join(",");
        let kind = match (client.gateway, client.kind) {
            (true, _) => "gateway".to_owned(),
            (false, kind) => kind.map(|kind| kind.to_string()).unwrap_or_default(),
        };
        let ClientInfo { id, name, role, .. } = client;
        console.say(&format!("{id}  {name:<24} {role:<8} {facilities}  {kind:<7} {state}"))?;
    }
    Ok(())
}

fn state(client: &ClientInfo, now: Timestamp, console: &Console<'_>) -> String {
    let (word, at) = match client.revoked_at {
        Some(at) => (console.language.pick("dicabut", "revoked"), at),
        None if now >= client.expires_at => (console.language.pick("kedaluwarsa", "expired"), client.expires_at),
        None => (console.language.pick("berlaku sampai", "valid until"), client.expires_at),
    };
    format!("{word} {at:.0}")
}
