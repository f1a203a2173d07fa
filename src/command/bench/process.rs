//! Processes of this program on the scratch database, and what the kernel says of them.

use anyhow::Context as _;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use std::{process::Stdio, time::Duration};
use tokio::process::Command;

/// This program with such arguments, as it comes: whatever the user's configuration says is not measured.
pub(super) fn command(options: &PgConnectOptions, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TICKETFLOW_"))
    {
        command.env_remove(name);
    }
    command
        .args(arguments)
        // The URL carries a password: it goes through the environment, which other users cannot read.
        .env("DATABASE_URL", options.to_url_lossy().as_str())
        // Not the file that may lie in the working directory.
        .env("TICKETFLOW_CONFIG", "/dev/null")
        .env("TICKETFLOW_LOG", "error")
        .stdin(Stdio::null())
        // The report goes there.
        .stdout(Stdio::null())
        // Ctrl-C in the terminal ends this process, whose end they notice or which kills them.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// Memory that a process has in RAM, in bytes, with the pages that it shares. `None` where there is no `/proc`.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    of_status(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Processor time that a process has used, by itself and in the kernel. `None` where there is no `/proc`.
pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let ticks = of_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis((ticks * 1_000).checked_div(per_second)?))
}

/// `VmRSS` of `/proc/<pid>/status`, which is in KiB: proc(5).
fn of_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/<pid>/stat`, in clock ticks: proc(5). The second field is the program's
/// name in parentheses and may hold anything.
fn of_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_lies_in_ram() {
        assert_eq!(
            of_status("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   93184 kB\nThreads:\t4\n"),
            Some(95_420_416)
        );
        assert_eq!(of_status("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn processor_time_is_read_past_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 9 0 1 2 3";
        assert_eq!(of_stat(stat), Some(300));
        assert_eq!(of_stat("7 (a) S 1"), None);
    }

    #[test]
    fn what_the_user_configured_is_not_passed_on() {
        let options: PgConnectOptions = "postgres://user:secret@host:5433/name".parse().unwrap();
        let command = command(&options, &["worker"]).unwrap();
        let variables: Vec<_> = command.as_std().get_envs().collect();
        let told = |name: &str| variables.iter().find(|(key, _)| *key == name).and_then(|(_, value)| *value);
        let url = told("DATABASE_URL").unwrap().to_string_lossy().into_owned();
        assert!(url.starts_with("postgres://user:secret@host:5433/name"), "{url}");
        assert_eq!(told("TICKETFLOW_CONFIG").unwrap(), "/dev/null");
        assert!(command.as_std().get_args().all(|argument| argument == "worker"), "the URL is no argument");
    }
}
