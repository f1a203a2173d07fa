//! The two state words of a run: what the live row says ([`LiveState`]) and what became of the run ([`RunStatus`]).

macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that columns, logs and labels use.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the word back; `None` for a word that is not one of [`Self::ALL`].
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// State of a run that is not finished, as its `live_runs` row has it.
    LiveState {
        /// May be claimed.
        Ready => "ready",
        /// Ready, but its concurrency key is full.
        Blocked => "blocked",
        /// A worker advances it.
        Leased => "leased",
        /// Until its wake time.
        Sleeping => "sleeping",
        /// For a signal, or until its time-out.
        Waiting => "waiting",
        /// By an operator, until resumed.
        Paused => "paused",
    }
}

text_enum! {
    /// What became of a run.
    RunStatus {
        /// Not finished.
        Live => "live",
        /// Its last step completed.
        Completed => "completed",
        /// A step failed for good; may be resumed.
        Failed => "failed",
        /// An operator ended it.
        Cancelled => "cancelled",
    }
}
