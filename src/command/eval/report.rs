//! The report for people.

use super::{Latency, Report};
use crate::{
    output::{counted, out},
    quality::Scores,
};
use comfy_table::{CellAlignment, Table};
use std::collections::BTreeSet;

/// Prints it.
pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    let Report { left_out, majority, keywords, classifier, priority, latency } = report;
    out(&format!("{}, {left_out} left out\n", counted(classifier.texts, "text")))?;
    let rows = [("majority", majority), ("keywords", keywords), ("classifier", classifier)];
    out(&table(
        &["", "accuracy", "macro-F1", "surest half", "calibration error"],
        rows.map(|(name, scores)| summary(name, scores)),
    ))?;
    out("")?;
    let rows = classifier.categories.iter().map(|category| {
        let figures = [category.precision, category.recall, category.f1].map(figure);
        let [precision, recall, f1] = figures;
        vec![category.category.clone(), category.texts.to_string(), precision, recall, f1]
    });
    out(&table(&["category", "texts", "precision", "recall", "F1"], rows))?;
    out("\nlabel, and what it was taken for")?;
    out(&confusion(classifier))?;
    out("\nconfidence, and how often it was right")?;
    let rows = classifier.bins.iter().map(|bin| {
        vec![format!("{:.1}", bin.from), bin.texts.to_string(), figure(bin.confidence), figure(bin.accuracy)]
    });
    out(&table(&["from", "texts", "confidence", "right"], rows))?;
    out("")?;
    if let Some(priority) = priority {
        out(&format!("priority: {} of {} right", figure(priority.accuracy), priority.texts))?;
    }
    let Latency { mean, p50, p99 } = latency;
    out(&format!(
        "a ticket takes {mean:.0} µs on average, half at most {p50:.0} µs, 99 % at most {p99:.0} µs"
    ))
}

fn summary(name: &str, scores: &Scores) -> Vec<String> {
    let figures = [scores.accuracy, scores.macro_f1, scores.surest_half, scores.calibration_error];
    std::iter::once(name.to_owned()).chain(figures.map(figure)).collect()
}

fn confusion(scores: &Scores) -> String {
    let found: BTreeSet<&str> =
        scores.confusion.values().flat_map(|row| row.keys().map(String::as_str)).collect();
    let header: Vec<&str> = std::iter::once("").chain(found.iter().copied()).collect();
    let rows = scores.confusion.iter().map(|(label, row)| {
        let counts = found.iter().map(|name| row.get(*name).map_or_else(|| "·".to_owned(), usize::to_string));
        std::iter::once(label.clone()).chain(counts).collect()
    });
    table(&header, rows)
}

/// A table whose figures stand to the right.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A figure as it is printed.
pub(crate) fn figure(figure: f64) -> String {
    format!("{figure:.3}")
}
