//! Errors about people in the console.

use http::StatusCode;
use key_admin::rate_limit::Limited;
use key_admin::sign_in::{
    ChangePasswordError, EndSessionError, ProviderSignInError, SecondFactorError, SignInError,
};

use super::{hash, sentence};
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::invalid;

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        use SignInError as E;
        match error {
            E::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_sign_in",
                "This is not right, or it took too long. Try again.",
            ),
            E::Limited(limited) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failed_sign_ins",
                "Too many sign-ins have failed lately. Try again in a minute.",
            )
            .limited(limited),
            E::Hash(error) => hash(error),
            E::NoRandomness(error) => Self::internal(&error),
            E::Sealed(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<EndSessionError> for Problem {
    fn from(error: EndSessionError) -> Self {
        match error {
            EndSessionError::NotFound => not_found(),
            EndSessionError::Storage(error) => error.into(),
        }
    }
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        use ChangePasswordError as E;
        match error {
            E::Wrong => invalid("/current", "wrong_password", &sentence(&error)),
            E::NoPassword => Self::new(StatusCode::CONFLICT, "no_password", sentence(&error)),
            E::Limited(limited) => too_many(limited),
            E::User(error) => error.into(),
            E::Hash(error) => hash(error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<SecondFactorError> for Problem {
    fn from(error: SecondFactorError) -> Self {
        use SecondFactorError as E;
        match error {
            E::WrongCode => invalid("/code", "wrong_code", &sentence(&error)),
            E::AlreadyOn => Self::new(StatusCode::CONFLICT, "second_factor_on", sentence(&error)),
            E::Off => Self::new(StatusCode::CONFLICT, "second_factor_off", sentence(&error)),
            E::Limited(limited) => too_many(limited),
            E::User(error) => error.into(),
            E::NoRandomness(error) => Self::internal(&error),
            E::Seal(error) => Self::internal(&error),
            E::Sealed(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

impl From<ProviderSignInError> for Problem {
    fn from(error: ProviderSignInError) -> Self {
        use ProviderSignInError as E;
        match error {
            E::Refused => Self::new(
                StatusCode::FORBIDDEN,
                "refused_sign_in",
                "This account may not sign in here. Ask an administrator of your organization, or use another account.",
            ),
            E::Limited(limited) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failed_sign_ins",
                "Too many sign-ins have failed or were begun lately. Try again in a minute.",
            )
            .limited(limited),
            E::NoRandomness(error) => Self::internal(&error),
            E::Seal(error) => Self::internal(&error),
            E::Storage(error) => error.into(),
        }
    }
}

fn too_many(limited: Limited) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_wrong_secrets",
        "Too many passwords or codes were wrong lately. Try again in a minute.",
    )
    .limited(limited)
}
