//! Owns the list of what the server can do with a request.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Mode {
    /// Answered as it should be.
    Fine,
    /// 429 with `Retry-After`.
    RateLimit,
    /// 429 without `Retry-After`.
    RateLimitBare,
    /// 429 with the code `insufficient_quota`.
    Quota,
    /// 401.
    Unauthorized,
    /// 404: there is no such model.
    NoModel,
    /// 400, without a word of what is wrong with the request.
    BadRequest,
    /// 400 to every request with a JSON schema.
    NoJsonSchema,
    /// 400 to every request with any response format but text.
    NoJsonObject,
    /// 500.
    Error,
    /// 503.
    Unavailable,
    /// No answer, ever.
    Hang,
    /// The right answer, a byte at a time.
    Drip,
    /// The connection ends in the middle of the body.
    Cut,
    /// A body of 200 MB.
    Huge,
    /// 307 to another path of this server.
    Redirect,
    /// An HTML page with status 200.
    WrongType,
    /// A completion whose content is cut-off JSON.
    InvalidJson,
    /// A completion whose content is JSON of another shape.
    WrongShape,
    /// The right answer without `usage`.
    NoUsage,
    /// The `refusal` field instead of content.
    Refusal,
    /// Half the content, `finish_reason` being `length`.
    Length,
    /// Does what the text asks for: every code and link of it, and some that are invented, stand in every string; sent
    /// back, it leaves out what it is blamed for and says the rest again.
    Obey,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 23] = [
        Self::Fine,
        Self::RateLimit,
        Self::RateLimitBare,
        Self::Quota,
        Self::Unauthorized,
        Self::NoModel,
        Self::BadRequest,
        Self::NoJsonSchema,
        Self::NoJsonObject,
        Self::Error,
        Self::Unavailable,
        Self::Hang,
        Self::Drip,
        Self::Cut,
        Self::Huge,
        Self::Redirect,
        Self::WrongType,
        Self::InvalidJson,
        Self::WrongShape,
        Self::NoUsage,
        Self::Refusal,
        Self::Length,
        Self::Obey,
    ];

    /// Its name in options, and behind `fake-` in the name of a model.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::RateLimit => "429",
            Self::RateLimitBare => "429-bare",
            Self::Quota => "quota",
            Self::Unauthorized => "401",
            Self::NoModel => "404",
            Self::BadRequest => "400",
            Self::NoJsonSchema => "no-json-schema",
            Self::NoJsonObject => "no-json-object",
            Self::Error => "500",
            Self::Unavailable => "503",
            Self::Hang => "hang",
            Self::Drip => "drip",
            Self::Cut => "cut",
            Self::Huge => "huge",
            Self::Redirect => "redirect",
            Self::WrongType => "wrong-type",
            Self::InvalidJson => "invalid-json",
            Self::WrongShape => "wrong-shape",
            Self::NoUsage => "no-usage",
            Self::Refusal => "refusal",
            Self::Length => "length",
            Self::Obey => "obey",
        }
    }

    /// The mode that the name of a model asks for, if it asks for one: `fake-429`.
    pub(crate) fn of_model(model: &str) -> Option<Result<Self, UnknownMode>> {
        model.strip_prefix("fake-").map(str::parse)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Mode> for &'static str {
    fn from(mode: Mode) -> Self {
        mode.as_str()
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| UnknownMode(name.to_owned()))
    }
}

impl TryFrom<String> for Mode {
    type Error = UnknownMode;

    fn try_from(name: String) -> Result<Self, UnknownMode> {
        name.parse()
    }
}

/// No mode has this name.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no mode; use one of {names}", names = Mode::ALL.map(Mode::as_str).join(", "))]
pub struct UnknownMode(String);
