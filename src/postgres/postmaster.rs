//! What `postmaster.pid` says of a server, and whether it is true: after a crash the number in it may be nobody's, or
//! belong to a process that has nothing to do with the cluster.

use rustix::process::{Pid, test_kill_process};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Command,
};

/// No process can have this id: Linux and macOS end far below.
const NOBODY: i32 = i32::MAX;

/// A running server, by its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: Pid,
    pub(super) port: u16,
    /// None if it listens on no socket.
    pub(super) socket_dir: Option<String>,
    pub(super) state: State,
}

/// How far a running server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Starting, or recovering from a crash.
    Starting,
    Ready,
    Stopping,
}

impl Postmaster {
    /// The server that runs the cluster in `pgdata`, if one does.
    pub(super) fn running(pgdata: &Path) -> Option<Self> {
        let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
        let postmaster = parse(&text)?;
        serves(postmaster.pid, pgdata).then_some(postmaster)
    }
}

/// Lines: process id, data directory, start time, port, first socket directory, first address, shared memory, status.
/// The later ones are written as the server gets there.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line = |number: usize| lines.get(number).copied().unwrap_or_default();
    Some(Postmaster {
        pid: Pid::from_raw(line(0).parse().ok()?)?,
        port: line(3).parse().unwrap_or_default(),
        socket_dir: Some(line(4)).filter(|dir| !dir.is_empty()).map(str::to_owned),
        state: match line(7) {
            "ready" | "standby" => State::Ready,
            "stopping" => State::Stopping,
            _ => State::Starting,
        },
    })
}

/// Whether process `pid` lives and is the server of the cluster in `pgdata`: it works in that directory.
pub(super) fn serves(pid: Pid, pgdata: &Path) -> bool {
    let Ok(pgdata) = fs::canonicalize(pgdata) else {
        return false;
    };
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    match fs::read_link(format!("{process}/cwd")) {
        Ok(directory) => directory == pgdata && runs_postgres(&process),
        // A dead process, or a zombie nobody has waited for yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/self/cwd").exists() => {
            false
        }
        Err(_) => command_line(pid)
            .is_some_and(|line| line.contains("postgres") && line.contains(&*pgdata.to_string_lossy())),
    }
}

fn runs_postgres(process: &str) -> bool {
    fs::read_link(format!("{process}/exe"))
        .ok()
        .and_then(|program| program.file_name().map(|name| name.to_string_lossy().contains("postgres")))
        .unwrap_or(false)
}

/// For systems without `/proc`; the server is started with its directory on the command line.
fn command_line(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero().to_string();
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Takes the process id out of the file of a server that is dead, if some other process has that id by now: PostgreSQL
/// would take that process for a server and refuse to start. The rest of the file stays, since PostgreSQL finds the
/// shared memory in it by which it notices backends that outlived their server.
pub(super) fn disown_stale(pgdata: &Path) -> io::Result<()> {
    let path = pgdata.join("postmaster.pid");
    let Some((first, rest)) = fs::read_to_string(&path).ok().and_then(|text| {
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        Some((Pid::from_raw(first.trim().parse().ok()?)?, rest.to_owned()))
    }) else {
        return Ok(());
    };
    if serves(first, pgdata) || test_kill_process(first).is_err() {
        return Ok(());
    }
    tracing::info!(
        postgres.pid = first.as_raw_nonzero(),
        "the last server died, and its process id is taken"
    );
    // Not through a link: the directory is the server's user's, and this process may be root.
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)?;
    write!(file, "{NOBODY}\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::{Postmaster, State, disown_stale, parse, serves};
    use rustix::process::Pid;
    use std::fs;

    #[test]
    fn a_servers_file_is_read() {
        let text = "4711\n/data\n1700000000\n5432\n/data/socket\n\n  12345  6789\nready   \n";
        let expected = Postmaster {
            pid: Pid::from_raw(4711).unwrap(),
            port: 5432,
            socket_dir: Some("/data/socket".to_owned()),
            state: State::Ready,
        };
        assert_eq!(parse(text), Some(expected));
    }

    #[test]
    fn a_server_that_has_only_begun_is_starting() {
        assert_eq!(parse("4711\n/data\n").unwrap().state, State::Starting);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn another_process_is_not_taken_for_the_server() {
        let pgdata = tempfile::tempdir().unwrap();
        assert!(!serves(rustix::process::getpid(), pgdata.path()));
    }

    #[test]
    fn a_stale_process_id_goes_and_the_shared_memory_stays() {
        let pgdata = tempfile::tempdir().unwrap();
        let path = pgdata.path().join("postmaster.pid");
        let rest = "/data\n1700000000\n5432\n/data/socket\n\n  12345  6789\nready   \n";
        fs::write(&path, format!("{}\n{rest}", std::process::id())).unwrap();
        disown_stale(pgdata.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("2147483647\n{rest}"));
    }
}
