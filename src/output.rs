//! Writing to standard output. A reader that went away (`| head`) ends the program quietly, as it does for others.

use std::io::{ErrorKind, Write};

/// Writes a line.
pub(crate) fn out(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}
