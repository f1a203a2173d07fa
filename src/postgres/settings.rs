//! The server's settings, in a file of their own that `postgresql.conf` includes: what a user changes in
//! `postgresql.conf` after that line is the user's and stays.

use super::{endpoint::Endpoint, error::EmbeddedError, layout::Layout};
use std::{fmt::Write as _, fs, io, os::unix::fs::PermissionsExt};

/// The line that includes the file, from inside the cluster.
pub(super) const INCLUDE: &str = "\n# ticketflow's settings; what follows this line takes precedence over them.\ninclude = '../ticketflow.conf'\n";

/// Modest in memory, uncompromising in durability: a checkpoint the engine reports must survive a power cut.
const DEFAULTS: [(&str, &str); 21] = [
    ("unix_socket_permissions", "0700"),
    ("max_connections", "400"),
    ("shared_buffers", "128MB"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("min_wal_size", "128MB"),
    ("max_wal_size", "1GB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
    // Short statements only: compiling them costs more than running them.
    ("jit", "off"),
    ("cluster_name", "ticketflow"),
    ("logging_collector", "on"),
    ("log_destination", "stderr"),
    // One file per weekday, each overwritten after a week.
    ("log_directory", "log"),
    ("log_filename", "postgresql-%a.log"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "on"),
    ("log_file_mode", "0600"),
    ("log_line_prefix", "%m [%p] "),
];

/// Writes the file for a server at `endpoint`, `chosen` last so that it wins. True if it differs from the one there.
pub(super) fn write(
    layout: &Layout,
    endpoint: &Endpoint,
    wal_compression: &str,
    chosen: &[(String, String)],
) -> Result<bool, EmbeddedError> {
    let text = render(endpoint, wal_compression, chosen)?;
    let path = layout.settings();
    if fs::read_to_string(&path).is_ok_and(|present| present == text) {
        return Ok(false);
    }
    // By renaming, so that a server never reads half a file.
    let temporary = path.with_extension("conf.new");
    fs::write(&temporary, text)
        .and_then(|()| make_readable(&temporary))
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(EmbeddedError::preparing(&path))?;
    Ok(true)
}

/// Nothing in it is secret, and the server's user is another one than root.
fn make_readable(path: &std::path::Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

fn render(
    endpoint: &Endpoint,
    wal_compression: &str,
    chosen: &[(String, String)],
) -> Result<String, EmbeddedError> {
    let mut text =
        String::from("# Written by ticketflow at every start; changes belong into pgdata/postgresql.conf.\n");
    let listening = endpoint.settings();
    let ours = listening.iter().map(|(name, value)| (*name, value.as_str())).chain(DEFAULTS);
    let theirs = chosen.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in ours.chain([("wal_compression", wal_compression)]).chain(theirs) {
        if !is_name(name) {
            return Err(EmbeddedError::WriteSettings { name: name.to_owned() });
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} = {}", quote(value));
    }
    Ok(text)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_.".contains(character))
}

fn quote(value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('\'', "''").replace('\n', r"\n");
    format!("'{value}'")
}

#[cfg(test)]
mod tests {
    use super::{quote, render};
    use crate::postgres::endpoint::Endpoint;

    #[test]
    fn what_the_caller_chooses_wins() {
        let endpoint = Endpoint::Socket { dir: "/data/socket".to_owned() };
        let chosen = [("shared_buffers".to_owned(), "1GB".to_owned())];
        let text = render(&endpoint, "on", &chosen).unwrap();
        assert!(text.find("shared_buffers = '128MB'") < text.find("shared_buffers = '1GB'"), "{text}");
        assert!(text.contains("unix_socket_directories = '\"/data/socket\"'"), "{text}");
    }

    #[test]
    fn a_setting_cannot_smuggle_in_another() {
        assert_eq!(quote("a'\nfsync = off\\"), r"'a''\nfsync = off\\'");
        let endpoint = Endpoint::Socket { dir: "/data/socket".to_owned() };
        let chosen = [("fsync = off\njit".to_owned(), "on".to_owned())];
        assert!(render(&endpoint, "on", &chosen).is_err());
    }
}
