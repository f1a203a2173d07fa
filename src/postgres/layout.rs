//! Where everything of the embedded PostgreSQL lies. Owns the names inside the data directory; creates that directory.
//!
//! As root the directory itself stays root's: only what the server must write (`pgdata`, `socket`) is given to the
//! server's user, so that it cannot swap what root reads or runs.

use super::error::EmbeddedError;
use std::{
    env, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The paths inside one data directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    base: PathBuf,
}

impl Layout {
    /// Of `data_dir`, else of the user's default directory; nothing is created.
    pub(super) fn locate(data_dir: Option<PathBuf>) -> Result<Self, EmbeddedError> {
        let base = data_dir.or_else(default_dir).ok_or(EmbeddedError::LocateDataDir)?;
        // The server's working directory is compared with this path, hence no symbolic links; a directory that
        // does not exist yet has none of its own.
        let base = fs::canonicalize(&base)
            .or_else(|_| std::path::absolute(&base))
            .map_err(EmbeddedError::preparing(&base))?;
        Ok(Self { base })
    }

    /// Creates the data directory and its missing parents.
    pub(super) fn create(data_dir: Option<PathBuf>) -> Result<Self, EmbeddedError> {
        let Self { base } = Self::locate(data_dir)?;
        let missing: Vec<_> = base.ancestors().take_while(|dir| !dir.exists()).collect();
        for dir in missing.into_iter().rev() {
            create_dir(dir, dir == base).map_err(EmbeddedError::preparing(dir))?;
        }
        Self::locate(Some(base))
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// The cluster itself, PostgreSQL's own data directory.
    pub(super) fn pgdata(&self) -> PathBuf {
        self.base.join("pgdata")
    }

    /// The directory of the server's socket, where the path is short enough for one.
    pub(super) fn socket(&self) -> PathBuf {
        self.base.join("socket")
    }

    /// Locked by the process that owns the server.
    pub(super) fn lock(&self) -> PathBuf {
        self.base.join("ticketflow.lock")
    }

    /// Included from `postgresql.conf`.
    pub(super) fn settings(&self) -> PathBuf {
        self.base.join("ticketflow.conf")
    }

    /// The superuser's password, for the case that no socket can be used.
    pub(super) fn password(&self) -> PathBuf {
        self.base.join("password")
    }

    /// What the server says before its own log is open.
    pub(super) fn startup_log(&self) -> PathBuf {
        self.base.join("startup.log")
    }

    /// Downloaded releases, one directory per version.
    pub(super) fn downloads(&self) -> PathBuf {
        self.base.join("postgresql")
    }
}

fn default_dir() -> Option<PathBuf> {
    data_home().map(|data| data.join("ticketflow"))
}

/// Beside the default directory, for data that is not to be mixed with the user's own.
pub(super) fn demo_dir() -> Option<PathBuf> {
    data_home().map(|data| data.join("ticketflow-demo"))
}

fn data_home() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib"));
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(absolute)
        .or_else(|| env::home_dir().filter(absolute).map(|home| home.join(".local/share")))
}

/// Modes are set, not left to the umask: the server's user must be able to pass through what root created.
fn create_dir(dir: &Path, is_base: bool) -> io::Result<()> {
    fs::create_dir(dir)?;
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
    } else if is_base {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_keeps_out_of_the_users_own_data() {
        let (own, demo) = (default_dir().unwrap(), demo_dir().unwrap());
        assert_eq!(own.parent(), demo.parent());
        assert_ne!(own, demo);
        assert!(!demo.starts_with(&own));
    }
}
