//! Taking tokens back: one session with its renewals, or everything that has something in common.

use key_admin::audit::{self, Act, Deed};
use key_admin::cutoffs::{self, CutoffKind, CutoffTarget};
use key_admin::{ApiKeyId, Slug};
use policy::PolicyError;
use serde_json::{Value, json};
use storage::{OrganizationId, SessionId, StorageError, Timestamp, Transaction};

use super::wanted::Wanted;
use super::{CannotHash, canonical, issued_millis, store};
use crate::audiences::{self, MAX_TTL_SECONDS};
use crate::checking::CheckTokenError;
use crate::issuance::TokenIssuer;

/// The longest value that a cutoff has, in bytes.
const MAX_VALUE_BYTES: usize = 1_024;
/// Sessions of one transaction that forgets them.
const FORGET_AT_ONCE: u32 = 500;
/// Seconds by which the time in a session's id may differ from its token's.
const ID_SLACK_SECONDS: i64 = 60;

/// What tokens have in common that are taken back together.
#[derive(Clone)]
pub enum RevocationTarget {
    /// The organization.
    All,
    /// Whom they speak for.
    Subject(String),
    /// The API key that asked.
    ApiKey(ApiKeyId),
    /// The audience, by its name.
    Audience(String),
    /// A role.
    Role(String),
    /// A value of an attribute, or one of its values: a text, number or boolean.
    Attribute {
        /// The attribute.
        name: String,
        /// The value.
        value: Value,
    },
}

