//! Owns the kinds of what is replaced, and the form of their placeholders.

/// What a placeholder stands for. The order decides which kind a text has that could be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A key, a token, a password.
    Secret,
    /// The number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// Text that looks like a placeholder, and would be taken for one when values are put back.
    Text,
}

impl Kind {
    /// The word in its placeholders.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "SECRET",
            Self::Card => "CARD",
            Self::Iban => "IBAN",
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Text => "TEXT",
        }
    }

    pub(super) fn placeholder(self, number: usize) -> String {
        format!("[{}_{number}]", self.as_str())
    }
}

/// What a placeholder of any kind looks like.
pub(super) const PLACEHOLDER: &str = r"\[(?:SECRET|CARD|IBAN|EMAIL|PHONE|TEXT)_[0-9]+\]";
