//! Prompts: what a model is asked to do, as minijinja files. Those that come with the program may be replaced by files of
//! the same name in a directory. Every prompt is known by the hash of its file.
//!
//! A prompt says nothing about one ticket: what is known of that is data, and is marked as such by [`super::evidence`].

use super::schema;
use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};
use ticketflow_engine::RunId;
use ticketflow_tickets::{
    taxonomy::{Priority, Taxonomy},
    triage::{IssueType, TriageStep},
};

/// Bytes of a file's hash that its name shows.
const HASH_BYTES: usize = 6;

/// A prompt that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file cannot be read.
    #[error("prompt {} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The file is no template, or names something that is not there.
    #[error("prompt {name} cannot be filled in; it may use {VARIABLES}")]
    Fill {
        /// Its name.
        name: String,
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
    /// Some tickets are to get a second variant, and there is none.
    #[error(
        "steps.{step}.variant_percent is set, but there is no second variant of the prompt: write {step}.b.md into \
         prompts_dir"
    )]
    NoVariant {
        /// The step.
        step: &'static str,
    },
}

/// What templates may use.
const VARIABLES: &str = "categories, priorities, issue_types, links and products";

/// A prompt, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Name and hash of the file, as `classify@5f0a1b2c3d4e`.
    pub(super) label: String,
    /// What the model is asked to do.
    pub(super) text: String,
}

/// A step's prompt, and the second variant that some tickets get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepPrompts {
    first: Prompt,
    second: Option<Prompt>,
    variant_percent: u8,
}

/// What the templates show.
#[derive(Debug, Serialize)]
struct Context<'a> {
    categories: Vec<CategoryContext<'a>>,
    priorities: Vec<&'static str>,
    issue_types: Vec<&'static str>,
    links: &'a [String],
    products: &'a [&'a str],
}

#[derive(Debug, Serialize)]
struct CategoryContext<'a> {
    name: &'a str,
    description: &'a str,
}

/// Where prompts come from, and what they are filled with.
#[derive(Debug, Clone, Copy)]
pub(super) struct PromptSource<'a> {
    /// Where files are that take the place of those that come with the program.
    pub(super) directory: Option<&'a Path>,
    /// The categories.
    pub(super) taxonomy: &'a Taxonomy,
    /// Beginnings of links that a draft may hold.
    pub(super) links: &'a [String],
    /// Names of what the site sells.
    pub(super) products: &'a [&'a str],
}

impl PromptSource<'_> {
    /// The prompts of a step that asks a model.
    pub(super) fn prompts(self, step: TriageStep, variant_percent: u8) -> Result<StepPrompts, PromptError> {
        let own = self.read(&format!("{step}.md"))?;
        let first = self.prompt(step.as_str(), &own.unwrap_or_else(|| shipped(step).to_owned()))?;
        if variant_percent == 0 {
            return Ok(StepPrompts { first, second: None, variant_percent });
        }
        let text = self.read(&format!("{step}.b.md"))?;
        let text = text.ok_or(PromptError::NoVariant { step: step.as_str() })?;
        let second = Some(self.prompt(&format!("{step}.b"), &text)?);
        Ok(StepPrompts { first, second, variant_percent })
    }

    fn read(self, file: &str) -> Result<Option<String>, PromptError> {
        let Some(directory) = self.directory else { return Ok(None) };
        let path = directory.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => Ok(None),
            Err(error) => Err(PromptError::Read(path, error)),
        }
    }

    fn prompt(self, name: &str, source: &str) -> Result<Prompt, PromptError> {
        let text = self.fill(source).map_err(|source| PromptError::Fill { name: name.to_owned(), source })?;
        let hash = hex::encode(&Sha256::digest(source)[..HASH_BYTES]);
        Ok(Prompt { label: format!("{name}@{hash}"), text: text.trim().to_owned() })
    }

    fn fill(self, source: &str) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.render_str(source, Serde(self.context()))
    }

    fn context(&self) -> Context<'_> {
        let categories = self.taxonomy.categories().iter();
        let categories = categories
            .map(|entry| CategoryContext { name: entry.name.as_str(), description: &entry.description });
        Context {
            categories: categories.collect(),
            priorities: schema::words(Priority::ALL, Priority::as_str),
            issue_types: schema::words(IssueType::ALL, IssueType::as_str),
            links: self.links,
            products: self.products,
        }
    }
}

