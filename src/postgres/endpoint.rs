//! How the server is reached: a socket in a directory nobody else can enter, or, where no path is short enough for
//! one, a loopback port with a password. The endpoint stays the same while the server lives, and over its restarts.

use super::{error::EmbeddedError, layout::Layout, postmaster::Postmaster, user::ServerUser};
use std::{
    env,
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The superuser, and the database everything is kept in.
pub(super) const NAME: &str = "ticketflow";

/// Part of the socket's file name only; the server does not listen on it.
const SOCKET_PORT: u16 = 5432;

/// The longest path a socket can have: `sun_path` less its final zero.
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A socket in this directory, which is UTF-8.
    Socket { dir: String },
    /// A port of 127.0.0.1.
    Loopback { port: u16, password: String },
}

impl Endpoint {
    /// The endpoint of a server yet to be started.
    pub(super) fn choose(layout: &Layout, user: &ServerUser) -> Result<Self, EmbeddedError> {
        let socket = socket_dirs(layout).into_iter().find_map(|dir| usable(&dir, user));
        match socket {
            Some(dir) => Ok(Self::Socket { dir }),
            None => Self::free_loopback(layout),
        }
    }

    /// Some free loopback port.
    pub(super) fn free_loopback(layout: &Layout) -> Result<Self, EmbeddedError> {
        Self::loopback(layout, free_port(layout)?)
    }

    /// The endpoint of a server that runs already.
    pub(super) fn of(server: &Postmaster, layout: &Layout) -> Result<Self, EmbeddedError> {
        match &server.socket_dir {
            Some(dir) => Ok(Self::Socket { dir: dir.clone() }),
            None => Self::loopback(layout, server.port),
        }
    }

    fn loopback(layout: &Layout, port: u16) -> Result<Self, EmbeddedError> {
        let path = layout.password();
        let password = fs::read_to_string(&path).map_err(EmbeddedError::preparing(&path))?;
        Ok(Self::Loopback { port, password: password.trim().to_owned() })
    }

    /// What a client connects to.
    pub(super) fn url(&self, database: &str) -> String {
        match self {
            Self::Socket { dir } => {
                let host = percent_encode(dir);
                format!("postgresql://{NAME}@localhost:{SOCKET_PORT}/{database}?host={host}&sslmode=disable")
            }
            Self::Loopback { port, password } => {
                format!("postgresql://{NAME}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
            }
        }
    }

    /// The server's settings that make it listen there.
    pub(super) fn settings(&self) -> [(&'static str, String); 3] {
        let (addresses, port, dirs) = match self {
            // A list in which a quoted name may contain anything.
            Self::Socket { dir } => ("", SOCKET_PORT, format!("\"{}\"", dir.replace('"', "\"\""))),
            Self::Loopback { port, .. } => ("127.0.0.1", *port, String::new()),
        };
        [
            ("listen_addresses", addresses.to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", dirs),
        ]
    }

    /// Makes way for a server to be started: its socket directory may have been swept away, or hold what a killed
    /// server left. The process id in there may be another process's by now, for which PostgreSQL would refuse to
    /// start. To be called only when no server runs.
    pub(super) fn prepare(&self, user: &ServerUser) -> Result<(), EmbeddedError> {
        let Self::Socket { dir } = self else {
            return Ok(());
        };
        let dir = Path::new(dir);
        user.private_dir(dir).map_err(EmbeddedError::preparing(dir))?;
        for suffix in ["", ".lock"] {
            // Mostly there is nothing to remove; what cannot be removed the server will complain of.
            let _ = fs::remove_file(dir.join(format!("{}{suffix}", socket_name())));
        }
        Ok(())
    }
}

fn socket_name() -> String {
    format!(".s.PGSQL.{SOCKET_PORT}")
}

/// The directories a socket may lie in, the preferred first. Those outside the data directory are named after its
/// device and inode, so that every start finds the same one, and no other data directory does.
fn socket_dirs(layout: &Layout) -> Vec<PathBuf> {
    let name = fs::metadata(layout.base())
        .map(|metadata| format!("{NAME}-{:x}-{:x}", metadata.dev(), metadata.ino()));
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let short = [runtime, Some(env::temp_dir()), Some(PathBuf::from("/tmp"))];
    let elsewhere =
        name.into_iter().flat_map(|name| short.clone().into_iter().flatten().map(move |dir| dir.join(&name)));
    std::iter::once(layout.socket()).chain(elsewhere).collect()
}

/// `dir`, if a socket's path in it is short enough, can stand in an URL, and the directory is the server's alone.
fn usable(dir: &Path, user: &ServerUser) -> Option<String> {
    let path = dir.join(socket_name());
    if path.as_os_str().len() > LONGEST_SOCKET_PATH || user.reach(dir.parent()?).is_err() {
        return None;
    }
    let text = dir.to_str()?.to_owned();
    match user.private_dir(dir) {
        Ok(()) => Some(text),
        Err(error) => {
            tracing::warn!(postgres.socket_dir = text, %error, "cannot keep the database's socket here");
            None
        }
    }
}

fn free_port(layout: &Layout) -> Result<u16, EmbeddedError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EmbeddedError::preparing(layout.base()))
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use sqlx::postgres::PgConnectOptions;

    #[test]
    fn a_url_leads_to_the_socket_whatever_the_directory_is_called() {
        let dir = "/tmp/a b+c%d\"e,é/socket".to_owned();
        let endpoint = Endpoint::Socket { dir: dir.clone() };
        let options: PgConnectOptions = endpoint.url("ticketflow").parse().unwrap();
        assert_eq!(options.get_socket().unwrap().to_str().unwrap(), dir);
        assert_eq!(options.get_database(), Some("ticketflow"));
        assert_eq!(options.get_username(), "ticketflow");
    }

    #[test]
    fn a_loopback_port_is_reached_with_the_password() {
        let endpoint = Endpoint::Loopback { port: 6543, password: "secret".to_owned() };
        assert_eq!(
            endpoint.url("postgres"),
            "postgresql://ticketflow:secret@127.0.0.1:6543/postgres?sslmode=disable"
        );
    }
}
