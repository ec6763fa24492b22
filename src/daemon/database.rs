//! Opens the database that `store.url` names.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::StartError;
use crate::catalogue::Catalogue;
use crate::config::{Config, StoreUrl};
use crate::secret::Private;
use crate::store::postgres::{self, PostgresStore};
use crate::store::sqlite::{self, SqliteStore};
use crate::store::{Opened, Sealer, SharedStore};
use crate::vault::{KeySource, Vault};

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
            let settings = postgres::Settings { url: url.clone(), password, sealer, catalogue };
            let (store, opened) = PostgresStore::open(settings).await?;
            Ok((Arc::new(store), opened))
        }
    }
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
