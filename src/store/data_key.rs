//! The data key: from the configuration, or made at first start in the store's directory. Nodes that
//! share a database have no directory in common, and so no key but the configured one.

use super::{KEY_LEN, Place};
use crate::clock::Entropy;
use crate::model::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FILE: &str = "data.key";

/// Why there is no usable data key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error(
        "cannot use the data key {file}: {source}; make the directory writable, or set store.key"
    )]
    File {
        /// Which file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// It is not 64 hexadecimal digits.
    #[error("the data key {0} is not {n} hexadecimal digits; restore it, since nothing stored opens without it", n = KEY_LEN * 2)]
    Malformed(String),
    /// Others may read it.
    #[error("the data key {0} can be read by others; run `chmod 600` on it")]
    Exposed(String),
    /// Nodes that share a database must be told it.
    #[error("store.key is not set; nodes that share a database need the same data key")]
    Unset,
    /// It is gone, and the database is not.
    #[error(
        "{0} is gone but the database is there; restore the key, since nothing stored opens without it"
    )]
    Lost(String),
}

/// A data key and where it came from.
#[derive(Debug)]
pub struct DataKey {
    /// The key.
    pub secret: Secret,
    /// The file that was just made for it, which must be backed up apart from the database.
    pub created: Option<PathBuf>,
}

/// The configured key, else the one in the directory's key file; at the first start of all that
/// file is made, readable by its owner only.
///
/// # Errors
/// [`KeyFileError`].
pub fn load_or_create(
    place: &Place,
    configured: Option<&Secret>,
    entropy: &Entropy,
) -> Result<DataKey, KeyFileError> {
    match load(place, configured) {
        Err(KeyFileError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        loaded => return loaded.map(|secret| DataKey { secret, created: None }),
    }
    let Place::Directory(directory) = place else { return Err(KeyFileError::Unset) };
    let path = directory.join(FILE);
    let name = || path.display().to_string();
    if super::sqlite::database_file(directory).exists() {
        return Err(KeyFileError::Lost(name()));
    }
    let key = entropy.bytes::<KEY_LEN>();
    create(directory, &path, &key).map_err(|source| KeyFileError::File { file: name(), source })?;
    Ok(DataKey { secret: Secret::new(key.to_vec()), created: Some(path) })
}

/// The configured key, else the one in the directory's key file.
///
/// # Errors
/// [`KeyFileError`].
pub fn load(place: &Place, configured: Option<&Secret>) -> Result<Secret, KeyFileError> {
    if let Some(secret) = configured {
        return Ok(secret.clone());
    }
    let Place::Directory(directory) = place else { return Err(KeyFileError::Unset) };
    let path = directory.join(FILE);
    let name = || path.display().to_string();
    let file = |source| KeyFileError::File { file: name(), source };
    if fs::metadata(&path).map_err(file)?.permissions().mode().trailing_zeros() < 6 {
        return Err(KeyFileError::Exposed(name()));
    }
    let text = fs::read_to_string(&path).map_err(file)?;
    match hex::decode(text.trim()) {
        Ok(key) if key.len() == KEY_LEN => Ok(Secret::new(key)),
        _ => Err(KeyFileError::Malformed(name())),
    }
}

/// The key must be on disk before anything is sealed under it: both file and directory are synced.
fn create(directory: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(hex::encode(key).as_bytes())?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn is_made_once_and_never_replaced() {
        let directory = TempDir::new().expect("a directory");
        let (path, at) = (directory.path(), &Place::Directory(directory.path().to_owned()));
        let entropy = Entropy::seeded(1);
        let made = load_or_create(at, None, &entropy).expect("it is made");
        let file = made.created.expect("it is new");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        let again = load_or_create(at, None, &entropy).expect("it is there");
        assert_eq!((again.secret, again.created), (made.secret, None));

        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it changes");
        assert!(matches!(load(at, None), Err(KeyFileError::Exposed(_))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it changes");
        fs::write(&file, "abc").expect("it writes");
        assert!(matches!(load_or_create(at, None, &entropy), Err(KeyFileError::Malformed(_))));
        fs::remove_file(&file).expect("it goes");
        fs::write(super::super::sqlite::database_file(path), "").expect("it writes");
        assert!(matches!(load_or_create(at, None, &entropy), Err(KeyFileError::Lost(_))));
    }

    #[test]
    fn of_a_shared_database_is_the_configured_one() {
        let server = "postgres://b@db/bridge".parse().expect("a URL");
        let place = Place::Server(Box::new(server));
        let key = Secret::new(vec![7; KEY_LEN]);
        assert_eq!(load(&place, Some(&key)).expect("it is configured"), key);
        let entropy = Entropy::seeded(1);
        let made = load_or_create(&place, None, &entropy);
        assert!(matches!(made, Err(KeyFileError::Unset)), "{made:?}");
    }
}
