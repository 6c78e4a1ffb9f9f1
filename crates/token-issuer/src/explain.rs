//! Why a key would get a token, or not, what the token would say, and which rows it would show. Nothing is signed,
//! recorded or written down.

use key_admin::api_keys::find_key;
use key_admin::{ApiKey, ApiKeyContext, ApiKeyId, KeyCeiling};
use policy::operations::markers::ExplainPolicy;
use policy::{
    Decision, Denial, Effective, Explanation, FragmentStyle, Grant, GrantRequest, IdentifierQuote,
    PermittedAsker, Placeholder, PolicyError, PolicySnapshot, Step, TableName, WhereFragment,
    where_fragment,
};
use serde_json::{Map, Value};
use storage::StorageError;

use crate::claims::{Claims, Client};
use crate::issuance::{IssueError, TokenIssuer, row_claims};
use crate::rings::{Ring, Shape};
use crate::templates::RESERVED_CLAIMS;

/// What stands in place of a sensitive value that the caller did not send itself.
const MASK: &str = "[hidden]";

/// How conditions are written: as PostgreSQL and SQLite read them.
const STYLE: FragmentStyle = FragmentStyle {
    placeholder: Placeholder::Dollar { first: 1 },
    quote: IdentifierQuote::Ansi,
    alias: None,
};

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
    /// Which rows of each table that has row rules the token would show; `None` when it is refused, or when a value
    /// among them is masked.
    pub rows: Option<Vec<ExplainedRows>>,
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
    /// The length of the token, in bytes.
    pub token_bytes: usize,
    /// The length that its audience allows, in bytes.
    pub max_token_bytes: usize,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedRows {
    /// The table.
    pub table: TableName,
    /// The condition that its rows meet.
    pub filter: WhereFragment,
}

/// The key that a request is explained for, or none.
struct ExplainedKey {
    id: ApiKeyId,
    ceiling: KeyCeiling,
}

impl TokenIssuer {
    /// Explains what a key of the organization would get for this request. Without a key: the calling one, or for a
    /// person, who has none, a key without limits.
    pub async fn explain(
        &self,
        caller: impl Into<PermittedAsker<'_, ExplainPolicy>>,
        key: Option<ApiKeyId>,
        request: GrantRequest,
    ) -> Result<Explained, ExplainError> {
        let caller = caller.into();
        let key = self.explained_key(&caller, key).await?;
        let issuer = self.issuer_of(caller.organization_slug()).await;
        let issuer = issuer.map_err(ExplainError::Issuer)?;
        let ring = issuer.value.ring(&request.audience);
        let limits = ring.map(|ring| &ring.audience.limits);
        let sent = request.attributes.clone();
        let organization = caller.organization_id();
        let explained = self
            .policy
            .explain(organization, &key.ceiling, limits, request);
        let (policy, explanation) = explained.await?;
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
        let client = Client {
            key: key.id,
            organization,
            slug: caller.organization_slug(),
        };
        let (reasons, claims, rows) = match (decision, ring) {
            (Decision::Refused(denial), _) => (reasons(&denial), None, None),
            (Decision::Granted(grant), Some(ring)) => {
                let rows = mask.rows(&grant);
                match self.explained_claims(client, ring, grant, &mask).await? {
                    Ok(claims) => (Vec::new(), Some(claims), rows),
                    Err(reason) => (vec![reason], None, None),
                }
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
            rows,
            policy_version,
        })
    }

    async fn explained_key(
        &self,
        caller: &PermittedAsker<'_, ExplainPolicy>,
        key: Option<ApiKeyId>,
    ) -> Result<ExplainedKey, ExplainError> {
        let calling = caller.key().map(ApiKeyContext::key);
        let Some(id) = key.or(calling.map(|key| key.id)) else {
            return Ok(ExplainedKey {
                id: ApiKeyId::NO_KEY,
                ceiling: KeyCeiling::default(),
            });
        };
        if let Some(calling) = calling.filter(|key| key.id == id) {
            return Ok(calling.clone().into());
        }
        let mut read = self.rings.database().read().await?;
        let found = find_key(read.conn(), caller.organization_id(), id).await?;
        found.map(Into::into).ok_or(ExplainError::NoSuchKey)
    }

    /// A token that would be too long, or does not fit the audience's template, is refused by issuance as well: the
    /// inner error.
    async fn explained_claims(
        &self,
        client: Client<'_>,
        ring: &Ring,
        grant: Grant,
        mask: &Mask<'_>,
    ) -> Result<Result<ExplainedClaims, ExplainedReason>, ExplainError> {
        let made = match self.claims(ring, client, grant).await {
            Ok(claims) => claims,
            Err(IssueError::Claims(error)) => match error.refusal() {
                Some(refusal) => return Ok(Err(reason(refusal))),
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
        Ok(Ok(ExplainedClaims {
            claims,
            bytes: made.payload_bytes(),
            token_bytes: made.token_bytes(),
            max_token_bytes: made.max_token_bytes(),
        }))
    }
}

impl From<ApiKey> for ExplainedKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            ceiling: key.ceiling,
        }
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
            rows: None,
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

    /// Every table that has row rules, in the order of their names.
    fn rows(&self, grant: &Grant) -> Option<Vec<ExplainedRows>> {
        let mut sensitive = grant.sensitive().iter();
        if sensitive.any(|name| !self.sent.contains_key(name.as_str())) {
            return None;
        }
        let claims = row_claims(grant);
        let rules = self.policy.row_rules();
        let rows = rules.tables().map(|table| ExplainedRows {
            table: table.clone(),
            filter: where_fragment(rules, table, &claims, &STYLE),
        });
        Some(rows.collect())
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
