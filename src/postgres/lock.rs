//! One owner per data directory: an operating-system lock on a file, which ends with the process however it ends.

use super::{error::EmbeddedError, layout::Layout};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
};

/// Held for as long as this process owns the data directory; released on drop.
#[derive(Debug)]
pub(super) struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock and leaves this process's id in the file, for whoever comes second.
    pub(super) fn acquire(layout: &Layout) -> Result<Self, EmbeddedError> {
        let path = layout.lock();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(EmbeddedError::preparing(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EmbeddedError::LockDataDir {
                    dir: layout.base().to_owned(),
                    pid: read_pid(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(EmbeddedError::PrepareDataDir { path, source }),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(EmbeddedError::preparing(&path))?;
        Ok(Self { _file: file })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
