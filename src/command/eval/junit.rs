//! The thresholds as a JUnit report, for build servers.

use super::Check;
use anyhow::Context as _;
use std::{fmt::Write as _, path::Path};

/// Writes a test case for each threshold.
pub(super) fn write(path: &Path, checks: &[Check]) -> anyhow::Result<()> {
    std::fs::write(path, document(checks)?).with_context(|| format!("cannot write {}", path.display()))
}

/// Names and figures are ours: nothing needs escaping.
fn document(checks: &[Check]) -> Result<String, std::fmt::Error> {
    let failures = checks.iter().filter(|check| !check.kept).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    writeln!(xml, "<testsuite name=\"ticketflow eval\" tests=\"{}\" failures=\"{failures}\">", checks.len())?;
    for check in checks {
        write!(xml, "  <testcase classname=\"eval\" name=\"{}\"", check.name)?;
        if check.kept {
            writeln!(xml, "/>")?;
        } else {
            writeln!(xml, "><failure message=\"{}\"/></testcase>", check.told())?;
        }
    }
    writeln!(xml, "</testsuite>")?;
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_is_missed_is_a_failure() {
        let check = |name, kept| Check { name, figure: 0.5, threshold: 0.6, kept };
        let xml = document(&[check("accuracy", false), check("macro-F1", true)]).unwrap();
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
        assert!(
            xml.contains("name=\"accuracy\"><failure message=\"accuracy is 0.500; the threshold"),
            "{xml}"
        );
        assert!(xml.contains("name=\"macro-F1\"/>"), "{xml}");
    }
}
