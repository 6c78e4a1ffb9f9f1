//! What stands against a token, its renewal, its revocation, or a question about it.

use http::StatusCode;
use key_admin::{AuthenticateError, FurtherUseError};
use policy::{CompileError, Denial, PolicyFault, ReasonKind, ScopeNotGranted};
use token_issuer::sessions::{FindError, RecordError, RevokeError, RevokeTokenError};
use token_issuer::{
    BatchError, CheckTokenError, ExplainError, InspectError, IssueError, PlaygroundError,
    RenewError, SampleError, SimulateError,
};

use super::{conflict, forbidden, invalid_policy, sentence};
use crate::middleware::not_found;
use crate::problem::{FieldProblem, Problem};
use crate::query::invalid;

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        use IssueError as E;
        match error {
            E::Refused(denial) => refused(&denial),
            E::Scope(error) => scope_not_granted(&error),
            E::NoScopeInToken => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "scope_not_carried",
                sentence(&error),
            ),
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
            E::Claims(claims) => match claims.refusal() {
                Some((code, detail)) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail),
                None => Self::internal(&claims),
            },
            E::OrganizationGone | E::NoAudience | E::Record(RecordError::Refused) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<RenewError> for Problem {
    fn from(error: RenewError) -> Self {
        use RenewError as E;
        match error {
            E::Token(_) => token_not_active(),
            E::TooManyFailures(limited) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failed_attempts",
                "Too many session tokens from this address were not valid lately; no further one is checked for now.",
            )
            .limited(limited),
            E::Origin => origin_not_authorized(),
            E::NotRenewable => forbidden("not_renewable", &error),
            E::SessionEnded => forbidden("session_ended", &error),
            E::AlreadyRenewed => conflict("already_renewed", &error),
            E::Issue(IssueError::Refused(denial)) => not_granted_any_more(&refused(&denial)),
            E::Issue(IssueError::Claims(claims)) => match claims.refusal() {
                Some(_) => not_granted_any_more(&IssueError::Claims(claims).into()),
                None => Self::internal(&claims),
            },
            E::Issue(error) => error.into(),
            E::Check(error) => match error {
                CheckTokenError::Inactive(_) => token_not_active(),
                CheckTokenError::Rings(error) => error.into(),
                CheckTokenError::Storage(error) => error.into(),
            },
            E::Key(error) => error.into(),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::NoSuchAudience => {
                invalid("/audience", "no_such_audience", &sentence(&error))
            }
            FindError::Policy(error) => error.into(),
            FindError::Hash(error) => Self::internal(&error),
            FindError::Storage(error) => error.into(),
        }
    }
}

impl From<RevokeError> for Problem {
    fn from(error: RevokeError) -> Self {
        use RevokeError as E;
        match error {
            E::NotFound => not_found(),
            E::NoSuchAudience => invalid("/audience", "no_such_audience", &sentence(&error)),
            E::InTheFuture => invalid("/before", "in_the_future", &sentence(&error)),
            E::Value => invalid("", "invalid_target", &sentence(&error)),
            E::NotCarried => invalid("/attribute", "invalid_target", &sentence(&error)),
            E::Policy(error) => error.into(),
            E::Hash(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

/// Why a token is not active is not told: who asks may have it from anybody.
pub(crate) fn token_not_active() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token_not_active",
        "Present an active session token: `Authorization: Bearer eyJ…`.",
    )
    .wants_bearer_token()
}

/// The page may not renew tokens.
pub(crate) fn origin_not_authorized() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "origin_not_authorized",
        "The request's `Origin` is none that may renew tokens of this audience.",
    )
}

/// A page is told why in one word. What else the policy and the key say is for the backend.
fn not_granted_any_more(refused: &Problem) -> Problem {
    let status = match refused.status() {
        StatusCode::FORBIDDEN => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    };
    let detail = "What the token grants would not be granted any more.";
    Problem::new(status, refused.code(), detail)
}

