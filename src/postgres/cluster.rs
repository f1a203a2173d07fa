//! The cluster on disk: which version it is, the programs that fit it, and its creation.
//!
//! A cluster appears under its name only when it is complete: it is made beside and renamed, so that a start that was
//! killed half way leaves nothing the next one could take for a database.

use super::{
    advice,
    binaries::{self, Binaries, Places},
    download::Source,
    endpoint,
    error::EmbeddedError,
    layout::Layout,
    settings,
    user::ServerUser,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Output,
};
use ticketflow_engine::clock;

const UNFINISHED: &str = "pgdata.initializing-";

/// A complete cluster, with the programs and the user that run it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) layout: Layout,
    pub(super) user: ServerUser,
    pub(super) binaries: Binaries,
}

impl Cluster {
    /// Opens the cluster in `layout`, making it if there is none. `source` is where PostgreSQL may be downloaded from.
    pub(super) async fn open(
        layout: Layout,
        places: &Places,
        source: Option<&Source>,
    ) -> Result<Self, EmbeddedError> {
        let pgdata = layout.pgdata();
        let user = ServerUser::resolve(&pgdata)?;
        user.reach(layout.base())?;
        let version = version(&pgdata)?;
        let binaries = find_binaries(&layout, &user, version, places, source).await?;
        let cluster = Self { layout, user, binaries };
        if version.is_none() {
            cluster.initialize().await?;
        }
        Ok(cluster)
    }

    async fn initialize(&self) -> Result<(), EmbeddedError> {
        let base = self.layout.base();
        remove_unfinished(base);
        // A name of its own each time: an initdb that outlived its parent may still be writing to the last one.
        let unfinished = base.join(format!("{UNFINISHED}{:016x}", u64::from_le_bytes(clock::entropy())));
        tracing::info!(postgres.version = self.binaries.major, postgres.data_dir = %base.display(), "creating the database");
        self.user.private_dir(&unfinished).map_err(EmbeddedError::preparing(&unfinished))?;
        self.write_password()?;
        self.run_initdb(&unfinished).await?;
        append_include(&unfinished.join("postgresql.conf")).map_err(EmbeddedError::preparing(&unfinished))?;
        fs::rename(&unfinished, self.layout.pgdata())
            .and_then(|()| fs::File::open(base)?.sync_all())
            .map_err(EmbeddedError::preparing(self.layout.pgdata()))
    }

    fn write_password(&self) -> Result<(), EmbeddedError> {
        let path = self.layout.password();
        let password = format!("{:032x}\n", u128::from_le_bytes(clock::entropy()));
        let write = || {
            // Anew, so that it has this mode from its first byte on.
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(password.as_bytes())?;
            self.user.give(&path)
        };
        write().map_err(EmbeddedError::preparing(&path))
    }

    /// C.UTF-8 sorts by code point and yet knows what a letter is; not every system has it.
    async fn run_initdb(&self, pgdata: &Path) -> Result<(), EmbeddedError> {
        let mut output = self.initdb(pgdata, "C.UTF-8").await?;
        if !output.status.success() && stderr(&output).contains("invalid locale") {
            output = self.initdb(pgdata, "C").await?;
        }
        if output.status.success() {
            return Ok(());
        }
        Err(EmbeddedError::InitializeCluster {
            path: self.layout.base().to_owned(),
            output: stderr(&output).trim().to_owned(),
        })
    }

    /// Whoever gets to the socket has passed a directory only the server's user can enter, and is trusted.
    async fn initdb(&self, pgdata: &Path, locale: &str) -> Result<Output, EmbeddedError> {
        let program = self.binaries.initdb();
        self.user
            .command(&program)
            .arg("--pgdata")
            .arg(pgdata)
            .args(["--username", endpoint::NAME, "--auth-local=trust", "--auth-host=scram-sha-256"])
            .arg("--pwfile")
            .arg(self.layout.password())
            .args(["--encoding=UTF8", "--locale", locale, "--data-checksums", "--no-instructions"])
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| EmbeddedError::RunProgram { program, source })
    }

    /// The best compression of full-page images this build of the server has.
    pub(super) async fn wal_compression(&self) -> &'static str {
        let mut command = self.user.command(&self.binaries.postgres());
        command.arg("-D").arg(self.layout.pgdata());
        // Without the cluster's own file, which includes one that may not be written yet.
        command.args(["-c", "config_file=/dev/null", "-c", "wal_compression=lz4", "-C", "wal_compression"]);
        let output = command.kill_on_drop(true).output().await;
        if output.is_ok_and(|output| output.status.success()) { "lz4" } else { "on" }
    }
}

/// The major version of the cluster in `pgdata`, none if there is no cluster.
pub(super) fn version(pgdata: &Path) -> Result<Option<u32>, EmbeddedError> {
    let unreadable = || EmbeddedError::ReadCluster { path: pgdata.to_owned() };
    match fs::read_to_string(pgdata.join("PG_VERSION")) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| unreadable()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_vacant(pgdata) => Ok(None),
        Err(_) => Err(unreadable()),
    }
}

fn is_vacant(dir: &Path) -> bool {
    fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

async fn find_binaries(
    layout: &Layout,
    user: &ServerUser,
    version: Option<u32>,
    places: &Places,
    source: Option<&Source>,
) -> Result<Binaries, EmbeddedError> {
    let installed = places.installed(user).await;
    if let Some(found) = binaries::matching(&installed, version) {
        return Ok(found.clone());
    }
    let advice = advice::install(version);
    if let Some(source) = source {
        let downloads = layout.downloads();
        if let Err(source) = source.fetch(&downloads, version).await {
            return Err(mismatch(layout, version, &installed, &advice)
                .unwrap_or(EmbeddedError::DownloadBinaries { advice, source }));
        }
        let downloaded = Places::of_downloads(&downloads).installed(user).await;
        if let Some(found) = binaries::matching(&downloaded, version) {
            return Ok(found.clone());
        }
    }
    Err(mismatch(layout, version, &installed, &advice).unwrap_or(EmbeddedError::FindBinaries { advice }))
}

/// That PostgreSQL is installed, but not the version the cluster needs.
fn mismatch(
    layout: &Layout,
    wanted: Option<u32>,
    installed: &[Binaries],
    advice: &str,
) -> Option<EmbeddedError> {
    let mut versions: Vec<_> = installed.iter().map(|found| found.major.to_string()).collect();
    versions.dedup();
    (!versions.is_empty()).then_some(EmbeddedError::MatchVersion {
        path: layout.base().to_owned(),
        wanted: wanted?,
        found: versions.join(", "),
        advice: advice.to_owned(),
    })
}

fn remove_unfinished(base: &Path) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    for entry in
        entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()))
    {
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove what an interrupted start left");
        }
    }
}

/// Not through a link: the directory is the server's user's, and this process may be root.
fn append_include(configuration: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(configuration)?;
    file.write_all(settings::INCLUDE.as_bytes())?;
    file.sync_all()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
