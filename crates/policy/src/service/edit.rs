//! Changes of a policy: checked as a whole before anything is written, written only if nobody else wrote meanwhile.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use key_admin::audit::{self, Act, Deed};
use serde_json::{Value, json};
use storage::{OrganizationId, StorageError, record_change};

use super::{PolicyError, PolicyService};
use crate::{Change, CompileError, PolicyDiff, PolicyDocument, PolicySnapshot, store};

/// Other edits that may come first before this one gives up.
const MAX_ROUNDS: usize = 8;
/// The most changes that one audit event lists.
const MAX_CHANGES_IN_EVENT: usize = 200;
/// The most that these changes take together, in bytes of JSON.
const MAX_BYTES_IN_EVENT: usize = 64 * 1024;

/// The fields of a declaration that name values.
const VALUES: [&str; 2] = ["allowed_values", "from_role"];
/// What stands in place of them.
const MASK: &str = "[hidden]";

/// What an edit did.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The policy's version now.
    pub version: i64,
    /// What changed; nothing when the policy was like that already, and then nothing was written.
    pub diff: PolicyDiff,
}

/// Why a policy was not changed. Nothing of the change remains.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The policy would be wrong.
    #[error(transparent)]
    Invalid(CompileError),
    /// There is one of this name already.
    #[error("there is one of this name already")]
    Exists,
    /// There is none of this name.
    #[error("there is none of this name")]
    NotFound,
    /// The policy is not at the version that the caller has seen.
    #[error("the policy has changed: it is at version {current}")]
    Changed {
        /// The version it is at.
        current: i64,
    },
    /// Others changed the policy again and again meanwhile.
    #[error("the policy is being changed by others")]
    Busy,
    /// The policy could not be read.
    #[error(transparent)]
    Policy(PolicyError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PolicyError> for EditError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Compile(error) => Self::Invalid(error),
            PolicyError::Storage(error) => Self::Storage(error),
            error @ PolicyError::OrganizationGone => Self::Policy(error),
        }
    }
}

impl PolicyService {
    /// Replaces the organization's policy, all or nothing. With `expected`, only if the policy is at that version.
    pub async fn replace(
        &self,
        act: &Act,
        organization: OrganizationId,
        expected: Option<i64>,
        document: PolicyDocument,
    ) -> Result<Edited, EditError> {
        let action = ("policy.replace", "policy", String::new());
        let change = |policy: &mut PolicyDocument| {
            *policy = document.clone();
            Ok(())
        };
        self.edit(act, organization, expected, action, change).await
    }

    /// What [`replace`](Self::replace) would do; writes nothing. The version is that of the policy as it stands.
    pub async fn dry_run(
        &self,
        organization: OrganizationId,
        expected: Option<i64>,
        document: PolicyDocument,
    ) -> Result<Edited, EditError> {
        let change = |policy: &mut PolicyDocument| {
            *policy = document.clone();
            Ok(())
        };
        let Prepared { version, diff, .. } = self.prepare(organization, expected, &change).await?;
        Ok(Edited { version, diff })
    }

    /// Reads, changes, checks, and writes if the policy is still what was read.
    pub(super) async fn edit(
        &self,
        act: &Act,
        organization: OrganizationId,
        expected: Option<i64>,
        (action, target_kind, target_id): (&'static str, &'static str, String),
        change: impl Fn(&mut PolicyDocument) -> Result<(), EditError>,
    ) -> Result<Edited, EditError> {
        let Ok(turn) = self
            .edits
            .get_or_insert_with(&organization, || Ok::<_, Infallible>(Arc::default()));
        let _turn = turn.lock().await;
        for _ in 0..MAX_ROUNDS {
            let prepared = self.prepare(organization, expected, &change).await?;
            let Some(compiled) = prepared.compiled else {
                let Prepared { version, diff, .. } = prepared;
                return Ok(Edited { version, diff });
            };
            let deed = Deed {
                action,
                target_kind,
                target_id: target_id.clone(),
                detail: detail(&prepared.diff, [&prepared.before, &prepared.after]),
            };
            let mut tx = self.database.write().await?;
            // First, for its lock: of two edits side by side, the second sees the first.
            let next = record_change(&mut tx, organization).await?;
            if !store::advance(tx.conn(), organization, prepared.version, next).await? {
                continue;
            }
            store::write(&mut tx, organization, &prepared.before, &prepared.after).await?;
            audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
            tx.commit().await?;
            let compiled = Arc::new(compiled.with_version(next));
            self.keep(organization, compiled);
            self.feed.catch_up().await;
            let diff = prepared.diff;
            return Ok(Edited {
                version: next,
                diff,
            });
        }
        Err(EditError::Busy)
    }

