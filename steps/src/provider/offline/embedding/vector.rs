//! Owns [`Vector`]: a direction in the space of meanings.

/// Components of a vector.
pub const DIMENSIONS: usize = 128;

/// Length under which a sum counts as nothing.
const LEAST: f32 = 1e-12;

/// What a text means: of length 1, or zero for a text that says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector([f32; DIMENSIONS]);

impl Vector {
    /// The direction of `sum`.
    pub(super) fn normalised(mut sum: [f32; DIMENSIONS]) -> Self {
        let length = dot(&sum, &sum).sqrt().max(LEAST);
        for component in &mut sum {
            *component /= length;
        }
        Self(sum)
    }

    /// Cosine of the angle between the two, from -1 to 1; 0 when one of them is silent.
    pub fn dot(&self, other: &Self) -> f32 {
        dot(&self.0, &other.0)
    }

    /// Sum of the components, each times its own of `factors`.
    pub(in super::super) fn along(&self, factors: &[f32]) -> f32 {
        dot(&self.0, factors)
    }

    /// Whether nothing is known about the text.
    pub fn is_silent(&self) -> bool {
        self.0.iter().all(|component| *component == 0.0)
    }

    /// The components.
    pub const fn components(&self) -> &[f32; DIMENSIONS] {
        &self.0
    }
}

/// Sums in eight lanes, as the compiler cannot reorder a sum of floats by itself.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (ones, _) = one.as_chunks::<LANES>();
    let (others, _) = other.as_chunks::<LANES>();
    for (one, other) in ones.iter().zip(others) {
        for (lane, (one, other)) in lanes.iter_mut().zip(one.iter().zip(other)) {
            *lane += one * other;
        }
    }
    lanes.iter().sum()
}
