//! Owns [`Weights`], what training leaves behind: a linear model on word vectors, and how much it counts beside keywords
//! and descriptions. One small JSON file.

use crate::provider::offline::embedding::{DIMENSIONS, Vector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ticketflow_tickets::taxonomy::Category;

/// The form of the file.
const FORMAT: u32 = 1;
/// Largest file that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// What training leaves behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    format: u32,
    /// Sources that it was trained on, and how many texts of each.
    trained_on: BTreeMap<String, usize>,
    blend: Blend,
    classes: Vec<Class>,
}

/// What the logarithms of three probabilities count: they are multiplied by these and added up. Their size is fitted on
/// sources that the linear model had not seen, so that the sum is calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Blend {
    /// Keywords and cues.
    pub(in super::super) keywords: f64,
    /// Likeness to the descriptions.
    pub(in super::super) descriptions: f64,
    /// The linear model.
    pub(in super::super) linear: f64,
}

/// What speaks for a category: its bias and a factor for each component of a text's vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Class {
    /// Which category.
    pub(in super::super) category: Category,
    /// What it has whatever the text.
    pub(in super::super) bias: f32,
    /// Factors.
    pub(in super::super) factors: Vec<f32>,
}

impl Blend {
    /// All of it so many times.
    pub(in super::super) fn times(self, factor: f64) -> Self {
        let Self { keywords, descriptions, linear } = self;
        Self { keywords: keywords * factor, descriptions: descriptions * factor, linear: linear * factor }
    }
}

impl Weights {
    /// The weights that come with the program; NOTICE names what they were trained on.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn shipped() -> Result<Self, WeightsError> {
        Self::parse(include_str!("../../../../data/weights.json"))
    }

    /// Reads a file that training wrote.
    ///
    /// # Errors
    /// If it is none, is of another version, or holds what cannot be weights.
    pub fn parse(json: &str) -> Result<Self, WeightsError> {
        if json.len() > LARGEST {
            return Err(WeightsError::Large(json.len()));
        }
        let weights: Self = serde_json::from_str(json)?;
        if weights.format != FORMAT {
            return Err(WeightsError::Format(weights.format));
        }
        let blend = [weights.blend.keywords, weights.blend.descriptions, weights.blend.linear];
        if blend.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err(WeightsError::Blend);
        }
        let broken = |class: &&Class| {
            class.factors.len() != DIMENSIONS
                || class.factors.iter().chain([&class.bias]).any(|factor| !factor.is_finite())
        };
        match weights.classes.iter().find(broken) {
            Some(class) => Err(WeightsError::Class(class.category.clone())),
            None => Ok(weights),
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// Only if a number cannot be JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    pub(in super::super) const fn new(
        trained_on: BTreeMap<String, usize>,
        blend: Blend,
        classes: Vec<Class>,
    ) -> Self {
        Self { format: FORMAT, trained_on, blend, classes }
    }

    /// Sources that it was trained on, and how many texts of each.
    pub const fn trained_on(&self) -> &BTreeMap<String, usize> {
        &self.trained_on
    }

    pub(in super::super) const fn blend(&self) -> Blend {
        self.blend
    }

    pub(in super::super) fn class(&self, category: &Category) -> Option<&Class> {
        self.classes.iter().find(|class| class.category == *category)
    }
}

impl Class {
    /// How much speaks for the category in a text of that meaning.
    pub(in super::super) fn score(&self, vector: &Vector) -> f32 {
        self.bias + vector.along(&self.factors)
    }
}

/// Why a file of weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not JSON, or not of the expected form.
    #[error("read the weights; `ticketflow train` writes such a file")]
    Read(#[from] serde_json::Error),
    /// Another version's.
    #[error("the weights are of format {0}, and this program reads format {FORMAT}: train again")]
    Format(u32),
    /// Too large.
    #[error("the weights have {0} bytes, and {LARGEST} are the most")]
    Large(usize),
    /// A share is no number, or below zero.
    #[error("the blend of the weights has a share that is not zero or more: train again")]
    Blend,
    /// A class without a finite factor for every component.
    #[error("the weights of category {0} are not {DIMENSIONS} finite numbers: train again")]
    Class(Category),
}
