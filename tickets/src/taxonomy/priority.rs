//! Owns [`Priority`]: how soon somebody must look at a ticket.

use crate::word::closed_words;

closed_words! {
    /// From what can wait to what cannot.
    #[derive(Default)]
    Priority {
        /// Nobody waits for it.
        Low => "low",
        /// The usual.
        #[default]
        Medium => "medium",
        /// Money, rights or many people are at stake.
        High => "high",
        /// Harm grows by the hour.
        Urgent => "urgent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_ordered_and_read_back() {
        assert!(Priority::ALL.is_sorted());
        for &priority in Priority::ALL {
            assert_eq!(Priority::parse(priority.as_str()), Some(priority));
            assert_eq!(serde_json::to_string(&priority).unwrap(), format!("\"{priority}\""));
        }
    }
}
