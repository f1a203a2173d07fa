//! Owns the templates. What fills them is data: it is put in as it stands and never read as a template.

use crate::provider::offline::OfflineError;
use include_dir::{Dir, include_dir};
use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// The templates, compiled.
#[derive(Debug)]
pub(in super::super) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Compiles the templates that come with the program.
    pub(in super::super) fn load() -> Result<Self, OfflineError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        for folder in FILES.dirs() {
            for file in folder.files().filter(|file| file.path().extension().is_some_and(|end| end == "md")) {
                let name = file.path().to_string_lossy().replace('\\', "/");
                environment.add_template_owned(name, file.contents_utf8().unwrap_or_default().to_owned())?;
            }
        }
        Ok(Self { environment })
    }

    /// Fills the template called `name`.
    pub(super) fn fill(&self, name: &str, context: &impl Serialize) -> Result<String, minijinja::Error> {
        self.environment.get_template(name)?.render(Serde(context)).map(|text| tidy(&text))
    }
}

/// No blanks at the ends of lines, never two blank lines in a row.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_tidied() {
        assert_eq!(tidy("\n\na  \n\n\n\nb\n\n"), "a\n\nb");
    }

    #[test]
    fn every_language_has_every_template() {
        let templates = Templates::load().unwrap();
        for language in ["en", "de", "es", "fr", "pt", "vi"] {
            for action in ["reply", "ask", "handoff"] {
                assert!(
                    templates.environment.get_template(&format!("{language}/{action}.md")).is_ok(),
                    "{language} {action}"
                );
            }
        }
    }
}
