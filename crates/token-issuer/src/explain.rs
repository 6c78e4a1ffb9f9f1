//! Why a key would get a token, or not, and what the token would say. Nothing is signed, recorded or written down.

use key_admin::api_keys::find_key;
use key_admin::{ApiKey, ApiKeyContext, ApiKeyId};
use policy::operations::markers::ExplainPolicy;
use policy::{
    Decision, Denial, Effective, Explanation, Grant, GrantRequest, Permitted, PolicyError,
    PolicySnapshot, Step,
};
use serde_json::{Map, Value};
use storage::StorageError;

use crate::claims::Claims;
use crate::issuance::{IssueError, TokenIssuer};
use crate::rings::{Ring, Shape};
use crate::templates::RESERVED_CLAIMS;

/// What stands in place of a sensitive value that the caller did not send itself.
const MASK: &str = "[hidden]";

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The caller's organization has no such API key.
    #[error("there is no such API key")]
    NoSuchKey,
    /// The policy could not be read or compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The organization's audiences could not be read.
    #[error(transparent)]
    Issuer(IssueError),
    /// The claims could not be written down.
    #[error("the claims could not be written down")]
    Json(#[from] serde_json::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A decision, all that led to it, and what it would lead to.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What stands against a token; nothing when it would be issued.
    pub reasons: Vec<ExplainedReason>,
    /// Every rule that took part, in the order in which it was asked.
    pub steps: Vec<Step>,
    /// What the request comes to, as far as it could be understood; `None` when the key's limits are not usable.
    pub effective: Option<ExplainedEffective>,
    /// The claims of the token that would be issued.
    pub claims: Option<ExplainedClaims>,
    /// The version of the policy that was asked.
    pub policy_version: i64,
}

/// One thing that stands against a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedReason {
    /// What it is, as issuance would say it.
    pub code: &'static str,
    /// Where in the request, as a JSON pointer.
    pub pointer: String,
    /// The same in English.
    pub detail: String,
}

/// What a request comes to. Sensitive values that it does not send itself are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedEffective {
    /// The requested roles that exist, and all they inherit; sorted.
    pub roles: Vec<String>,
    /// The attributes, with those that the key fixes and the roles give.
    pub attributes: Map<String, Value>,
    /// What the roles allow.
    pub scope: Vec<String>,
    /// The lifetime in seconds; `None` when it cannot be told.
    pub ttl_seconds: Option<u32>,
}

/// The payload of a token that is not made.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedClaims {
    /// The claims; sensitive values that the request does not send itself are masked.
    pub claims: Map<String, Value>,
    /// The length of the real payload as JSON, in bytes.
    pub bytes: usize,
}

impl TokenIssuer {
    /// Explains what the calling key, or another one of its organization, would get for this request.
    pub async fn explain(
        &self,
        caller: &Permitted<ExplainPolicy>,
        key: Option<ApiKeyId>,
        request: GrantRequest,
    ) -> Result<Explained, ExplainError> {
        let key = self.explained_key(caller, key).await?;
        let issuer = self.issuer_of(caller).await.map_err(ExplainError::Issuer)?;
        let ring = issuer.value.ring(&request.audience);
        let limits = ring.map(|ring| &ring.audience.limits);
        let sent = request.attributes.clone();
        let asked = (caller.organization(), &key.ceiling);
        let (policy, explanation) = self
            .policy
            .explain(asked.0, asked.1, limits, request)
            .await?;
        let explanation = match explanation {
            Ok(explanation) => explanation,
            Err(denial) => return Ok(Explained::unusable(&policy, &denial)),
        };
        let mask = Mask {
            policy: &policy,
            sent: &sent,
        };
        let Explanation {
            decision,
            steps,
            effective,
        } = explanation;
        let effective = Some(mask.effective(effective));
        let (reasons, claims) = match (decision, ring) {
            (Decision::Refused(denial), _) => (reasons(&denial), None),
            (Decision::Granted(grant), Some(ring)) => {
                self.explained_claims(caller, (&key, ring), grant, &mask)
                    .await?
            }
            (Decision::Granted(_), None) => {
                return Err(ExplainError::Issuer(IssueError::NoAudience));
            }
        };
        let policy_version = policy.version();
        Ok(Explained {
            reasons,
            steps,
            effective,
            claims,
            policy_version,
        })
    }