/// Without the value: subjects and attributes are nobody's business in a log.
impl std::fmt::Debug for RevocationTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationTarget").finish_non_exhaustive()
    }
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The organization has no such session.
    #[error("there is no such session")]
    NotFound,
    /// There is no such audience.
    #[error("there is no such audience")]
    NoSuchAudience,
    /// What is void must have been issued already.
    #[error("`before` is not in the future")]
    InTheFuture,
    /// The value is empty, too long, or neither text, number nor boolean.
    #[error("a value is a text of 1 to {MAX_VALUE_BYTES} bytes, a number or a boolean")]
    Value,
    /// No token can carry it: the policy does not declare the attribute, or declares it otherwise.
    #[error("the attribute is not declared, or has values of another type")]
    NotCarried,
    /// The policy, which says what is sensitive, could not be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The value could not be hashed.
    #[error(transparent)]
    Hash(#[from] CannotHash),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A cutoff to be set.
struct Cut {
    target: CutoffTarget,
    /// The same, for rows that have it in another form.
    other_form: Option<CutoffTarget>,
    /// A sensitive value.
    sensitive: Option<Wanted>,
    /// What the audit trail shows of it.
    shown: String,
}

impl TokenIssuer {
    /// Revokes a session and all that renew it or that it renews. A second time changes nothing.
    pub async fn revoke_session(
        &self,
        act: &Act,
        organization: OrganizationId,
        id: SessionId,
    ) -> Result<(), RevokeError> {
        let mut tx = self.write_sessions().await?;
        let now = self.clock.now();
        let root = store::revoking::root_of(tx.conn(), organization, id).await?;
        let root = root.ok_or(RevokeError::NotFound)?;
        let revoked = store::revoking::revoke_chain(&mut tx, organization, root, now).await?;
        if revoked == 0 {
            return Ok(());
        }
        cutoffs::record_revocation(&mut tx, organization, now).await?;
        let deed = Deed {
            action: "session.revoke",
            target_kind: "session",
            target_id: id.to_string(),
            detail: json!({ "chain": root, "sessions": revoked }),
        };
        audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
        Ok(tx.commit().await?)
    }

    /// Revokes the session of a token, if it is one that the organization issued and that has not ended.
    pub async fn revoke_token(
        &self,
        act: &Act,
        (organization, slug): (OrganizationId, &Slug),
        token: &str,
    ) -> Result<(), RevokeTokenError> {
        let session = match self.genuine_token(slug, token).await {
            Ok(genuine) => genuine.token.session,
            Err(CheckTokenError::Inactive(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match self.revoke_session(act, organization, session.id).await {
            Ok(()) | Err(RevokeError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Voids what was issued at `before` or earlier; `None` for now. A later cutoff for the same stays.
    pub async fn revoke_sessions(
        &self,
        act: &Act,
        organization: OrganizationId,
        target: RevocationTarget,
        before: Option<Timestamp>,
    ) -> Result<(), RevokeError> {
        let cut = self.cut(organization, target).await?;
        // Rows on their way are not waited for: what was answered before this has an earlier id.
        let mut tx = self.database.write().await?;
        let now = self.clock.now();
        let before = before.unwrap_or(now);
        if before > now {
            return Err(RevokeError::InTheFuture);
        }
        for target in [Some(&cut.target), cut.other_form.as_ref()]
            .into_iter()
            .flatten()
        {
            cutoffs::set_cutoff(&mut tx, organization, target, before, now).await?;
        }
        if let Some(sensitive) = &cut.sensitive {
            revoke_each(&mut tx, organization, sensitive, (before, now)).await?;
        }
        let deed = Deed {
            action: "session.revoke_all",
            target_kind: cut.target.kind.as_str(),
            target_id: cut.shown,
            detail: json!({ "before": before }),
        };
        audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
        tx.commit().await?;
        if let Some(sensitive) = &cut.sensitive {
            self.revoke_latecomers(organization, sensitive, before)
                .await?;
        }
        Ok(())
    }

    /// What was issued before the cutoff, and whose row came into the table while it was being set.
    async fn revoke_latecomers(
        &self,
        organization: OrganizationId,
        sensitive: &Wanted,
        before: Timestamp,
    ) -> Result<(), RevokeError> {
        let mut tx = self.write_sessions().await?;
        let now = self.clock.now();
        if revoke_each(&mut tx, organization, sensitive, (before, now)).await? > 0 {
            cutoffs::record_revocation(&mut tx, organization, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn cut(
        &self,
        organization: OrganizationId,
        target: RevocationTarget,
    ) -> Result<Cut, RevokeError> {
        let plain = |kind, value: String| {
            let target = CutoffTarget::new(kind, checked(&value)?);
            Ok(Cut {
                target,
                other_form: None,
                sensitive: None,
                shown: value,
            })
        };
        match target {
            RevocationTarget::All => Ok(Cut {
                target: CutoffTarget::organization(),
                other_form: None,
                sensitive: None,
                shown: organization.to_string(),
            }),
            RevocationTarget::Subject(subject) => plain(CutoffKind::Subject, subject),
            RevocationTarget::ApiKey(id) => plain(CutoffKind::ApiKey, id.to_string()),
            RevocationTarget::Role(role) => plain(CutoffKind::Role, role),
            RevocationTarget::Audience(name) => {
                let audiences = {
                    let mut read = self.database.read().await?;
                    audiences::store::list(read.conn(), organization).await?
                };
                let found = audiences.into_iter().find(|it| it.name.as_str() == name);
                let aud = found.ok_or(RevokeError::NoSuchAudience)?.aud;
                plain(CutoffKind::Audience, aud)
            }
            RevocationTarget::Attribute { name, value } => {
                self.cut_of_attribute(organization, &name, &value).await
            }
        }
    }

    async fn cut_of_attribute(
        &self,
        organization: OrganizationId,
        name: &str,
        value: &Value,
    ) -> Result<Cut, RevokeError> {
        checked(name)?;
        match value {
            Value::String(text) => checked(text).map(drop)?,
            Value::Number(_) | Value::Bool(_) => {}
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(RevokeError::Value),
        }
        let policy = self.policy.snapshot(organization).await?;
        let value = &policy
            .as_carried(name, value)
            .ok_or(RevokeError::NotCarried)?;
        let hasher = self.hasher.of(organization)?;
        let hashed = CutoffTarget::attribute(name, canonical(&hasher.stored(name, value)));
        // Whoever issued while the attribute was declared the other way has the other form in its row.
        if policy.is_sensitive(name) {
            return Ok(Cut {
                target: hashed,
                other_form: None,
                sensitive: Some(Wanted::exactly(name, value, &hasher)),
                shown: name.to_owned(),
            });
        }
        let value = canonical(value);
        Ok(Cut {
            shown: format!("{name}={value}"),
            target: CutoffTarget::attribute(name, value),
            other_form: Some(hashed),
            sensitive: None,
        })
    }

    /// Forgets sessions that ended more than so many days ago, and cutoffs that void nothing any more. In small steps, so
    /// that nothing waits for long.
    pub async fn forget_sessions(&self, retention_days: u32) -> Result<u64, StorageError> {
        let now = self.clock.now();
        let ended = now.plus_seconds(-i64::from(retention_days) * 86_400);
        // What has ended by then was issued by then.
        let below = SessionId::first_at(ended.plus_seconds(ID_SLACK_SECONDS));
        let mut forgotten = 0;
        loop {
            let mut tx = self.write_sessions().await?;
            let gone = store::revoking::forget(tx.conn(), ended, below, FORGET_AT_ONCE).await?;
            let cut = cutoffs::forget_cutoffs(tx.conn(), now, FORGET_AT_ONCE).await?;
            tx.commit().await?;
            forgotten += gone;
            if gone.max(cut) < u64::from(FORGET_AT_ONCE) {
                return Ok(forgotten);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Why a token was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeTokenError {
    /// The token could not be checked.
    #[error(transparent)]
    Check(#[from] CheckTokenError),
    /// Its session could not be revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
}

/// Neither a sensitive value nor its hash is published: the snapshot lists the sessions instead. How many are new to it.
async fn revoke_each(
    tx: &mut Transaction,
    organization: OrganizationId,
    wanted: &Wanted,
    (before, now): (Timestamp, Timestamp),
) -> Result<usize, StorageError> {
    let mut revoked = 0;
    let oldest = now.plus_seconds(-i64::from(MAX_TTL_SECONDS) - ID_SLACK_SECONDS);
    let from = SessionId::first_at(oldest);
    let needles = wanted.needles();
    let standing = store::revoking::standing_with(tx.conn(), organization, needles, from, now);
    for session in standing.await? {
        let issued = issued_millis(session.id, session.issued_at);
        if issued <= before.unix_micros() / 1_000 && wanted.is_in(&session.attributes) {
            store::revoking::revoke(tx.conn(), session.id, now).await?;
            revoked += 1;
        }
    }
    Ok(revoked)
}

fn checked(value: &str) -> Result<&str, RevokeError> {
    if (1..=MAX_VALUE_BYTES).contains(&value.len()) && !value.contains('\0') {
        Ok(value)
    } else {
        Err(RevokeError::Value)
    }
}
