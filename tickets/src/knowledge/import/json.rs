//! Owns files in JSON: articles as the API shows them, or guidelines.

use super::{ImportDefaults, slug, stem};
use crate::knowledge::Article;
use serde_json::{Map, Value};

/// Reads a file.
pub(super) fn read(file: &str, text: &str, defaults: &ImportDefaults) -> Result<Vec<Article>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match value {
        Value::Array(items) => articles(items),
        Value::Object(mut object) => match object.remove("articles") {
            Some(Value::Array(items)) => articles(items),
            Some(_) => Err("has articles that are no array".to_owned()),
            None if object.contains_key("title") => articles(vec![Value::Object(object)]),
            None => {
                let mut guidelines = Guidelines { file, defaults, found: Vec::new() };
                guidelines.read(&object, &[])?;
                Ok(guidelines.found)
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("holds neither an object nor an array".to_owned())
        }
    }
}

fn articles(items: Vec<Value>) -> Result<Vec<Article>, String> {
    let article =
        |(number, item)| serde_json::from_value(item).map_err(|error| format!("article {number}: {error}"));
    items.into_iter().enumerate().map(article).collect()
}

/// Guidelines as they are read.
struct Guidelines<'a> {
    file: &'a str,
    defaults: &'a ImportDefaults,
    found: Vec<Article>,
}

impl Guidelines<'_> {
    /// Reads the guidelines in `object`, which stands below what `about` names and describes.
    fn read(&mut self, object: &Map<String, Value>, about: &[&str]) -> Result<(), String> {
        for (name, value) in object {
            let Value::Object(inner) = value else { continue };
            if inner.values().any(Value::is_array) {
                self.take(name, inner, about)?;
                continue;
            }
            let texts = inner.values().filter_map(Value::as_str);
            // A level without a word of its own is there for its name's sake alone.
            let describes = texts.clone().next().is_some();
            let named = describes.then_some(name.as_str()).into_iter().chain(texts);
            let about: Vec<&str> = about.iter().copied().chain(named).collect();
            self.read(inner, &about)?;
        }
        Ok(())
    }

    /// A guideline: lists of texts say what it is about, lists of objects what to do.
    fn take(&mut self, name: &str, guideline: &Map<String, Value>, about: &[&str]) -> Result<(), String> {
        let items = guideline.values().filter_map(Value::as_array).flatten();
        let (mut steps, mut texts): (Vec<String>, Vec<String>) = Default::default();
        for item in items {
            match item {
                Value::String(text) => texts.push(one_line(text)),
                Value::Object(step) => steps.push(instruction(step)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
            }
        }
        texts.retain(|text| !text.is_empty());
        steps.retain(|step| !step.is_empty());
        let summary = if texts.is_empty() { name.to_owned() } else { texts.remove(0) };
        self.found.push(Article {
            id: slug(&[stem(self.file), name])?,
            title: one_line(name),
            category: self.defaults.category.clone(),
            language: self.defaults.language,
            keywords: about.iter().map(|text| one_line(text)).collect(),
            summary,
            steps,
            good_to_know: texts,
            when_to_contact: String::new(),
        });
        Ok(())
    }
}

/// The text of a step, with what is listed below it.
fn instruction(step: &Map<String, Value>) -> String {
    let text = step.get("text").and_then(Value::as_str).unwrap_or_default();
    let below = step.values().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let below: Vec<String> = below.map(one_line).filter(|line| !line.is_empty()).collect();
    one_line(&format!("{text} {}", below.join("; ")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
