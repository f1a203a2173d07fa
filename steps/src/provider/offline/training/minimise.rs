//! Owns the search for the least value of a convex function: L-BFGS (Nocedal, "Updating quasi-Newton matrices with
//! limited storage", 1980) with backtracking steps. Deterministic.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Steps at most.
const MOST_STEPS: usize = 300;
/// Length of the gradient at which the search is over, beside that of the point.
const FLAT: f64 = 1e-5;
/// Share of the promised descent that a step must bring.
const SUFFICIENT: f64 = 1e-4;
/// How often a step is halved before the search is over.
const MOST_HALVINGS: usize = 40;

/// A remembered step: how far it went and how the gradient changed.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    /// One over the product of the two.
    scale: f64,
}

/// The point near `start` where `function` is least. It is given a point and returns value and gradient.
pub(super) fn minimise(start: Vec<f64>, function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let mut point = start;
    let (mut value, mut gradient) = function(&point);
    let mut memory: VecDeque<Step> = VecDeque::with_capacity(MEMORY);
    for _ in 0..MOST_STEPS {
        if length(&gradient) <= FLAT * length(&point).max(1.0) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&gradient, &direction);
        let first = if memory.is_empty() { 1.0 / length(&gradient).max(1.0) } else { 1.0 };
        let tried = (0..MOST_HALVINGS).scan(first, |step, _| Some(std::mem::replace(step, *step / 2.0)));
        let mut reached = tried.map(|step| {
            let next: Vec<f64> = point.iter().zip(&direction).map(|(at, by)| by.mul_add(step, *at)).collect();
            let (lower, turned) = function(&next);
            (step, next, lower, turned)
        });
        let descends = |(step, _, lower, _): &(f64, _, f64, _)| *lower <= SUFFICIENT * step * slope + value;
        let Some((_, next, lower, turned)) = reached.find(descends) else { break };
        remember(&mut memory, difference(&next, &point), difference(&turned, &gradient));
        (point, value, gradient) = (next, lower, turned);
    }
    point
}

/// Down the gradient, bent by what is known of the curvature.
fn direction(gradient: &[f64], memory: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for step in memory.iter().rev() {
        let share = step.scale * dot(&step.moved, &direction);
        add(&mut direction, -share, &step.turned);
        shares.push(share);
    }
    if let Some(last) = memory.back() {
        let curvature = 1.0 / (last.scale * dot(&last.turned, &last.turned));
        direction.iter_mut().for_each(|by| *by *= curvature);
    }
    for (step, share) in memory.iter().zip(shares.into_iter().rev()) {
        let correction = share - step.scale * dot(&step.turned, &direction);
        add(&mut direction, correction, &step.moved);
    }
    direction
}

/// Remembers a step, unless rounding has left nothing of its curvature.
fn remember(memory: &mut VecDeque<Step>, moved: Vec<f64>, turned: Vec<f64>) {
    let product = dot(&moved, &turned);
    if product <= f64::EPSILON * dot(&turned, &turned) {
        return;
    }
    if memory.len() == MEMORY {
        memory.pop_front();
    }
    memory.push_back(Step { moved, turned, scale: 1.0 / product });
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn length(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

fn difference(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one - other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_a_narrow_valley_is_found() {
        let valley = |at: &[f64]| {
            let value =
                (at[0] - 3.0).powi(2) + 1000.0 * (at[1] + 2.0).powi(2) + (at[0] + at[1] - 1.0).powi(4);
            let bend = 4.0 * (at[0] + at[1] - 1.0).powi(3);
            (value, vec![2.0 * (at[0] - 3.0) + bend, 2000.0 * (at[1] + 2.0) + bend])
        };
        let least = minimise(vec![0.0, 0.0], valley);
        assert!((least[0] - 3.0).abs() < 1e-3 && (least[1] + 2.0).abs() < 1e-3, "{least:?}");
    }

    #[test]
    fn a_flat_function_is_least_where_one_stands() {
        assert_eq!(minimise(vec![7.0], |_| (1.0, vec![0.0])), [7.0]);
    }
}
