//! PostgreSQL clusters of the tests' own.
//!
//! `TEST_DATABASE_URL` names a server to use. Without it, the first test process of a run starts one from the
//! installed binaries, the others find it through a state file, and a watchdog ends it when the run is over.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    net::TcpListener,
    os::unix::{
        fs::chown,
        process::{CommandExt, parent_id},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A running server.
pub(crate) struct Cluster {
    directory: PathBuf,
    port: u16,
}

/// The server that the tests of this run share, as a URL without a database.
pub(crate) fn shared_url() -> String {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        return url.trim_end_matches('/').to_owned();
    }
    let directory = std::env::temp_dir().join(format!("ticketflow-tests-{}", parent_id()));
    fs::create_dir_all(&directory).unwrap();
    let state = directory.join("url");
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    if let Ok(url) = fs::read_to_string(&state) {
        return url;
    }
    let cluster = Cluster::start(&directory);
    cluster.watch(parent_id());
    let url = cluster.url();
    fs::write(&state, &url).unwrap();
    url
}

impl Cluster {
    /// A server for one test alone, which may be restarted. It ends with the test's process.
    pub(crate) fn private() -> Self {
        let directory = std::env::temp_dir().join(format!("ticketflow-test-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let cluster = Self::start(&directory);
        cluster.watch(std::process::id());
        cluster
    }

    /// A second server that holds what this one commits, before whoever commits is told.
    pub(crate) fn synchronous_standby(&self) -> Self {
        let directory = self.directory.join("standby");
        fs::create_dir_all(&directory).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(&directory, Some(user), Some(group)).unwrap();
        }
        let standby = Self { directory, port: free_port() };
        let (url, data) = (self.url(), standby.data());
        let copy =
            ["--dbname", &url, "--pgdata", &data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        standby.run("pg_basebackup", &copy);
        let conf = format!("\nport={}\n", standby.port);
        let mut file =
            OpenOptions::new().append(true).open(Path::new(&data).join("postgresql.auto.conf")).unwrap();
        file.write_all(conf.as_bytes()).unwrap();
        standby.control(&["start"]);
        standby.watch(std::process::id());
        standby
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.control(&["promote"]);
    }

    fn start(directory: &Path) -> Self {
        if let Some((user, group)) = unprivileged() {
            chown(directory, Some(user), Some(group)).unwrap();
        }
        let port = free_port();
        let cluster = Self { directory: directory.to_owned(), port };
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["--pgdata", &data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        );
        // A killed server loses nothing without fsync: what it wrote is the kernel's.
        let conf = format!(
            "port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nmax_connections=300\n\
             shared_buffers='256MB'\nmax_wal_size='4GB'\nlog_min_messages=fatal\n\
             fsync=off\n"
        );
        fs::write(Path::new(&data).join("postgresql.auto.conf"), conf).unwrap();
        cluster.control(&["start"]);
        cluster
    }

    /// Its URL, without a database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Kills the server as a crash would and starts it again.
    pub(crate) fn restart_immediately(&self) {
        self.control(&["restart", "--mode=immediate"]);
    }

    /// Kills the server as a crash would.
    pub(crate) fn crash(&self) {
        self.control(&["stop", "--mode=immediate"]);
    }

    /// Starts it again after a crash.
    pub(crate) fn recover(&self) {
        self.control(&["start"]);
    }

    /// Stops the server, without a watchdog's delay.
    pub(crate) fn stop(self) {
        self.crash();
        drop(fs::remove_dir_all(&self.directory));
    }

    /// Restarted, it is another process.
    fn watch(&self, parent: u32) {
        watch(parent, &self.directory, "head -n 1 data/postmaster.pid");
    }

    fn data(&self) -> String {
        self.directory.join("data").to_string_lossy().into_owned()
    }

    fn control(&self, arguments: &[&str]) {
        let (data, log) = (self.data(), self.directory.join("log"));
        let log = log.to_string_lossy();
        let common = ["--pgdata", &data, "--log", &log, "--wait", "--silent", "--timeout=60"];
        self.run("pg_ctl", &[arguments, &common].concat());
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(binary(program));
        command.args(arguments).current_dir(&self.directory).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        let status = command.status().unwrap();
        assert!(status.success(), "{program} failed: {status}; see {}", self.directory.display());
    }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Leaves a watchdog behind that removes `directory`, and ends what `find` prints the process id of, once process
/// `parent` is gone.
#[expect(clippy::zombie_processes, reason = "it outlives this process, that is its purpose")]
pub(super) fn watch(parent: u32, directory: &Path, find: &str) {
    let script = r#"while kill -0 "$1" 2>/dev/null; do sleep 1; done
        cd "$2" && kill -QUIT "$(eval "$3")"; sleep 1; rm -rf "$2""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "watchdog", &parent.to_string()]).arg(directory).arg(find);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn().unwrap();
}

/// PostgreSQL refuses to run as root: the user to run it as instead.
pub(super) fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

/// Finds an installed binary: on the PATH, or the newest that Debian's packages installed.
pub(super) fn binary(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let version = entry.ok()?;
            Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin")))
        })
        .collect();
    packaged.sort();
    let packaged = packaged.into_iter().rev().map(|(_, directory)| directory);
    let system = [PathBuf::from("/usr/sbin")];
    let mut directories = std::env::split_paths(&path).chain(packaged).chain(system);
    // Programs find their siblings beside their own file, so a link is followed; not to a wrapper of another name, though,
    // which would not know what it is to run.
    let found = directories.find_map(|directory| {
        let candidate = directory.join(program).canonicalize().ok()?;
        (candidate.is_file() && candidate.ends_with(program)).then_some(candidate)
    });
    found.unwrap_or_else(|| panic!("{program} is not installed: apt-get install postgresql pgbouncer"))
}
