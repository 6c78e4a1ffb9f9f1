//! Errors about people in the console.

use http::StatusCode;
use key_admin::sign_in::{ProviderSignInError, SignInError};

use super::hash;
use crate::problem::Problem;

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