impl From<RevokeTokenError> for Problem {
    fn from(error: RevokeTokenError) -> Self {
        use token_issuer::CheckTokenError as Check;
        match error {
            RevokeTokenError::Revoke(error) => error.into(),
            RevokeTokenError::Check(Check::Rings(error)) => error.into(),
            RevokeTokenError::Check(Check::Storage(error)) => error.into(),
            RevokeTokenError::Check(Check::Inactive(_)) => Self::internal(&error),
        }
    }
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        use ExplainError as E;
        match error {
            E::NoSuchKey => not_found(),
            E::Policy(error) => error.into(),
            E::Issuer(error) => error.into(),
            E::Json(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<SampleError> for Problem {
    fn from(error: SampleError) -> Self {
        use SampleError as E;
        match error {
            E::Audience(error) => error.into(),
            E::Policy(error) => error.into(),
            E::Issuer(error) => error.into(),
            E::Json(error) => Self::internal(&error),
        }
    }
}

impl From<PlaygroundError> for Problem {
    fn from(error: PlaygroundError) -> Self {
        use PlaygroundError as E;
        match error {
            E::Key(error) => error.into(),
            // Nobody presented the key: what is wrong with it is no failure to authenticate.
            E::KeyState(error) => match error.refusal() {
                Some(code) => conflict(code, &error),
                None => error.into(),
            },
            E::NotPermitted(error) => error.into(),
            E::Issue(error) => error.into(),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<InspectError> for Problem {
    fn from(error: InspectError) -> Self {
        use CheckTokenError as Check;
        match error {
            InspectError::Session(error) => error.into(),
            InspectError::Check(Check::Rings(error)) => error.into(),
            InspectError::Check(Check::Storage(error)) => error.into(),
            // What is wrong with the token is the answer; this is an organization that has gone meanwhile.
            InspectError::Check(Check::Inactive(_)) => Self::internal(&error),
        }
    }
}

/// Why nothing was simulated. `place` tells where in the request's body a fault of the policy is.
pub fn simulation(error: SimulateError, place: impl Fn(&PolicyFault) -> Option<String>) -> Problem {
    use SimulateError as E;
    match error {
        E::Candidate(CompileError::Faults(faults)) => invalid_policy(&faults, place),
        E::Policy(error) => error.into(),
        E::Issuer(error) => error.into(),
        E::Storage(error) => error.into(),
        E::Candidate(_) | E::Hash(_) | E::Interrupted => Problem::internal(&error),
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Size => invalid("/requests", "invalid_batch", &sentence(&error)),
            BatchError::Uses(FurtherUseError::BeyondBurst { .. }) => {
                invalid("/requests", "batch_beyond_burst", &sentence(&error))
            }
            BatchError::Uses(FurtherUseError::RateLimited(limited)) => {
                AuthenticateError::RateLimited(limited).into()
            }
            BatchError::Issue(error) => error.into(),
        }
    }
}

fn scope_not_granted(error: &ScopeNotGranted) -> Problem {
    let (code, detail) = ("scope_not_granted", sentence(error));
    let errors = error.places.iter().map(|place| FieldProblem {
        pointer: format!("/scope/{place}"),
        code: code.to_owned(),
        detail: detail.clone(),
    });
    let errors = errors.collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).errors(errors)
}

fn refused(denial: &Denial) -> Problem {
    refused_at(denial, ToOwned::to_owned)
}

/// The problem names the first of the gravest reasons; `errors` lists all of them. `place` tells where in the request
/// something is that has this place in the body of `POST /v1/session-tokens`.
pub(crate) fn refused_at(denial: &Denial, place: impl Fn(&str) -> String) -> Problem {
    let status = match denial.kind() {
        ReasonKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ReasonKind::Forbidden => StatusCode::FORBIDDEN,
        ReasonKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let code = denial.code();
    let mut reasons = denial.reasons().iter();
    let detail = match reasons.find(|reason| reason.code == code) {
        Some(reason) => reason.detail.clone(),
        None => String::from("The request is refused."),
    };
    let errors = denial.reasons().iter().map(|reason| FieldProblem {
        pointer: place(&reason.pointer),
        code: reason.code.as_str().to_owned(),
        detail: reason.detail.clone(),
    });
    Problem::new(status, code.as_str(), detail).errors(errors.collect())
}
