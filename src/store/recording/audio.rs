//! What was fetched of recordings, sealed: in files beside SQLite, in a table on PostgreSQL.

use crate::model::RecordingId;
use crate::store::seal::{KeyRing, SealError, Sealer};
use crate::store::{postgres, rows};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

/// Why a recording cannot be kept, read or erased.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// Its file cannot be written or erased: look at the volume of `store.directory`.
    #[error("the recording's file cannot be changed: {}", .0.kind())]
    Change(#[source] io::Error),
    /// Its file cannot be read.
    #[error("the recording cannot be read from {0}: {1}")]
    Read(String, #[source] io::Error),
    /// The database says no.
    #[error("the database fails over the recording: {0}")]
    Database(#[from] sqlx::Error),
    /// Its seal.
    #[error(transparent)]
    Sealed(#[from] SealError),
}

/// Where sealed recordings are.
#[derive(Debug, Clone)]
pub(in crate::store) enum Audio {
    /// A file each.
    Files(AudioFiles),
    /// A row each, which all nodes see.
    Table(postgres::AudioTable),
}

/// The directory of sealed recordings.
#[derive(Debug, Clone)]
pub(in crate::store) struct AudioFiles(PathBuf);

impl Audio {
    /// In files below the directory of a store.
    pub(in crate::store) fn files(store: &Path) -> Audio {
        Audio::Files(AudioFiles(store.join("recordings")))
    }

    /// In the table of the database that a connector leads to.
    pub(in crate::store) fn table(connector: &postgres::Connector) -> Audio {
        Audio::Table(postgres::AudioTable::new(connector))
    }

    /// Keeps the bytes of a recording, sealed, in place of what was kept before, and returns once they are on disk.
    pub(super) async fn keep(
        &self,
        id: RecordingId,
        bytes: &[u8],
        sealer: Sealer<'_>,
    ) -> Result<(), AudioError> {
        let sealed = sealer.seal(&rows::audio_place(id), bytes);
        match self {
            Audio::Files(files) => files.write(id, &sealed).await.map_err(AudioError::Change),
            Audio::Table(table) => Ok(table.write(id, &sealed).await?),
        }
    }

    /// The bytes of a recording, unless there are none.
    pub(in crate::store) async fn read(
        &self,
        id: RecordingId,
        ring: &KeyRing,
    ) -> Result<Option<Vec<u8>>, AudioError> {
        let sealed = self.sealed(id).await?;
        Ok(sealed.map(|sealed| ring.open(&rows::audio_place(id), &sealed)).transpose()?)
    }

    /// The same as they are kept.
    pub(in crate::store) async fn sealed(
        &self,
        id: RecordingId,
    ) -> Result<Option<Vec<u8>>, AudioError> {
        match self {
            Audio::Files(files) => files.read(id).await,
            Audio::Table(table) => Ok(table.read(id).await?),
        }
    }

    /// Erases those that there are of these.
    pub(super) async fn erase(&self, ids: &[RecordingId]) -> Result<(), AudioError> {
        match self {
            Audio::Files(files) => {
                for id in ids {
                    files.erase(*id).await.map_err(AudioError::Change)?;
                }
                Ok(())
            }
            Audio::Table(table) => Ok(table.erase(ids).await?),
        }
    }
}

impl AudioFiles {
    fn path(&self, id: RecordingId) -> PathBuf {
        self.0.join(format!("{id}.sealed"))
    }

    /// Where it is written before it is whole.
    fn part(&self, id: RecordingId) -> PathBuf {
        self.0.join(format!("{id}.part"))
    }

    async fn write(&self, id: RecordingId, sealed: &[u8]) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let (path, part) = (self.path(id), self.part(id));
        let mut open = File::options();
        let open = open.write(true).create(true).truncate(true).mode(0o600);
        let mut file = open.open(&part).await?;
        file.write_all(sealed).await?;
        file.sync_all().await?;
        fs::rename(&part, &path).await?;
        File::open(&self.0).await?.sync_all().await
    }

    async fn read(&self, id: RecordingId) -> Result<Option<Vec<u8>>, AudioError> {
        let path = self.path(id);
        match fs::read(&path).await {
            Ok(sealed) => Ok(Some(sealed)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AudioError::Read(path.display().to_string(), error)),
        }
    }

    async fn erase(&self, id: RecordingId) -> io::Result<()> {
        for path in [self.path(id), self.part(id)] {
            match fs::remove_file(path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;
    use crate::model::Secret;

    #[tokio::test]
    async fn what_is_kept_opens_in_its_place_only_and_goes_when_erased() {
        let directory = tempfile::tempdir().expect("a directory");
        let audio = Audio::files(directory.path());
        let Audio::Files(files) = &audio else { panic!("files") };
        let ring = KeyRing::new(&Secret::new(vec![1; 32]), &[]).expect("a key");
        let [one, other] = [1, 2].map(|id| RecordingId(uuid::Uuid::from_u128(id)));
        let sealer = Sealer { ring: &ring, entropy: &Entropy::seeded(1) };
        audio.keep(one, b"RIFF said aloud", sealer).await.expect("kept");
        let sealed = std::fs::read(files.path(one)).expect("a file");
        assert!(!sealed.windows(4).any(|it| it == b"RIFF"));
        assert_eq!(audio.read(one, &ring).await.expect("opens").expect("kept"), b"RIFF said aloud");
        std::fs::copy(files.path(one), files.path(other)).expect("copied");
        assert!(matches!(audio.read(other, &ring).await, Err(AudioError::Sealed(_))));
        audio.erase(&[one]).await.expect("erased");
        audio.erase(&[one]).await.expect("again is as good");
        assert!(audio.read(one, &ring).await.expect("reads").is_none());
    }
}
