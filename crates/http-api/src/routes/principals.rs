//! What users and service accounts have in common in requests and answers.

use key_admin::{Deletion, PrincipalPage, PrincipalState};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::query::{decode_cursor, invalid, limit};

/// Whether a user or service account, and with it its API keys, may act.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PrincipalState)]
pub enum StateView {
    /// It may.
    Active,
    /// It may not until it is made active again; its API keys are refused meanwhile.
    Suspended,
}

/// Which page to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPrincipalsQuery {
    /// How many, 50 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// How to remove a user or service account.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeletePrincipalQuery {
    /// Revoke its live API keys with it. Left out: they keep it from being removed.
    #[serde(default)]
    #[param(required = false, default = false)]
    revoke_keys: bool,
}

impl ListPrincipalsQuery {
    /// How many to answer with, and what to ask for: one more.
    pub(super) fn page(&self) -> Result<(u32, PrincipalPage), Problem> {
        let limit = limit(self.limit)?;
        let after = decode_cursor(self.cursor.as_deref(), |text| text.parse().ok())?;
        let page = PrincipalPage {
            after,
            limit: limit + 1,
        };
        Ok((limit, page))
    }
}

impl From<DeletePrincipalQuery> for Deletion {
    fn from(query: DeletePrincipalQuery) -> Self {
        Self {
            revoke_keys: query.revoke_keys,
        }
    }
}

impl From<PrincipalState> for StateView {
    fn from(state: PrincipalState) -> Self {
        match state {
            PrincipalState::Active => Self::Active,
            PrincipalState::Suspended => Self::Suspended,
        }
    }
}

/// The state of this name, for a change.
pub(super) fn principal_state(name: &str) -> Result<PrincipalState, Problem> {
    let mut states = [PrincipalState::Active, PrincipalState::Suspended].into_iter();
    states
        .find(|state| state.as_str() == name)
        .ok_or_else(|| invalid("/state", "invalid_state", "`state` is active or suspended."))
}

/// A text that nothing prints from here on.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The same, where it can be left out.
pub(super) fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}
