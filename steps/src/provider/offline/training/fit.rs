//! Owns the two fits: the linear model (multinomial logistic regression, every category counting alike, L2), and the
//! sharpness of the evidence.

use super::{Row, minimise::minimise};
use crate::provider::offline::{
    classify::{Blend, Class, Parts, log_shares},
    embedding::{DIMENSIONS, Vector},
};
use ticketflow_tickets::taxonomy::Category;

/// Inverse strength of the regularisation, per example. Chosen with the table of vectors (its README: C = 0.03 on vectors
/// four times as long), not on the figures that training reports.
const FREEDOM: f64 = 0.48;
/// What the kinds of evidence count beside each other: as published with the table of vectors. Not fitted: the texts that
/// are trained on have a sentence each, in which few keywords occur, and tickets have many.
const PROPORTIONS: Blend = Blend { keywords: 1.0, descriptions: 1.0, linear: 0.5 };
/// Least sharpness.
const DULLEST: f64 = 0.05;
/// Numbers of a class: a factor for each component, and the bias.
const WIDTH: usize = DIMENSIONS + 1;
/// Rows whose gradients are added up in single precision.
const CHUNK: usize = 256;

/// A row of the linear model's fit.
struct Text<'a> {
    vector: &'a Vector,
    class: usize,
    weight: f64,
}

/// The classes that tell `rows` apart, in the order of `categories`. What `start` knows is where the search starts from,
/// and what few examples do not move far from.
pub(super) fn classes(rows: &[&Row], categories: &[Category], start: &[Option<Class>]) -> Vec<Option<Class>> {
    let mut counts = vec![0.0; categories.len()];
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row.vector()?, row.category))).collect();
    for (_, category) in &rows {
        counts[*category] += 1.0;
    }
    let known: Vec<usize> =
        (0..categories.len()).filter(|at| counts[*at] > 0.0 || start[*at].is_some()).collect();
    let present = counts.iter().filter(|count| **count > 0.0).count();
    let share = precise(rows.len()) / precise(present.max(1));
    let texts: Vec<Text<'_>> = rows
        .into_iter()
        .filter_map(|(vector, category)| {
            let class = known.iter().position(|at| *at == category)?;
            Some(Text { vector, class, weight: share / counts[category] })
        })
        .collect();
    let origin: Vec<Option<&Class>> = known.iter().map(|at| start[*at].as_ref()).collect();
    let found = regress(&texts, &origin);
    let mut classes = vec![None; categories.len()];
    for (at, numbers) in known.iter().zip(found.chunks_exact(WIDTH)) {
        classes[*at] = Some(class(&categories[*at], numbers));
    }
    classes
}

#[expect(clippy::cast_possible_truncation, reason = "the file keeps five digits")]
fn class(category: &Category, numbers: &[f64]) -> Class {
    let rounded = |number: &f64| ((number * 1e4).round() / 1e4) as f32;
    let bias = numbers.last().map_or(0.0, rounded);
    Class { category: category.clone(), bias, factors: numbers[..DIMENSIONS].iter().map(rounded).collect() }
}

fn regress(texts: &[Text<'_>], origin: &[Option<&Class>]) -> Vec<f64> {
    let start: Vec<f64> = origin.iter().flat_map(|class| numbers(*class)).collect();
    if texts.is_empty() {
        return start;
    }
    let examples = precise(texts.len());
    let strength = 1.0 / (FREEDOM * examples);
    // Nothing holds the bias of a class that starts from nothing.
    let is_held = |at: usize| origin[at / WIDTH].is_some() || at % WIDTH != DIMENSIONS;
    minimise(start.clone(), |point| {
        let (mut loss, mut gradient) = losses(texts, origin.len(), point);
        loss /= examples;
        for (at, slope) in gradient.iter_mut().enumerate() {
            let away = if is_held(at) { point[at] - start[at] } else { 0.0 };
            loss += strength / 2.0 * away * away;
            *slope = *slope / examples + strength * away;
        }
        (loss, gradient)
    })
}

fn numbers(class: Option<&Class>) -> Vec<f64> {
    class.map_or_else(
        || vec![0.0; WIDTH],
        |class| class.factors.iter().chain([&class.bias]).map(|factor| f64::from(*factor)).collect(),
    )
}

/// The texts' weighted losses and their gradient.
#[expect(clippy::cast_possible_truncation, reason = "vectors are in single precision")]
fn losses(texts: &[Text<'_>], classes: usize, point: &[f64]) -> (f64, Vec<f64>) {
    let narrow: Vec<f32> = point.iter().map(|number| *number as f32).collect();
    let (mut loss, mut gradient) = (0.0, vec![0.0; point.len()]);
    let mut chunk_gradient = vec![0.0_f32; point.len()];
    for chunk in texts.chunks(CHUNK) {
        chunk_gradient.fill(0.0);
        for text in chunk {
            let scores: Vec<f64> = (0..classes)
                .map(|class| f64::from(score(&narrow[class * WIDTH..(class + 1) * WIDTH], text.vector)))
                .collect();
            let shares = log_shares(&scores);
            loss -= text.weight * shares[text.class];
            for (class, share) in shares.iter().enumerate() {
                let right = if class == text.class { 1.0 } else { 0.0 };
                let slope = (text.weight * (share.exp() - right)) as f32;
                push(&mut chunk_gradient[class * WIDTH..(class + 1) * WIDTH], slope, text.vector);
            }
        }
        for (sum, part) in gradient.iter_mut().zip(&chunk_gradient) {
            *sum += f64::from(*part);
        }
    }
    (loss, gradient)
}

fn score(numbers: &[f32], vector: &Vector) -> f32 {
    let (factors, bias) = numbers.split_at(DIMENSIONS);
    vector.along(factors) + bias.iter().sum::<f32>()
}

fn push(gradient: &mut [f32], slope: f32, vector: &Vector) {
    let (factors, bias) = gradient.split_at_mut(DIMENSIONS);
    for (sum, component) in factors.iter_mut().zip(vector.components()) {
        *sum += slope * component;
    }
    bias.iter_mut().for_each(|sum| *sum += slope);
}

/// The sharpness under which evidence from texts that the model had not seen is most likely right. Every source counts
/// alike: each part comes with its source's number and its category.
pub(super) fn blend(unseen: &[(usize, usize, Parts)]) -> Blend {
    let sources = unseen.iter().map(|(source, _, _)| source + 1).max().unwrap_or_default();
    let mut counts = vec![0.0; sources];
    for (source, _, _) in unseen {
        counts[*source] += 1.0;
    }
    let sums: Vec<_> = unseen
        .iter()
        .map(|(source, category, parts)| (parts.sums(PROPORTIONS), *category, counts[*source]))
        .collect();
    let sharpest = minimise(vec![1.0], |sharpness| {
        let (mut loss, mut slope) = (0.0, 0.0);
        for (sums, category, count) in &sums {
            let shares = log_shares(&sums.iter().map(|sum| sum * sharpness[0]).collect::<Vec<_>>());
            let expected: f64 = sums.iter().zip(&shares).map(|(sum, share)| sum * share.exp()).sum();
            loss -= shares[*category] / count;
            slope += (expected - sums[*category]) / count;
        }
        (loss, vec![slope])
    });
    // Evidence that misleads on all sources is no reason to believe the contrary of it.
    let sharpness = (sharpest[0].max(DULLEST) * 1e3).round() / 1e3;
    PROPORTIONS.times(sharpness)
}

#[expect(clippy::cast_precision_loss, reason = "counts of texts, far below 2^52")]
const fn precise(count: usize) -> f64 {
    count as f64
}