impl StepPrompts {
    /// The prompt for a run: always the same one for the same run, in every step.
    pub(super) fn of(&self, run: RunId) -> &Prompt {
        let hash = Sha256::digest(run.as_uuid());
        let percent = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 100;
        let second = self.second.as_ref().filter(|_| percent < u32::from(self.variant_percent));
        second.unwrap_or(&self.first)
    }
}

/// The prompt that comes with the program.
const fn shipped(step: TriageStep) -> &'static str {
    match step {
        TriageStep::Classify => include_str!("../../../prompts/classify.md"),
        TriageStep::Extract => include_str!("../../../prompts/extract.md"),
        TriageStep::Draft => include_str!("../../../prompts/draft.md"),
        TriageStep::Review => include_str!("../../../prompts/review.md"),
        // These steps ask no model: `Models` refuses to be set up so.
        TriageStep::Research | TriageStep::Finalize => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source<'a>(taxonomy: &'a Taxonomy, directory: Option<&'a Path>) -> PromptSource<'a> {
        PromptSource { directory, taxonomy, links: &[], products: &[] }
    }

    fn runs() -> impl Iterator<Item = RunId> {
        (0..2_000_u128).map(|number| RunId::from_uuid(uuid::Uuid::from_u128(number)))
    }

    #[test]
    fn every_prompt_that_comes_with_the_program_can_be_filled_in() {
        let taxonomy = Taxonomy::built_in().unwrap();
        for step in [TriageStep::Classify, TriageStep::Extract, TriageStep::Draft, TriageStep::Review] {
            let prompts = source(&taxonomy, None).prompts(step, 0).unwrap();
            let prompt = prompts.of(runs().next().unwrap());
            assert!(prompt.text.len() > 200 && prompt.label.starts_with(&format!("{step}@")), "{prompt:?}");
        }
    }

    #[test]
    fn products_are_told_if_there_are_any() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let text = |products| {
            let source = PromptSource { products, ..source(&taxonomy, None) };
            source.prompts(TriageStep::Extract, 0).unwrap().first.text
        };
        assert!(text(&["Drift Kettle", "Halo Lamp"]).contains("Known products: Drift Kettle; Halo Lamp."));
        assert!(!text(&[]).contains("Known products"));
    }

    #[test]
    fn a_file_takes_the_place_of_a_prompt_and_changes_its_hash() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("classify.md"), "One of {{ categories | length }}.").unwrap();
        let label = |directory| {
            let prompts = source(&taxonomy, directory).prompts(TriageStep::Classify, 0).unwrap();
            prompts.first
        };
        let (own, shipped) = (label(Some(directory.path())), label(None));
        assert_eq!(own.text, format!("One of {}.", taxonomy.categories().len()));
        assert_ne!(own.label, shipped.label);
    }

    #[test]
    fn a_prompt_that_names_what_is_not_there_is_refused_by_name() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("extract.md"), "{{ catgories }}").unwrap();
        let refused = source(&taxonomy, Some(directory.path())).prompts(TriageStep::Extract, 0).unwrap_err();
        assert!(refused.to_string().contains("extract") && refused.to_string().contains("categories"));
        let nowhere = source(&taxonomy, Some(Path::new("/nowhere"))).prompts(TriageStep::Extract, 0);
        assert!(matches!(nowhere, Err(PromptError::Read(..))));
        let alone = source(&taxonomy, None).prompts(TriageStep::Draft, 5).unwrap_err();
        assert!(alone.to_string().contains("draft.b.md"), "{alone}");
    }

    #[test]
    fn the_second_variant_goes_to_its_share_of_the_runs_and_to_the_same_ones_always() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("classify.b.md"), "Shorter.").unwrap();
        let prompts = source(&taxonomy, Some(directory.path())).prompts(TriageStep::Classify, 20).unwrap();
        let second = |run| prompts.of(run).label.starts_with("classify.b@");
        let share = runs().filter(|run| second(*run)).count();
        assert!((320..480).contains(&share), "{share} of 2000");
        assert!(runs().all(|run| second(run) == second(run)));
    }
}
