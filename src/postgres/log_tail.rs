//! The end of what the server logged, for an error that says why it did not start.

use super::layout::Layout;
use std::{fs, path::PathBuf};

const LINES: usize = 12;

/// What the server said at its last start, and the end of the log it went over to, if it got that far.
pub(super) fn read(layout: &Layout) -> String {
    let startup = tail(layout.startup_log());
    match current_log(layout) {
        Some(log) if startup.contains("redirecting log output") => tail(log),
        _ => startup,
    }
}

/// `current_logfiles` has a line `stderr log/postgresql-Mon.log`.
fn current_log(layout: &Layout) -> Option<PathBuf> {
    let pgdata = layout.pgdata();
    let current = fs::read_to_string(pgdata.join("current_logfiles")).ok()?;
    let log = current.lines().find_map(|line| line.strip_prefix("stderr "))?;
    Some(pgdata.join(log))
}

fn tail(path: PathBuf) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
