//! Where the stack keeps its data: the database file, the queue file, the key of member ids.
//!
//! Never shared by two stacks: a lock file is held for as long as one runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Context, Result, StackError};

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Dropped last to first: the lock goes before a temporary directory is deleted.
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

impl DataDir {
    /// Opens (or makes) a directory and locks it.
    pub fn open(path: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .context(|| format!("cannot make the data directory {}", path.display()))?;
        Self::lock(path.to_owned(), None)
    }

    /// A directory that is deleted when the stack ends.
    pub fn temporary() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("thang-hang-")
            .tempdir()
            .context(|| "cannot make a temporary directory".to_owned())?;
        Self::lock(directory.path().to_owned(), Some(directory))
    }

    fn lock(path: PathBuf, temporary: Option<tempfile::TempDir>) -> Result<Self> {
        let file = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)
            .context(|| format!("cannot open {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StackError::new(format!(
                    "another stack is using {}: stop it, or start this one with another --data \
                     directory or with --ephemeral",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context(|| format!("cannot lock {}", file.display()));
            }
        }
        Ok(Self { path, _lock: lock, _temporary: temporary })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }

    /// The queue file.
    pub fn queues(&self) -> PathBuf {
        self.path.join("queues.sqlite")
    }

    /// The tokens of the Zalo stand-in.
    pub fn zalo(&self) -> PathBuf {
        self.path.join("zalo-tokens.json")
    }

    /// The key of member ids: made once per directory, readable by its owner alone, never
    /// replaced, because every member id hangs on it.
    pub fn member_id_key(&self) -> Result<String> {
        let file = self.path.join("member-id-key");
        if let Ok(key) = fs::read_to_string(&file) {
            return Ok(key.trim().to_owned());
        }
        let key = hex::encode(rand::random::<[u8; 32]>());
        let about = || format!("cannot write {}", file.display());
        let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).context(about)?;
        output.write_all(key.as_bytes()).context(about)?;
        output.sync_all().context(about)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_only_the_owner_reads_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDir::open(&path).unwrap().member_id_key().unwrap();
        let second = DataDir::open(&path).unwrap().member_id_key().unwrap();
        assert_eq!(first, second);
        assert!(first.len() >= 32);
        let mode = fs::metadata(path.join("member-id-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn two_stacks_cannot_share_a_directory() {
        let parent = tempfile::tempdir().unwrap();
        let _first = DataDir::open(parent.path()).unwrap();
        let error = DataDir::open(parent.path()).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
    }
}
