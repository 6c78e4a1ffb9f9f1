//! The one place where a service's error becomes a status and a code.

mod issuing;
mod sign_in;

use std::time::Duration;

use http::StatusCode;
use key_admin::api_keys::{InvalidKey, NotCovered, ReportLeakError, Stronger};
use key_admin::hashing::HashError;
use key_admin::{
    AuthenticateError, ChangeKeyError, CreateKeyError, OrganizationError, ServiceAccountError,
    UserError,
};
use policy::{CompileError, EditError, NotPermitted, PolicyError, PolicyFault};
use storage::StorageError;
use token_issuer::StartError;
use token_issuer::audiences::{AudienceError, AudienceFault};
use token_issuer::services::{CreateApiKeyError, UpdateApiKeyError};
use token_issuer::signing_keys::RingError;

pub use issuing::simulation;
pub(crate) use issuing::{origin_not_authorized, refused_at, token_not_active};

use crate::middleware::not_found;
use crate::problem::{FieldProblem, Problem};
use crate::query::invalid;

/// The caller lacks the permission that the operation needs.
pub(crate) const PERMISSION_DENIED: &str = "permission_denied";

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
            E::TooManyFailures(limited) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failed_attempts",
                "Too many API keys from this address were not valid lately; no further one is checked for now.",
            )
            .limited(limited),
            E::RateLimited(limited) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "This API key is used more often than its rate limit allows.",
            )
            .limited(limited),
            E::Hash(error) => hash(error),
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

impl From<NotPermitted> for Problem {
    fn from(error: NotPermitted) -> Self {
        let detail = match error {
            NotPermitted::Key(permission) => {
                format!("This API key lacks the permission `{permission}`.")
            }
            NotPermitted::Owner(permission) => {
                format!("The owner of this API key lacks the permission `{permission}`.")
            }
            NotPermitted::Person(permission) => {
                format!("Your role lacks the permission `{permission}`.")
            }
        };
        Self::new(StatusCode::FORBIDDEN, PERMISSION_DENIED, detail)
    }
}

impl From<InvalidKey> for Problem {
    fn from(error: InvalidKey) -> Self {
        let (pointer, code) = match error {
            InvalidKey::Name => ("/name", "invalid_name"),
            InvalidKey::ExpiryInThePast => ("/expires_at", "expiry_in_the_past"),
            InvalidKey::LifetimeTooLong { .. } => ("/expires_at", "lifetime_too_long"),
            InvalidKey::TooManyNetworks => ("/allowed_networks", "too_many_networks"),
            InvalidKey::RateLimit => ("/rate_limit", "invalid_rate_limit"),
            InvalidKey::Reason => ("/reason", "invalid_reason"),
            InvalidKey::Grace => ("/grace_seconds", "invalid_grace"),
        };
        invalid(pointer, code, &sentence(&error))
    }
}

impl From<NotCovered> for Problem {
    fn from(error: NotCovered) -> Self {
        match error {
            NotCovered::Stronger(Stronger(aspect)) => {
                let detail = sentence(&error);
                let field = FieldProblem {
                    pointer: aspect.pointer().into(),
                    code: "stronger_than_caller".into(),
                    detail: detail.clone(),
                };
                Self::new(StatusCode::FORBIDDEN, "stronger_than_caller", detail).errors(vec![field])
            }
            NotCovered::CallerGone => invalid_api_key(),
        }
    }
}

/// An error's own words as a sentence.
pub fn sentence(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(char::to_uppercase)
        .into_iter()
        .flatten();
    first.chain(characters).chain(['.']).collect()
}

fn conflict(code: &'static str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, sentence(error))
}

fn forbidden(code: &'static str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, sentence(error))
}

