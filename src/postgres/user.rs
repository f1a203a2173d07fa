//! Whom the server runs as. PostgreSQL refuses to run as root; then it runs as the cluster's owner, or as a user that
//! has no other rights. Also makes the commands of that user, free of what this process inherited.

use super::error::EmbeddedError;
use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, lchown},
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// The users tried when root starts the first cluster.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// What a program needs to find its libraries, its helpers and the time zone.
const KEPT: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "LOCALE_ARCHIVE", "TZ"];

/// The operating-system user of the server.
#[derive(Debug, Clone)]
pub(super) struct ServerUser {
    name: String,
    uid: u32,
    gid: u32,
    /// Whether this process is root and must become that user.
    switch: bool,
}

impl ServerUser {
    /// The user for the cluster in `pgdata`, which may not exist yet.
    pub(super) fn resolve(pgdata: &Path) -> Result<Self, EmbeddedError> {
        let owner = fs::metadata(pgdata).ok().map(|metadata| (metadata.uid(), metadata.gid()));
        let own_uid = rustix::process::geteuid();
        let user = if own_uid.is_root() {
            Self::for_root(owner.filter(|(uid, _)| *uid != 0))?
        } else {
            let (uid, gid) = (own_uid.as_raw(), rustix::process::getegid().as_raw());
            Self { name: uid.to_string(), uid, gid, switch: false }
        };
        match owner {
            Some((owner, _)) if owner != user.uid => {
                Err(EmbeddedError::OwnCluster { path: pgdata.to_owned(), owner, wanted: user.name })
            }
            _ => Ok(user),
        }
    }

    fn for_root(owner: Option<(u32, u32)>) -> Result<Self, EmbeddedError> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (name, uid, gid) = owner
            .map(|(uid, gid)| (uid.to_string(), uid, gid))
            .or_else(|| UNPRIVILEGED.iter().find_map(|name| entry(&passwd, name)))
            .ok_or(EmbeddedError::FindServerUser)?;
        Ok(Self { name, uid, gid, switch: true })
    }

    /// A command run as this user, with nothing of ours: no secrets and no `PG…` variables in its environment, no
    /// working directory, no terminal. Messages are in English, since some are read here.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let kept = KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        command.env_clear().envs(kept).env("LC_ALL", "C");
        command.current_dir("/").stdin(Stdio::null());
        if self.switch {
            // The standard library also drops root's supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or directory just created here to this user.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        if self.switch {
            lchown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// Makes sure that `dir` is a directory only this user can enter, creating it if need be.
    pub(super) fn private_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => self.give(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.verify_private(dir),
            Err(error) => Err(error),
        }
    }

    fn verify_private(&self, dir: &Path) -> io::Result<()> {
        // Not through a symbolic link: in a shared directory somebody else may have put one there.
        let metadata = fs::symlink_metadata(dir)?;
        if metadata.is_dir() && metadata.uid() == self.uid && metadata.mode().trailing_zeros() >= 6 {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "exists and is not the server's alone"))
    }

    /// Fails if this user cannot get to `dir`, naming the directory that bars the way.
    pub(super) fn reach(&self, dir: &Path) -> Result<(), EmbeddedError> {
        match self.barred_at(dir) {
            Some(directory) => Err(EmbeddedError::ReachDataDir { directory, user: self.name.clone() }),
            None => Ok(()),
        }
    }

    /// Of `dir` and its parents, the outermost this user may not enter.
    fn barred_at(&self, dir: &Path) -> Option<PathBuf> {
        let mut way: Vec<_> = dir.ancestors().collect();
        way.reverse();
        way.into_iter().find(|step| !self.may_enter(step)).map(Path::to_owned)
    }

    fn may_enter(&self, dir: &Path) -> bool {
        if !self.switch {
            return true;
        }
        let Ok(metadata) = fs::metadata(dir) else {
            return false;
        };
        let execute = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        metadata.mode() & execute != 0
    }
}

/// Name, user id and group id of a line `name:password:uid:gid:…`.
fn entry(passwd: &str, name: &str) -> Option<(String, u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next().filter(|field| *field == name)?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((found.to_owned(), uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::{ServerUser, entry};
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_user_is_read_from_passwd() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(entry(passwd, "postgres"), Some(("postgres".to_owned(), 101, 104)));
        assert_eq!(entry(passwd, "nobody"), None);
    }

    #[test]
    fn the_directory_that_bars_the_way_is_named() {
        let outer = tempfile::tempdir_in("/tmp").unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger =
            ServerUser { name: "stranger".to_owned(), uid: 4_000_000, gid: 4_000_000, switch: true };
        let error = stranger.reach(&inner).unwrap_err().to_string();
        assert!(error.contains(&format!("chmod o+x {}", outer.path().display())), "{error}");
    }
}