    async fn explained_key(
        &self,
        caller: &ApiKeyContext,
        key: Option<ApiKeyId>,
    ) -> Result<ApiKey, ExplainError> {
        let Some(id) = key.filter(|id| *id != caller.key_id()) else {
            return Ok(caller.key().clone());
        };
        let mut read = self.rings.database().read().await?;
        let found = find_key(read.conn(), caller.organization(), id).await?;
        found.ok_or(ExplainError::NoSuchKey)
    }

    /// A token that would be too long, or does not fit the audience's template, is refused by issuance as well.
    async fn explained_claims(
        &self,
        caller: &ApiKeyContext,
        (key, ring): (&ApiKey, &Ring),
        grant: Grant,
        mask: &Mask<'_>,
    ) -> Result<(Vec<ExplainedReason>, Option<ExplainedClaims>), ExplainError> {
        let made = self.claims(ring, (caller.organization_slug(), key), grant);
        let made = match made.await {
            Ok(claims) => claims,
            Err(IssueError::Claims(error)) => match error.refusal() {
                Some(refusal) => return Ok((vec![reason(refusal)], None)),
                None => return Err(ExplainError::Issuer(error.into())),
            },
            Err(error) => return Err(ExplainError::Issuer(error)),
        };
        let mut claims = made.payload()?;
        match (&ring.shape, claims.get_mut("attributes")) {
            (Shape::Standard, Some(Value::Object(attributes))) => mask.hide(attributes),
            (Shape::Standard, _) => {}
            (Shape::Template(_), _) => mask.hide_templated(&made, &mut claims),
        }
        let bytes = made.payload_bytes();
        Ok((Vec::new(), Some(ExplainedClaims { claims, bytes })))
    }
}

impl Explained {
    /// Would the token be issued?
    pub fn is_granted(&self) -> bool {
        self.reasons.is_empty()
    }

    fn unusable(policy: &PolicySnapshot, denial: &Denial) -> Self {
        Self {
            reasons: reasons(denial),
            steps: Vec::new(),
            effective: None,
            claims: None,
            policy_version: policy.version(),
        }
    }
}

fn reasons(denial: &Denial) -> Vec<ExplainedReason> {
    let reasons = denial.reasons().iter().map(|reason| ExplainedReason {
        code: reason.code.as_str(),
        pointer: reason.pointer.clone(),
        detail: reason.detail.clone(),
    });
    reasons.collect()
}

fn reason((code, detail): (&'static str, String)) -> ExplainedReason {
    ExplainedReason {
        code,
        pointer: String::new(),
        detail,
    }
}

/// What the caller sent it may see again. What key and policy add of sensitive attributes it may not.
pub(crate) struct Mask<'a> {
    pub(crate) policy: &'a PolicySnapshot,
    pub(crate) sent: &'a Map<String, Value>,
}

impl Mask<'_> {
    fn hide(&self, attributes: &mut Map<String, Value>) {
        for (name, value) in attributes.iter_mut() {
            if self.policy.is_sensitive(name) && !self.sent.contains_key(name) {
                *value = MASK.into();
            }
        }
    }

    /// A template can put a value anywhere, and change it: if one is to be hidden, all claims are but those of the
    /// issuer.
    pub(crate) fn hide_templated(&self, made: &Claims, claims: &mut Map<String, Value>) {
        let mut sensitive = made.sensitive().iter();
        if sensitive.any(|name| !self.sent.contains_key(name.as_str())) {
            for (name, value) in claims.iter_mut() {
                if !RESERVED_CLAIMS.contains(&name.as_str()) {
                    *value = MASK.into();
                }
            }
        }
    }

    fn effective(&self, effective: Effective) -> ExplainedEffective {
        let attributes = effective.attributes.iter();
        let mut attributes: Map<String, Value> = attributes
            .map(|(name, value)| (name.to_string(), value.to_json()))
            .collect();
        self.hide(&mut attributes);
        ExplainedEffective {
            roles: effective.roles.iter().map(ToString::to_string).collect(),
            attributes,
            scope: effective.scope,
            ttl_seconds: effective.ttl_seconds,
        }
    }
}