impl From<CreateKeyError> for Problem {
    fn from(error: CreateKeyError) -> Self {
        use CreateKeyError as E;
        match error {
            E::Invalid(error) => error.into(),
            E::NotCovered(error) => error.into(),
            E::NoSuchOwner => invalid("/owner_id", "no_such_owner", &sentence(&error)),
            E::LimitReached { .. } => conflict("key_limit_reached", &error),
            E::Hash(error) => hash(error),
            E::NoRandomness(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<ChangeKeyError> for Problem {
    fn from(error: ChangeKeyError) -> Self {
        use ChangeKeyError as E;
        match error {
            E::NotFound => not_found(),
            E::Revoked => conflict("api_key_is_revoked", &error),
            E::Expired => conflict("api_key_is_expired", &error),
            E::LimitReached { .. } => conflict("key_limit_reached", &error),
            E::Invalid(error) => error.into(),
            E::NotCovered(error) => error.into(),
            E::Hash(error) => hash(error),
            E::NoRandomness(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<ReportLeakError> for Problem {
    fn from(error: ReportLeakError) -> Self {
        match error {
            ReportLeakError::Authenticate(AuthenticateError::NotProven) => not_found(),
            ReportLeakError::Authenticate(error) => error.into(),
            ReportLeakError::Change(error) => error.into(),
        }
    }
}

impl From<CreateApiKeyError> for Problem {
    fn from(error: CreateApiKeyError) -> Self {
        match error {
            CreateApiKeyError::Ceiling(detail) => invalid_ceiling(&detail),
            CreateApiKeyError::Policy(error) => error.into(),
            CreateApiKeyError::Key(error) => error.into(),
        }
    }
}

impl From<UpdateApiKeyError> for Problem {
    fn from(error: UpdateApiKeyError) -> Self {
        match error {
            UpdateApiKeyError::Ceiling(detail) => invalid_ceiling(&detail),
            UpdateApiKeyError::Policy(error) => error.into(),
            UpdateApiKeyError::Key(error) => error.into(),
        }
    }
}

impl From<OrganizationError> for Problem {
    fn from(error: OrganizationError) -> Self {
        use OrganizationError as E;
        match error {
            E::NotFound => not_found(),
            E::InvalidName => invalid("/name", "invalid_name", &sentence(&error)),
            E::InvalidMaxKeyLifetime => invalid(
                "/max_key_lifetime_seconds",
                "invalid_max_key_lifetime",
                &sentence(&error),
            ),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        use UserError as E;
        match error {
            E::NotFound => not_found(),
            E::InvalidEmail => invalid("/email", "invalid_email", &sentence(&error)),
            E::InvalidName => invalid("/name", "invalid_name", &sentence(&error)),
            E::PasswordLength => invalid("/password", "password_length", &sentence(&error)),
            E::CommonPassword => invalid("/password", "common_password", &sentence(&error)),
            E::PersonalPassword => invalid("/password", "personal_password", &sentence(&error)),
            E::OwnersOnly => forbidden("owners_only", &error),
            E::StrongerRole => forbidden("stronger_role", &error),
            E::EmailTaken => conflict("email_taken", &error),
            E::LastOwner => conflict("last_owner", &error),
            E::LiveKeys { .. } => conflict("live_keys", &error),
            E::NoSuchOrganization => Self::internal(&error),
            E::Hash(error) => hash(error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<ServiceAccountError> for Problem {
    fn from(error: ServiceAccountError) -> Self {
        use ServiceAccountError as E;
        match error {
            E::NotFound => not_found(),
            E::InvalidName => invalid("/name", "invalid_name", &sentence(&error)),
            E::LiveKeys { .. } => conflict("live_keys", &error),
            E::NoSuchOrganization => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

fn invalid_ceiling(detail: &str) -> Problem {
    invalid("/ceiling", "invalid_ceiling", &sentence(&detail))
}

fn hash(error: HashError) -> Problem {
    match error {
        HashError::Overloaded => {
            Problem::unavailable("overloaded", "Too many secrets are being hashed at once.")
        }
        error => Problem::internal(&error),
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Storage(error) => error.into(),
            PolicyError::Compile(_) | PolicyError::OrganizationGone => Self::internal(&error),
        }
    }
}

impl From<EditError> for Problem {
    /// Without places: see `edit` for those.
    fn from(error: EditError) -> Self {
        edit(error, |_| None)
    }
}

/// The most faults of a policy that one answer lists.
const MAX_FAULTS: usize = 1_000;

/// Why a policy was not changed. `place` tells where in the request's body a fault is, if it is there.
pub fn edit(error: EditError, place: impl Fn(&PolicyFault) -> Option<String>) -> Problem {
    use EditError as E;
    match error {
        E::Invalid(CompileError::Faults(faults)) => invalid_policy(&faults, place),
        E::Invalid(error) => Problem::internal(&error),
        E::Exists => conflict("already_exists", &error),
        E::NotFound => not_found(),
        E::Changed { .. } => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "policy_changed",
            sentence(&error),
        ),
        E::Busy => Problem::unavailable(
            "overloaded",
            "Others change the policy again and again. It was left as it is.",
        ),
        E::Policy(error) => error.into(),
        E::Storage(error) => error.into(),
    }
}

fn invalid_policy(
    faults: &[PolicyFault],
    place: impl Fn(&PolicyFault) -> Option<String>,
) -> Problem {
    let errors = faults.iter().take(MAX_FAULTS).map(|fault| FieldProblem {
        pointer: place(fault).unwrap_or_default(),
        code: fault.code().as_str().to_owned(),
        detail: sentence(fault),
    });
    let errors: Vec<_> = errors.collect();
    let detail = match &errors[..] {
        [only] => format!("The policy would be wrong. {}", only.detail),
        _ => format!("The policy would be wrong, in {} places.", faults.len()),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy", detail).errors(errors)
}

impl From<AudienceError> for Problem {
    fn from(error: AudienceError) -> Self {
        use AudienceError as E;
        match error {
            E::NotFound => not_found(),
            E::Exists => conflict("already_exists", &error),
            E::TooMany => conflict("too_many_audiences", &error),
            E::IsDefault => conflict("default_audience", &error),
            E::Invalid(faults) => invalid_audience(&faults),
            E::Keys(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

/// An audience that would be wrong, with all its faults.
pub fn invalid_audience(faults: &[AudienceFault]) -> Problem {
    let errors = faults.iter().map(|fault| FieldProblem {
        pointer: fault.pointer(),
        code: fault.code().to_owned(),
        detail: sentence(fault),
    });
    let errors: Vec<_> = errors.collect();
    let detail = match &errors[..] {
        [only] => format!("The audience would be wrong. {}", only.detail),
        _ => format!("The audience would be wrong, in {} places.", errors.len()),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_audience", detail).errors(errors)
}

impl From<RingError> for Problem {
    /// Without a place: see `ring` for one.
    fn from(error: RingError) -> Self {
        ring(error, "")
    }
}

/// Why a ring was not changed. `place` is where the request has the key.
pub fn ring(error: RingError, place: &'static str) -> Problem {
    use RingError as E;
    match error {
        E::NoSuchAudience | E::NoSuchKey => not_found(),
        E::NotPublishedLongEnough { seconds } => {
            let wait = Duration::from_secs(seconds.max(1).unsigned_abs());
            conflict("next_key_too_new", &error).retry_after(wait)
        }
        E::Exists => conflict("already_exists", &error),
        E::Unusable(error) => invalid(place, "unusable_key", &sentence(&error)),
        E::Changed | E::Generate(_) => Problem::internal(&error),
        E::Storage(error) => error.into(),
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
