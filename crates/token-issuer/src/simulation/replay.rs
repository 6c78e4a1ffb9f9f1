//! One session under both policies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use key_admin::{ApiKeyId, KeyCeiling};
use policy::{
    AttributeName, AttributeValue, AudienceLimits, CompiledCeiling, Denial, Hidden, PolicySnapshot,
    Recorded, Replay,
};
use storage::AudienceId;

use super::rebuild::{Named, rebuild};
use super::report::{Difference, Kind, Outcome, Report, SimulationReport};
use crate::audiences::Audience;
use crate::sessions::OrganizationHasher;
use crate::sessions::store::RecordedSession;

/// What sessions are replayed with, and what came of it so far.
#[derive(Debug)]
pub(super) struct Simulation {
    current: Arc<PolicySnapshot>,
    candidate: Arc<PolicySnapshot>,
    audiences: HashMap<AudienceId, Audience>,
    /// By their 12 characters; `None` for a key that is gone.
    keys: HashMap<String, Option<Key>>,
    named: Named,
    report: Report,
}

/// A key's limits under both policies.
#[derive(Debug)]
struct Key {
    id: ApiKeyId,
    current: Result<CompiledCeiling, Denial>,
    candidate: Result<CompiledCeiling, Denial>,
}

impl Simulation {
    pub(super) fn new(
        (current, candidate): (Arc<PolicySnapshot>, Arc<PolicySnapshot>),
        audiences: impl Iterator<Item = Audience>,
        hasher: OrganizationHasher,
    ) -> Self {
        Self {
            current,
            candidate,
            audiences: audiences.map(|audience| (audience.id, audience)).collect(),
            keys: HashMap::new(),
            named: Named::new(hasher),
            report: Report::default(),
        }
    }

    pub(super) fn knows_key(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Tells a key's limits; `None` when the key is gone.
    pub(super) fn add_key(&mut self, id: ApiKeyId, ceiling: Option<KeyCeiling>) {
        let key = ceiling.map(|ceiling| Key {
            id,
            current: self.current.ceiling(&ceiling).map_err(Denial::from),
            candidate: self.candidate.ceiling(&ceiling).map_err(Denial::from),
        });
        let ceilings = key.iter().flat_map(|key| [&key.current, &key.candidate]);
        for ceiling in ceilings.flatten() {
            self.named.learn_ceiling(ceiling);
        }
        self.keys.insert(id.as_str().to_owned(), key);
    }

    /// Decides about a session again, and notes what differs.
    pub(super) fn replay(&mut self, session: &RecordedSession) {
        let outcome = self.outcome(session);
        self.report.add(session.id, outcome);
    }

    pub(super) fn into_report(self) -> SimulationReport {
        self.report.finish()
    }

    fn outcome(&mut self, session: &RecordedSession) -> Outcome {
        let key = self.keys.get(&session.api_key_id).and_then(Option::as_ref);
        let Some((key, audience)) = key.zip(self.audiences.get(&session.audience_id)) else {
            return Outcome::Undetermined;
        };
        let given = match &key.current {
            Ok(ceiling) => self.current.given(ceiling, &session.roles.0),
            Err(_) => BTreeMap::new(),
        };
        let policies = [&*self.current, &*self.candidate];
        let name = audience.name.as_str();
        let mut recorded = rebuild(session, name, &given, &mut self.named, policies);
        let before = decide(&self.current, &key.current, audience.limits, &recorded);
        let mut depends = false;
        for (name, hidden) in &mut recorded.hidden {
            if !self.current.judges_alike(&self.candidate, name) {
                *hidden = Hidden::Unknown;
                depends = true;
            }
        }
        let after = decide(&self.candidate, &key.candidate, audience.limits, &recorded);
        if depends && matches!(after, Replay::Granted { .. }) {
            return Outcome::Undetermined;
        }
        match difference(before, after) {
            Some(difference) => Outcome::Differs {
                key: key.id,
                roles: session.roles.0.clone(),
                difference,
            },
            None => Outcome::Unchanged,
        }
    }
}

fn decide(
    policy: &PolicySnapshot,
    ceiling: &Result<CompiledCeiling, Denial>,
    limits: AudienceLimits,
    recorded: &Recorded,
) -> Replay {
    match ceiling {
        Ok(ceiling) => policy.replay(ceiling, Some(&limits), recorded),
        Err(denial) => Replay::Refused(denial.clone()),
    }
}

fn difference(before: Replay, after: Replay) -> Option<Difference> {
    match (before, after) {
        (Replay::Refused(_), Replay::Refused(_)) => None,
        (Replay::Granted { .. }, Replay::Refused(denial)) => {
            Some(Difference::of_reasons(Kind::NewlyRefused, &denial))
        }
        (Replay::Refused(denial), Replay::Granted { .. }) => {
            Some(Difference::of_reasons(Kind::NewlyGranted, &denial))
        }
        (
            Replay::Granted { attributes, scope },
            Replay::Granted {
                attributes: new_attributes,
                scope: new_scope,
            },
        ) => {
            let attributes = changed(&attributes, &new_attributes);
            let scope_changed = scope != new_scope;
            let differs = scope_changed || !attributes.is_empty();
            differs.then(|| Difference {
                kind: Kind::Changed,
                reasons: BTreeSet::new(),
                attributes,
                scope_changed,
            })
        }
    }
}

/// The names of the attributes that come, go or have another value.
fn changed(
    before: &BTreeMap<AttributeName, AttributeValue>,
    after: &BTreeMap<AttributeName, AttributeValue>,
) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    let differing = names.filter(|name| before.get(*name) != after.get(*name));
    differing.map(ToString::to_string).collect()
}
