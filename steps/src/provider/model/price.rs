//! What tokens cost.

use std::collections::BTreeMap;
use ticketflow_tickets::triage::Tokens;

/// Characters that count as one token where the provider does not say: a rule of thumb for European languages.
const CHARACTERS_PER_TOKEN: u64 = 4;
/// Tokens that prices are given for.
const PRICED_TOKENS: f64 = 1e6;

/// Prices of a provider's models, as of some day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceTable {
    /// Which prices these are; it stands in every account.
    pub version: String,
    /// By name of the model.
    pub models: BTreeMap<String, ModelPrice>,
}

/// Dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelPrice {
    /// Read.
    pub input: f64,
    /// Written.
    pub output: f64,
    /// Read, and cached by the provider.
    pub cached: f64,
}

impl ModelPrice {
    /// Dollars for so many tokens. Of which it is not known that they were cached, they were not.
    pub fn cost(self, tokens: Tokens) -> f64 {
        let cached = tokens.cached.unwrap_or_default().min(tokens.input);
        let dollars = exact(tokens.input - cached) * self.input
            + exact(cached) * self.cached
            + exact(tokens.output) * self.output;
        dollars / PRICED_TOKENS
    }
}

#[expect(clippy::cast_precision_loss, reason = "a call has far fewer than 2^52 tokens")]
fn exact(tokens: u64) -> f64 {
    tokens as f64
}

/// About how many tokens a text of so many characters has.
pub(super) fn estimate(characters: usize) -> u64 {
    u64::try_from(characters).unwrap_or(u64::MAX).div_ceil(CHARACTERS_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_their_own_price() {
        let price = ModelPrice { input: 2.0, output: 8.0, cached: 0.5 };
        let tokens = |cached| Tokens { input: 1_000_000, output: 500_000, cached };
        assert!((price.cost(tokens(None)) - 6.0).abs() < 1e-9);
        assert!((price.cost(tokens(Some(400_000))) - 5.4).abs() < 1e-9);
        assert!((price.cost(tokens(Some(u64::MAX))) - 4.5).abs() < 1e-9);
        assert_eq!(estimate(9), 3);
    }
}
