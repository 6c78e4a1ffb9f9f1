use http::StatusCode;
use http_api::problem::Problem;
use key_admin::random::NoRandomness;
use key_admin::sign_in::ProviderSignInError;
use storage::StorageError;

/// Why nobody was signed in through a provider. The texts are for the log: they hold no secret, no code and no token, and
/// nothing that the provider wrote except in names of errors.
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
    Declined(String),
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

impl RoundTripFailure {
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