    /// Reads, changes and checks.
    async fn prepare(
        &self,
        organization: OrganizationId,
        expected: Option<i64>,
        change: &impl Fn(&mut PolicyDocument) -> Result<(), EditError>,
    ) -> Result<Prepared, EditError> {
        let (before, version) = self.document(organization).await?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(EditError::Changed { current: version });
        }
        let mut after = before.clone();
        change(&mut after)?;
        after.sort();
        let diff = PolicyDiff::between(&before, &after);
        let mut compiled = None;
        // A name that stands there twice is no difference, and still a fault.
        if after != before {
            let checked = self.compile(after.clone(), version).await;
            compiled = Some(checked.map_err(EditError::Invalid)?);
        }
        Ok(Prepared {
            compiled: compiled.filter(|_| !diff.is_empty()),
            before,
            after,
            version,
            diff,
        })
    }
}

/// An edit that can be written.
struct Prepared {
    before: PolicyDocument,
    after: PolicyDocument,
    /// The version of `before`.
    version: i64,
    diff: PolicyDiff,
    /// `None` when there is nothing to write.
    compiled: Option<PolicySnapshot>,
}

/// The changes for the audit trail. What would make the event too large is told by its path alone.
fn detail(diff: &PolicyDiff, policies: [&PolicyDocument; 2]) -> Value {
    let declared = policies.into_iter().flat_map(|it| &it.attributes);
    let sensitive: BTreeSet<&str> = declared
        .filter(|it| it.sensitive)
        .map(|it| it.name.as_str())
        .collect();
    let changes = diff.changes();
    let told = changes.len().min(MAX_CHANGES_IN_EVENT);
    let mut left = MAX_BYTES_IN_EVENT;
    let changes_told = changes.iter().take(told).map(|change| {
        let whole = json!(without_values(change, &sensitive));
        let bytes = whole.to_string().len();
        if bytes > left {
            return json!({ "path": change.path });
        }
        left -= bytes;
        whole
    });
    let changes_told: Vec<Value> = changes_told.collect();
    let mut detail = json!({ "changes": changes_told });
    if told < changes.len() {
        detail["more_changes"] = (changes.len() - told).into();
    }
    detail
}

/// The change without the values of sensitive attributes that a declaration names.
fn without_values(change: &Change, sensitive: &BTreeSet<&str>) -> Change {
    let mut change = change.clone();
    let mut path = change.path.split('/');
    let is_sensitive = path.next() == Some("attributes")
        && path.next().is_some_and(|name| sensitive.contains(name));
    if !is_sensitive {
        return change;
    }
    let names_values = path.next().map(|field| VALUES.contains(&field));
    for side in [&mut change.before, &mut change.after]
        .into_iter()
        .flatten()
    {
        match (names_values, side) {
            (Some(true), side) => *side = MASK.into(),
            (None, Value::Object(fields)) => {
                let named = fields
                    .iter_mut()
                    .filter(|it| VALUES.contains(&it.0.as_str()));
                named.for_each(|(_, value)| *value = MASK.into());
            }
            _ => {}
        }
    }
    change
}
