//! Opens the database that `store.url` names.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::{StartError, nodes};
use crate::catalogue::Catalogue;
use crate::config::{Config, StoreUrl};
use crate::secret::Private;
use crate::store::postgres::{self, PostgresStore};
use crate::store::sqlite::{self, SqliteStore};
use crate::store::{Opened, Sealer, SharedStore};
use crate::vault::{KeyAccess, KeySource, Vault};

/// Opens it, with what the vault seals rows with.
pub(super) async fn open(
    config: &Config,
    vault: &Vault,
    catalogue: &Arc<Catalogue>,
) -> Result<(SharedStore, Opened), StartError> {
    let sealer = Sealer::new(vault.store_key()?.expose(), vault.index_key()?.expose());
    let catalogue = Arc::clone(catalogue);
    match &config.store.url {
        StoreUrl::Sqlite(path) => {
            let (store, opened) = SqliteStore::open(sqlite::Settings { path: path.clone(), sealer, catalogue })?;
            Ok((Arc::new(store), opened))
        }
        StoreUrl::Postgres(url) => {
            let password = config.store.password.as_ref().map(password).transpose()?;
            let node = Some(config.node.name.clone().unwrap_or_else(nodes::host_name));
            let settings = postgres::Settings { url: url.clone(), password, node, sealer, catalogue };
            let (store, opened) = PostgresStore::open(settings).await?;
            Ok((Arc::new(store), opened))
        }
    }
}

/// How `jembatan store migrate` opens its target: as a process that is no node.
///
/// # Errors
/// The vault, the password or the catalogue cannot be read.
pub fn postgres_settings(
    config: &Config,
    url: Private<String>,
    keys: &KeyAccess,
) -> Result<postgres::Settings, StartError> {
    let vault = Vault::open(&config.vault.path, &config.vault.key, keys.clone())?;
    let catalogue = Arc::new(Catalogue::with_overrides(config.catalogue.dir.as_deref())?);
    let sealer = Sealer::new(vault.store_key()?.expose(), vault.index_key()?.expose());
    let password = config.store.password.as_ref().map(password).transpose()?;
    Ok(postgres::Settings { url, password, node: None, sealer, catalogue })
}

/// The first line of the file that has the password; a file of our own must be the owner's only.
fn password(source: &KeySource) -> Result<Private<String>, StartError> {
    let fault = |error: std::io::Error| StartError::Io { what: format!("store.password {source}"), error };
    let (path, ours) = match source {
        KeySource::File(path) => (path.clone(), true),
        KeySource::Credential(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                .ok_or_else(|| fault(std::io::Error::other("$CREDENTIALS_DIRECTORY is not set")))?;
            (std::path::PathBuf::from(folder).join(name), false)
        }
        KeySource::Prompt => return Err(fault(std::io::Error::other("a password cannot be asked for"))),
    };
    let mode = std::fs::metadata(&path).map_err(fault)?.permissions().mode();
    if ours && mode & 0o077 != 0 {
        return Err(fault(std::io::Error::other("others may read it: chmod 600")));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(&path).map_err(fault)?);
    Ok(Private::new(text.lines().next().unwrap_or_default().to_owned()))
}
