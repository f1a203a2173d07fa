//! The closed set of things that can go wrong with a request, each with its status and title.

use axum::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal, $status:ident, $retryable:literal, $title:literal;)+) => {
        /// What went wrong; the `code` of a problem document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that clients match on; it never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Its HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// Whether the same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }
        }
    };
}

codes! {
    /// The request is not HTTP as it should be.
    BadRequest => "bad_request", BAD_REQUEST, false, "The request is malformed";
    /// The body is not JSON.
    MalformedJson => "malformed_json", BAD_REQUEST, false, "The body is not valid JSON";
    /// Nothing has that id.
    NotFound => "not_found", NOT_FOUND, false, "There is no such thing";
    /// No route has that path.
    NoRoute => "no_such_route", NOT_FOUND, false, "There is no such route";
    /// The path exists, for other methods.
    MethodNotAllowed => "method_not_allowed", METHOD_NOT_ALLOWED, false, "The method is not allowed here";
    /// The request did not arrive, or was not answered, in time.
    Timeout => "request_timeout", REQUEST_TIMEOUT, true, "The request took too long";
    /// The state of things does not allow it.
    Conflict => "conflict", CONFLICT, false, "The current state does not allow it";
    /// The thing has changed since the client saw it.
    Outdated => "precondition_failed", PRECONDITION_FAILED, false, "It has changed since it was seen";
    /// The client has to say which version it saw.
    VersionRequired => "precondition_required", PRECONDITION_REQUIRED, false, "The version that was seen is needed";
    /// The body is too large.
    TooLarge => "payload_too_large", PAYLOAD_TOO_LARGE, false, "The body is too large";
    /// The body has a type that is not understood.
    UnsupportedMediaType => "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false, "The media type is not supported";
    /// The body is JSON but not what is asked for.
    InvalidBody => "invalid_body", UNPROCESSABLE_ENTITY, false, "The body does not validate";
    /// A query parameter or header is not what is asked for.
    InvalidParameter => "invalid_parameter", UNPROCESSABLE_ENTITY, false, "A parameter does not validate";
    /// The idempotency key belongs to another request.
    KeyReused => "idempotency_key_reused", UNPROCESSABLE_ENTITY, false, "The idempotency key was used for another request";
    /// The workflow has no such step.
    UnknownStep => "unknown_step", UNPROCESSABLE_ENTITY, false, "The workflow has no such step";
    /// A step's output does not fit.
    BadValue => "bad_value", UNPROCESSABLE_ENTITY, false, "A value does not fit its step";
    /// The step needs what an earlier one has not made.
    MissingCheckpoint => "missing_checkpoint", UNPROCESSABLE_ENTITY, false, "The step lacks an earlier checkpoint";
    /// A fault of ours.
    Internal => "internal_error", INTERNAL_SERVER_ERROR, false, "Something went wrong on our side";
    /// The database is out of reach.
    Unavailable => "database_unavailable", SERVICE_UNAVAILABLE, true, "The database is out of reach for now";
    /// The queue is too deep to take more.
    Overloaded => "overloaded", SERVICE_UNAVAILABLE, true, "Too much work is waiting";
}

impl Code {
    /// The code for a status that some layer answered with on its own.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NoRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::Timeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// What to say when nothing more is known.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::BadRequest => "the request could not be understood",
            Self::MalformedJson => "the body is not valid JSON",
            Self::NotFound => "nothing has this id",
            Self::NoRoute => "no route has this path; see the API's documentation",
            Self::MethodNotAllowed => "the Allow header lists the methods of this path",
            Self::Timeout => "the request was not completed in time; try again",
            Self::Conflict => "the current state does not allow it",
            Self::Outdated => "it has changed since it was seen; read it again and decide anew",
            Self::VersionRequired => "send the ETag that was read as If-Match",
            Self::TooLarge => "the body is larger than this route takes",
            Self::UnsupportedMediaType => "send the body as application/json",
            Self::InvalidBody => "the body does not validate",
            Self::InvalidParameter => "a parameter does not validate",
            Self::KeyReused => "use a fresh Idempotency-Key for a new request",
            Self::UnknownStep => "the workflow has no such step",
            Self::BadValue => "a value does not fit its step",
            Self::MissingCheckpoint => "an earlier step has no checkpoint",
            Self::Internal => "the fault was logged under this request id",
            Self::Unavailable => "the database is out of reach; try again shortly",
            Self::Overloaded => "too much work is waiting; try again shortly",
        }
    }
}
