//! `[offline]`: files of what the offline rules know besides what comes with the program.

use super::OfflineSection;
use crate::exit::Exit;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use ticketflow_steps::provider::offline::Weights;
use ticketflow_tickets::taxonomy::Taxonomy;
use ticketflow_workflows::triage::Catalogue;

impl OfflineSection {
    /// What the site sells; the file is looked for beside `config`.
    pub(super) fn products(&self, config: Option<&Path>) -> anyhow::Result<Catalogue> {
        let Some(file) = &self.products else { return Ok(Catalogue::default()) };
        let path = beside(config, file);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}, which offline.products names", path.display()))?;
        let named = || format!("{}, which offline.products names", path.display());
        let catalogue = Catalogue::parse(&text).with_context(named)?;
        catalogue.check(&Taxonomy::built_in()?).with_context(named)?;
        Ok(catalogue)
    }

    /// What was learnt from the site's own tickets; the file is looked for beside `config`.
    pub(super) fn weights(&self, config: Option<&Path>) -> anyhow::Result<Option<Weights>> {
        let Some(file) = &self.weights else { return Ok(None) };
        let path = beside(config, file);
        let read = || anyhow::Ok(Weights::parse(&std::fs::read_to_string(&path)?)?);
        read().map(Some).map_err(|error| {
            let path = path.display();
            Exit::Usage.with(format!("[offline] weights in the configuration file, {path}: {error:#}"))
        })
    }
}

fn beside(config: Option<&Path>, file: &Path) -> PathBuf {
    config.and_then(Path::parent).unwrap_or_else(|| Path::new("")).join(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_products_can_be_used() {
        let example = include_str!("../../docs/products.example.toml");
        Catalogue::parse(example).unwrap().check(&Taxonomy::built_in().unwrap()).unwrap();
    }

    #[test]
    fn products_are_looked_for_beside_the_configuration_file() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("ticketflow.toml");
        let section: OfflineSection = toml::from_str("products = 'products.toml'").unwrap();
        let says = |section: &OfflineSection| format!("{:#}", section.products(Some(&config)).unwrap_err());
        assert!(says(&section).contains("cannot read") && says(&section).contains("offline.products"));
        for (text, said) in [
            ("", "lists no product"),
            ("[[product]]\nname = 'Lamp'\n[[product]]\nname = 'LAMP'\n", "rename"),
            ("[[product]]\nname = 'Lamp'\ncategory = 'light'\n", "billing"),
            ("[[product]]\nnames = 'Lamp'\n", "[[product]]"),
        ] {
            std::fs::write(directory.path().join("products.toml"), text).unwrap();
            assert!(says(&section).contains(said), "{said}: {}", says(&section));
        }
        std::fs::write(directory.path().join("products.toml"), "[[product]]\nname = 'Lamp'\n").unwrap();
        section.products(Some(&config)).unwrap();
        OfflineSection::default().products(None).unwrap();
    }
}
