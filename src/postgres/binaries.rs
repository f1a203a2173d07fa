//! Which PostgreSQL programs to run: those on PATH, then those of the system's packages, then an earlier download.
//! Knows where installers put them; never installs anything.

use super::user::ServerUser;
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// The oldest version still maintained when this was written, and the oldest the schema is tried on.
const OLDEST: u32 = 14;

/// Directories of packages; `*` stands for the rest of one name.
const PACKAGE_DIRS: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
];

/// One installation of the server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
    minor: u32,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// Runs the server's program as the server's user: what that user cannot run is not installed for it.
    async fn probe(dir: PathBuf, user: &ServerUser) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let program = dir.join("postgres");
        let output = user.command(&program).arg("--version").kill_on_drop(true).output().await;
        let (major, minor) = match output {
            Ok(output) => version(&String::from_utf8_lossy(&output.stdout))?,
            Err(error) => {
                tracing::debug!(postgres.program = %program.display(), %error, "not a PostgreSQL the server's user can run");
                return None;
            }
        };
        (major >= OLDEST).then_some(Self { dir, major, minor })
    }
}

/// Where to look; a value, so that tests can look elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Places {
    path: Option<OsString>,
    patterns: Vec<PathBuf>,
}

impl Places {
    /// This system's PATH and package directories, then `downloads`.
    pub(super) fn of_system(downloads: &Path) -> Self {
        let packages = PACKAGE_DIRS.iter().map(PathBuf::from);
        Self { path: env::var_os("PATH"), patterns: packages.chain([downloads.join("*/bin")]).collect() }
    }

    /// `downloads` only.
    pub(super) fn of_downloads(downloads: &Path) -> Self {
        Self { path: None, patterns: vec![downloads.join("*/bin")] }
    }

    /// Every usable installation, the preferred first; within one place the highest version first.
    pub(super) async fn installed(&self, user: &ServerUser) -> Vec<Binaries> {
        let mut all: Vec<Binaries> = Vec::new();
        for place in self.directories() {
            let mut here = Vec::new();
            for dir in place {
                if all.iter().all(|known| known.dir != dir) {
                    here.extend(Binaries::probe(dir, user).await);
                }
            }
            here.sort_by_key(|found: &Binaries| std::cmp::Reverse((found.major, found.minor)));
            all.extend(here);
        }
        all
    }

    fn directories(&self) -> Vec<Vec<PathBuf>> {
        let on_path = self.path.iter().flat_map(env::split_paths).map(|dir| {
            // Packages link single programs into PATH; the others lie where the link leads.
            let program = fs::canonicalize(dir.join("initdb")).ok();
            program.and_then(|program| program.parent().map(Path::to_owned)).into_iter().collect()
        });
        on_path.chain(self.patterns.iter().map(|pattern| expand(pattern))).collect()
    }
}

/// The first installation that can run a cluster of version `cluster`; any can start one that does not exist yet.
pub(super) fn matching(installed: &[Binaries], cluster: Option<u32>) -> Option<&Binaries> {
    installed.iter().find(|found| cluster.is_none_or(|major| found.major == major))
}

/// The directories `pattern` stands for, without symbolic links.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern {
        found = match component.to_str().and_then(|name| name.strip_suffix('*')) {
            Some(prefix) => found.iter().flat_map(|dir| children(dir, prefix)).collect(),
            None => found.into_iter().map(|dir| dir.join(component)).collect(),
        };
    }
    found.into_iter().filter_map(|dir| fs::canonicalize(dir).ok()).collect()
}

fn children(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()))
        .map(|entry| entry.path())
        .collect()
}

/// Major and minor of `postgres (PostgreSQL) 15.13 (Debian …)`, also of `18beta1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let mut numbers = version.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::{Binaries, expand, matching, version};
    use std::{fs, path::PathBuf};

    fn installation(major: u32) -> Binaries {
        Binaries { dir: PathBuf::from(format!("/opt/{major}")), major, minor: 0 }
    }

    #[test]
    fn versions_are_read_from_what_the_server_prints() {
        assert_eq!(version("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some((15, 13)));
        assert_eq!(version("postgres (PostgreSQL) 18beta1\n"), Some((18, 0)));
        assert_eq!(version("bash: no such file\n"), None);
    }

    #[test]
    fn an_existing_cluster_decides_the_version() {
        let installed = [installation(17), installation(15)];
        assert_eq!(matching(&installed, None), Some(&installation(17)));
        assert_eq!(matching(&installed, Some(15)), Some(&installation(15)));
        assert_eq!(matching(&installed, Some(14)), None);
    }

    #[test]
    fn a_star_stands_for_the_rest_of_a_name() {
        let root = tempfile::tempdir().unwrap();
        for name in ["pg-15", "pg-17", "other"] {
            fs::create_dir_all(root.path().join(name).join("bin")).unwrap();
        }
        let mut found = expand(&root.path().join("pg-*/bin"));
        found.sort();
        let base = fs::canonicalize(root.path()).unwrap();
        assert_eq!(found, [base.join("pg-15/bin"), base.join("pg-17/bin")]);
    }
}
