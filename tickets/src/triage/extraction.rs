//! Owns the output of the step `extract`. Every id, address and number in it occurs in the ticket, letter for letter.

use super::issue::IssueType;
use crate::word::closed_words;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What a ticket names and asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// The order the ticket is about: the first one named.
    pub order_id: Option<String>,
    /// Every order named.
    pub order_ids: Vec<String>,
    /// Every invoice named.
    pub invoice_ids: Vec<String>,
    /// The product, plan or part of the service it is about.
    pub product: Option<String>,
    /// Sums of money.
    pub amounts: Vec<Amount>,
    /// Days.
    pub dates: Vec<DateMention>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// Telephone numbers.
    pub phones: Vec<String>,
    /// Error codes, as `HTTP 503` or `E1042`.
    pub error_codes: Vec<String>,
    /// Versions, as `v4.12.1` or `iOS 17.2`.
    pub versions: Vec<String>,
    /// Links.
    pub urls: Vec<String>,
    /// Devices, as `iPhone 14`.
    #[serde(default)]
    pub devices: Vec<String>,
    /// What the customer wants dealt with.
    pub issue_type: IssueType,
    /// The sentences that ask for something, in the ticket's words.
    pub asks: Vec<String>,
    /// What a person should look at whatever the category.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// Where the ticket names what was found, in the order of the ticket.
    #[serde(default)]
    pub mentions: Vec<Mention>,
}

impl Extraction {
    /// An extraction that found nothing but the matter.
    pub const fn empty(issue_type: IssueType) -> Self {
        Self {
            order_id: None,
            order_ids: Vec::new(),
            invoice_ids: Vec::new(),
            product: None,
            amounts: Vec::new(),
            dates: Vec::new(),
            emails: Vec::new(),
            phones: Vec::new(),
            error_codes: Vec::new(),
            versions: Vec::new(),
            urls: Vec::new(),
            devices: Vec::new(),
            issue_type,
            asks: Vec::new(),
            risks: Vec::new(),
            mentions: Vec::new(),
        }
    }
}

/// Where a ticket first names something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mention {
    /// In which part of the ticket.
    pub part: Part,
    /// Its first character, counted from 0 in Unicode scalar values.
    pub start: u32,
    /// The character behind its last.
    pub end: u32,
    /// What is named.
    pub kind: EntityKind,
}

closed_words! {
    /// A part of a ticket.
    Part {
        /// The subject line.
        Subject => "subject",
        /// The body.
        Body => "body",
    }
}

closed_words! {
    /// A kind of what tickets name.
    EntityKind {
        /// An order number.
        Order => "order",
        /// An invoice number.
        Invoice => "invoice",
        /// A product, plan or part of the service.
        Product => "product",
        /// A sum of money.
        Amount => "amount",
        /// A day.
        Date => "date",
        /// An e-mail address.
        Email => "email",
        /// A telephone number.
        Phone => "phone",
        /// An error code.
        ErrorCode => "error_code",
        /// A version.
        Version => "version",
        /// A link.
        Url => "url",
        /// A device.
        Device => "device",
        /// A sentence that asks for something.
        Ask => "ask",
    }
}

/// A sum of money.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// The number as a decimal with a point, as `1234.56`.
    pub value: String,
    /// ISO 4217 code, as `EUR`.
    pub currency: String,
    /// As the customer wrote it.
    pub text: String,
}

/// A day that a ticket names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateMention {
    /// As the customer wrote it.
    pub text: String,
    /// The day, when the text leaves no doubt: `12/03/2026` has no day, since it has two.
    pub date: Option<NaiveDate>,
}

closed_words! {
    /// Something that a person should look at whatever the category.
    Risk {
        /// A stolen account or leaked data.
        Security => "security",
        /// A lawyer, a court, a regulator or a formal notice.
        Legal => "legal",
        /// Insults or threats.
        Abuse => "abuse",
        /// The text tries to instruct the program that reads it.
        Injection => "injection",
        /// The text holds a full card number.
        CardNumber => "card_number",
    }
}
