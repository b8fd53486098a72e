//! The two keys a server starts with, made and kept in the data folder when the operator gave
//! none: the master key that seals every stored secret, and the root API key.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tracing::warn;

use crate::{
    accounts::{
        Vault,
        vault::{Place, VaultError},
    },
    api::auth,
    config::Config,
};

/// File of the generated master key, in clear: it is what everything else is sealed with.
pub const MASTER_FILE: &str = "master.key";
/// File of the generated root key, sealed with the master key.
pub const ROOT_FILE: &str = "root.key";

/// The keys a server starts with.
pub struct Keys {
    /// Seals stored secrets; may hold several, see [`Config::master_key`].
    pub master: SecretString,
    /// The first API key.
    pub root: SecretString,
    /// Whether the root key was made just now, and must be shown.
    pub root_is_new: bool,
}

/// A key cannot be read or made.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The root key does not open with the master key.
    #[error(
        "{path} was sealed with another master key: give that one, or delete the file to get a new root key"
    )]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VaultError,
    },
    /// The master key is not usable.
    #[error("the master key is not usable: {0}")]
    Master(#[source] VaultError),
}

/// Reads the keys from the configuration or the data folder, and makes what is missing.
pub fn load(config: &Config) -> Result<Keys, KeyError> {
    let master = match given(config.master_key.as_ref()) {
        Some(key) => key,
        None => generated_master(&config.data_dir.join(MASTER_FILE))?,
    };
    if let Some(root) = given(config.root_key.as_ref()) {
        return Ok(Keys { master, root, root_is_new: false });
    }
    let vault = Vault::new(&master).map_err(KeyError::Master)?;
    let (root, root_is_new) = generated_root(&config.data_dir.join(ROOT_FILE), &vault)?;
    Ok(Keys { master, root, root_is_new })
}

/// A variable set to nothing counts as unset.
fn given(key: Option<&SecretString>) -> Option<SecretString> {
    key.filter(|key| !key.expose_secret().is_empty()).cloned()
}

fn generated_master(path: &Path) -> Result<SecretString, KeyError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    let key = Vault::generate_key();
    write_private(path, key.expose_secret())?;
    warn!(
        "made a master key in {}: without it no stored secret can be read, so back it up, or set HEARKEN_MASTER_KEY",
        path.display()
    );
    Ok(key)
}

fn generated_root(path: &Path, vault: &Vault) -> Result<(SecretString, bool), KeyError> {
    let place = Place { table: "files", column: ROOT_FILE, row: "root", project: "" };
    if let Some(sealed) = read(path)? {
        let opened = vault.open(place, sealed.expose_secret());
        let root = opened.map_err(|source| KeyError::Sealed { path: path.to_owned(), source })?;
        return Ok((root, false));
    }
    let root = auth::generate_key();
    write_private(path, &vault.seal(place, &root))?;
    Ok((root, true))
}

fn read(path: &Path) -> Result<Option<SecretString>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(SecretString::from(text.trim().to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
    }
}

/// Writes a new file that only its owner can read. Another process that made it first wins the
/// race visibly: an existing file is an error, never overwritten.
fn write_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| KeyError::File { path: path.to_owned(), source })
}
