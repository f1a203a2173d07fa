//! The one command that installs PostgreSQL on this system. Pure but for [`install`], which looks at the system.

use std::fs;

/// "Install it with: …" for this system; `major` when only that version will do.
pub(super) fn install(major: Option<u32>) -> String {
    let distribution = if cfg!(target_os = "macos") {
        "ID=macos".to_owned()
    } else {
        fs::read_to_string("/etc/os-release")
            .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
            .unwrap_or_default()
    };
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    sentence(&distribution, sudo, major)
}

fn sentence(os_release: &str, sudo: &str, major: Option<u32>) -> String {
    match command(os_release, sudo, major) {
        Some(command) => format!("Install it with: {command}"),
        None => major.map_or_else(
            || "Install PostgreSQL 14 or newer from https://www.postgresql.org/download/".to_owned(),
            |major| format!("Install PostgreSQL {major} from https://www.postgresql.org/download/"),
        ),
    }
}

/// The distribution itself is asked first, then those it says it is like, nearest first.
fn command(os_release: &str, sudo: &str, major: Option<u32>) -> Option<String> {
    let names = [field(os_release, "ID"), field(os_release, "ID_LIKE")];
    names
        .iter()
        .flat_map(|value| value.split_whitespace())
        .find_map(|name| package_command(name, sudo, major))
}

fn package_command(distribution: &str, sudo: &str, major: Option<u32>) -> Option<String> {
    let versioned = |before: &str, after: &str, any: &str| {
        major.map_or_else(|| any.to_owned(), |major| format!("{before}{major}{after}"))
    };
    let (installer, package) = match distribution {
        "debian" | "ubuntu" => ("apt-get install", versioned("postgresql-", "", "postgresql")),
        "fedora" | "rhel" | "centos" | "amzn" => {
            ("dnf install", versioned("postgresql", "-server", "postgresql-server"))
        }
        "alpine" => ("apk add", versioned("postgresql", "", "postgresql")),
        "opensuse" | "suse" | "sles" => {
            ("zypper install", versioned("postgresql", "-server", "postgresql-server"))
        }
        // Arch keeps one version only.
        "arch" => ("pacman -S", "postgresql".to_owned()),
        // Homebrew refuses to be run with sudo.
        "macos" => return Some(format!("brew install postgresql@{}", major.unwrap_or(17))),
        _ => return None,
    };
    Some(format!("{sudo}{installer} {package}"))
}

fn field<'a>(os_release: &'a str, name: &str) -> &'a str {
    os_release
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map_or("", |value| value.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn each_family_gets_its_own_command() {
        let cases = [
            ("ID=debian", "sudo apt-get install postgresql"),
            (
                "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"",
                "sudo apt-get install postgresql",
            ),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "sudo dnf install postgresql-server"),
            ("ID=alpine", "sudo apk add postgresql"),
            ("ID=arch", "sudo pacman -S postgresql"),
            ("ID=macos", "brew install postgresql@17"),
        ];
        for (os_release, command) in cases {
            assert_eq!(sentence(os_release, "sudo ", None), format!("Install it with: {command}"));
        }
    }

    #[test]
    fn an_existing_database_asks_for_its_own_version() {
        assert_eq!(sentence("ID=ubuntu", "", Some(16)), "Install it with: apt-get install postgresql-16");
    }

    #[test]
    fn an_unknown_system_is_sent_to_the_download_page() {
        assert!(sentence("ID=plan9", "sudo ", None).contains("https://www.postgresql.org/download/"));
    }
}
