//! Fetches PostgreSQL where none is installed. Owns the directory of downloaded releases; the archive's checksum, its
//! lock against a second download and its unpacking by rename are `postgresql_embedded`'s.
//!
//! Only its installer is used. Its way to run a server cannot run as root and leaves an orphan unrecognised.

use postgresql_embedded::{PostgreSQL, SettingsBuilder, VersionReq};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

/// The version fetched for a database that does not exist yet.
const MAJOR: u32 = 17;

/// A network that answers nothing must not hold up the advice that helps.
const REACH_LIMIT: Duration = Duration::from_secs(10);
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);

/// Where releases come from; a value, so that tests can look elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Asked first whether it can be reached at all.
    pub(super) host: String,
}

impl Default for Source {
    fn default() -> Self {
        Self { host: "https://api.github.com".to_owned() }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Source {
    /// Downloads the newest release of `major` into a directory of its own below `downloads`.
    pub(super) async fn fetch(&self, downloads: &Path, major: Option<u32>) -> Result<(), Failure> {
        self.reach().await?;
        let major = major.unwrap_or(MAJOR);
        tracing::info!(postgres.version = major, "downloading PostgreSQL");
        tokio::time::timeout(DOWNLOAD_LIMIT, install(downloads, major)).await??;
        open_to_all(downloads)?;
        Ok(())
    }

    async fn reach(&self) -> Result<(), Failure> {
        let client = reqwest::Client::builder().timeout(REACH_LIMIT).build()?;
        client.head(&self.host).header("User-Agent", "ticketflow").send().await?;
        Ok(())
    }
}

async fn install(downloads: &Path, major: u32) -> Result<(), Failure> {
    // The installer also initialises a cluster unless it sees one; the cluster is ours to make.
    let elsewhere = tempfile::tempdir()?;
    fs::write(elsewhere.path().join("postgresql.conf"), "")?;
    let settings = SettingsBuilder::new()
        .version(VersionReq::parse(&format!("={major}"))?)
        .installation_dir(downloads)
        .data_dir(elsewhere.path())
        .temporary(false)
        .build();
    PostgreSQL::new(settings).setup().await?;
    Ok(())
}

/// Lets the server's user, who is another one than root, read and run what root unpacked.
fn open_to_all(dir: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let mode = fs::metadata(dir)?.permissions().mode();
    fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o555))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Source, open_to_all};
    use std::{fs, os::unix::fs::PermissionsExt};

    #[tokio::test]
    async fn an_unreachable_source_fails_at_once() {
        let nowhere = tempfile::tempdir().unwrap();
        let source = Source { host: "http://127.0.0.1:9".to_owned() };
        assert!(source.fetch(nowhere.path(), None).await.is_err());
    }

    #[test]
    fn what_root_unpacked_can_be_entered_by_the_servers_user() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("17.0.0/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o700)).unwrap();
        open_to_all(root.path()).unwrap();
        let expected = if rustix::process::geteuid().is_root() { 0o755 } else { 0o700 };
        assert_eq!(fs::metadata(&bin).unwrap().permissions().mode() & 0o777, expected);
    }
}
