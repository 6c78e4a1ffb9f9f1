use http::StatusCode;
use http_api::problem::Problem;
use key_admin::random::NoRandomness;
use key_admin::sign_in::ProviderSignInError;
use storage::StorageError;

/// Why nobody was signed in through a provider. The texts are for the log: they hold no secret, no code and no token, and
/// nothing that the provider wrote.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundTripFailure {
    /// The provider does not answer, or not as one.
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// The browser comes back with a round trip that it did not begin, that was used before, or that took too long.
    #[error("not a round trip of this browser: {0}")]
    Strange(&'static str),
    /// The person, or the provider, said no.
    #[error("the provider has refused: {0}")]
    Declined(&'static str),
    /// What the provider says does not prove who somebody is.
    #[error("the provider's answer proves nothing: {0}")]
    Unproven(String),
    /// The identity is proven and not let in, or no attempt could be kept.
    #[error(transparent)]
    SignIn(#[from] ProviderSignInError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The names of errors in [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1) and [OpenID
/// Connect](https://openid.net/specs/openid-connect-core-1_0.html#AuthError).
const ERRORS: &[&str] = &[
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
];

/// The error's name, if it is a known one: a name can be any text that somebody has put into an address.
pub(super) fn known(error: &str) -> &'static str {
    let found = ERRORS.iter().find(|known| **known == error);
    found.copied().unwrap_or("an error without a known name")
}

impl RoundTripFailure {
    /// The browser comes back with this error instead of a code.
    pub(crate) fn answered(error: &str) -> Self {
        match known(error) {
            error @ ("server_error" | "temporarily_unavailable") => Self::Unavailable(error.into()),
            error => Self::Declined(error),
        }
    }

    pub(super) fn unproven(reason: impl Into<String>) -> Self {
        Self::Unproven(reason.into())
    }

    /// What the person is told.
    pub(crate) fn into_problem(self) -> Problem {
        let (status, code, detail) = match self {
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "provider_unavailable",
                "The service that should say who you are does not answer as it should. Try again in a minute, or sign in \
                 another way. If it goes on like this, tell an administrator.",
            ),
            Self::Strange(_) => (
                StatusCode::BAD_REQUEST,
                "unknown_round_trip",
                "This sign-in was not begun in this browser, was finished already, or took longer than ten minutes. \
                 Begin again.",
            ),
            Self::Declined(_) => (
                StatusCode::FORBIDDEN,
                "declined_by_provider",
                "The service that should say who you are did not let you through, or you have cancelled. You can begin \
                 again.",
            ),
            Self::Unproven(_) => (
                StatusCode::BAD_GATEWAY,
                "unproven_identity",
                "What came back did not prove who you are, so nobody was signed in. Begin again. If it happens again, \
                 tell an administrator.",
            ),
            Self::SignIn(error) => return error.into(),
            Self::Storage(error) => return error.into(),
            Self::NoRandomness(error) => return Problem::internal(&error),
        };
        Problem::new(status, code, detail)
    }
}
