//! The one place where a service's error becomes a status and a code.

use http::StatusCode;
use key_admin::hashing::HashError;
use key_admin::{AuthenticateError, MissingPermission};
use policy::{Denial, PolicyError, ReasonKind};
use storage::StorageError;
use token_issuer::sessions::RecordError;
use token_issuer::{IssueError, StartError};

use crate::problem::{FieldProblem, Problem};

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        use AuthenticateError as E;
        let unauthorized =
            |code, detail: &'static str| Self::new(StatusCode::UNAUTHORIZED, code, detail);
        match error {
            E::NotProven => invalid_api_key(),
            E::KeyRevoked => unauthorized("key_revoked", "This API key has been revoked."),
            E::KeyDisabled => unauthorized("key_disabled", "This API key is disabled."),
            E::KeyExpired => unauthorized("key_expired", "This API key has expired."),
            E::OwnerSuspended => unauthorized("owner_suspended", "The owner of this API key is suspended."),
            E::AddressNotAllowed => Self::new(
                StatusCode::FORBIDDEN,
                "address_not_allowed",
                "This API key may not be used from the address that the request came from.",
            ),
            E::TooManyFailures { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failed_attempts",
                "Too many API keys from this address were not valid lately; no further one is checked for now.",
            )
            .retry_after(retry_after),
            E::RateLimited { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "This API key is used more often than its rate limit allows.",
            )
            .retry_after(retry_after),
            E::Hash(HashError::Overloaded) => {
                Self::unavailable("overloaded", "Too many new API keys are being checked at once.")
            }
            E::Hash(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

/// One answer for everything that does not prove a secret, so that nothing can be learned from it.
pub(crate) fn invalid_api_key() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid_api_key",
        "The API key is not valid.",
    )
}

impl From<MissingPermission> for Problem {
    fn from(error: MissingPermission) -> Self {
        let detail = format!("This API key lacks the permission `{}`.", error.0.as_str());
        Self::new(StatusCode::FORBIDDEN, "permission_denied", detail)
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        use IssueError as E;
        match error {
            E::Refused(denial) => refused(&denial),
            E::Policy(error) => error.into(),
            E::Rings(error) => error.into(),
            E::Record(RecordError::Overloaded) => Self::unavailable(
                "overloaded",
                "More tokens are waiting to be recorded than the database can take. None was issued.",
            ),
            E::Record(RecordError::Unavailable) => Self::unavailable(
                "unavailable",
                "The session could not be recorded, so no token was issued.",
            ),
            E::OrganizationGone | E::Signing(_) | E::Record(RecordError::Refused) => {
                Self::internal(&error)
            }
        }
    }
}

/// The problem names the first of the gravest reasons; `errors` lists all of them.
fn refused(denial: &Denial) -> Problem {
    let status = match denial.kind() {
        ReasonKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ReasonKind::Forbidden => StatusCode::FORBIDDEN,
        ReasonKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut gravest = denial
        .reasons()
        .iter()
        .filter(|reason| reason.code.kind() == denial.kind());
    let (code, detail) = match gravest.next() {
        Some(reason) => (reason.code.as_str(), reason.detail.clone()),
        None => ("refused", String::from("The request is refused.")),
    };
    let errors = denial.reasons().iter().map(|reason| FieldProblem {
        pointer: reason.pointer.clone(),
        code: reason.code.as_str().to_owned(),
        detail: reason.detail.clone(),
    });
    Problem::new(status, code, detail).errors(errors.collect())
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Storage(error) => error.into(),
            PolicyError::Compile(_) | PolicyError::OrganizationGone => Self::internal(&error),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Storage(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        if error.is_unavailable() {
            tracing::error!(%error, "the database is unavailable");
            Self::unavailable("unavailable", "The database cannot answer at the moment.")
        } else {
            Self::internal(&error)
        }
    }
}
