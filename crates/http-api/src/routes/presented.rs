//! A session token, or what it says: a resource server hands in either.

use token_issuer::{CheckTokenError, CheckedToken};

use crate::problem::Problem;
use crate::query::invalid;
use crate::state::ApiState;

/// Who a question is about.
#[derive(Debug)]
pub(crate) enum Presented<C> {
    /// A token that this server has just checked.
    Token(Box<CheckedToken>),
    /// Claims of a token that the caller has verified.
    Claims(C),
}

impl<C> Presented<C> {
    /// Takes the one of both that was given, and checks a token.
    pub(crate) async fn read(
        state: &ApiState,
        organization: &key_admin::Slug,
        token: Option<String>,
        claims: Option<C>,
    ) -> Result<Self, Problem> {
        match (token, claims) {
            (Some(token), None) => {
                let issuer = &state.services.issuer;
                let checked = issuer.check_token(organization, &token).await;
                Ok(Self::Token(Box::new(checked.map_err(problem)?)))
            }
            (None, Some(claims)) => Ok(Self::Claims(claims)),
            (Some(_), Some(_)) => {
                let detail = "Give `token` or `claims`, not both.";
                Err(invalid("/claims", "conflicting_fields", detail))
            }
            (None, None) => {
                let detail = "The field `token` is missing, and so is `claims`: give one of them.";
                Err(invalid("/token", "missing_field", detail))
            }
        }
    }
}

/// Why a token is not active is not told: who asks may have it from anybody.
fn problem(error: CheckTokenError) -> Problem {
    match error {
        CheckTokenError::Inactive(_) => {
            let detail = "The token is not an active session token of this organization.";
            invalid("/token", "token_not_active", detail)
        }
        CheckTokenError::Rings(error) => error.into(),
        CheckTokenError::Storage(error) => error.into(),
    }
}
