//! Outcomes in groups: the same key, roles, and difference.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::ApiKeyId;
use policy::Denial;
use storage::SessionId;

/// The most groups of one kind that a report lists: those with the most sessions.
pub const MAX_GROUPS: usize = 200;

/// What would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationReport {
    /// How many sessions were decided again.
    pub replayed: u64,
    /// Of how many nothing would change.
    pub unchanged: u64,
    /// Of how many it cannot be told: their key is gone, or it depends on a value of which only a hash is kept.
    pub undetermined: u64,
    /// Granted now, refused by the candidate.
    pub newly_refused: Vec<Group>,
    /// Refused now, granted by the candidate.
    pub newly_granted: Vec<Group>,
    /// Granted by both, with other attributes or another scope.
    pub changed: Vec<Group>,
}

/// Sessions of one key, with the same roles, that would change in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The key.
    pub api_key: ApiKeyId,
    /// The roles, in the order of the request.
    pub roles: Vec<String>,
    /// How many sessions.
    pub count: u64,
    /// Why they are refused, by the policy that does.
    pub reasons: Vec<&'static str>,
    /// The attributes that come, go or get another value.
    pub attributes: Vec<String>,
    /// Would the scope be another one?
    pub scope_changed: bool,
    /// The latest of the sessions.
    pub example: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    NewlyRefused,
    NewlyGranted,
    Changed,
}

/// How a decision differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    pub(super) reasons: BTreeSet<&'static str>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) scope_changed: bool,
}

impl Difference {
    pub(super) fn of_reasons(kind: Kind, denial: &Denial) -> Self {
        let codes = denial.reasons().iter().map(|reason| reason.code.as_str());
        Self {
            kind,
            reasons: codes.collect(),
            attributes: BTreeSet::new(),
            scope_changed: false,
        }
    }
}

/// What became of one session.
#[derive(Debug)]
pub(super) enum Outcome {
    Unchanged,
    Undetermined,
    Differs {
        key: ApiKeyId,
        roles: Vec<String>,
        difference: Difference,
    },
}

/// A report that grows; no larger than the number of sessions.
#[derive(Debug, Default)]
pub(super) struct Report {
    replayed: u64,
    unchanged: u64,
    undetermined: u64,
    groups: BTreeMap<(Difference, String, Vec<String>), Group>,
}

impl Report {
    /// Adds a session; the latest come first.
    pub(super) fn add(&mut self, session: SessionId, outcome: Outcome) {
        self.replayed += 1;
        match outcome {
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Undetermined => self.undetermined += 1,
            Outcome::Differs {
                key,
                roles,
                difference,
            } => {
                let place = (difference, key.to_string(), roles);
                let group = self.groups.entry(place);
                let group = group.or_insert_with_key(|(difference, _, roles)| Group {
                    api_key: key,
                    roles: roles.clone(),
                    count: 0,
                    reasons: difference.reasons.iter().copied().collect(),
                    attributes: difference.attributes.iter().cloned().collect(),
                    scope_changed: difference.scope_changed,
                    example: session,
                });
                group.count += 1;
            }
        }
    }

    pub(super) fn finish(self) -> SimulationReport {
        let mut kinds: BTreeMap<Kind, Vec<Group>> = BTreeMap::new();
        for ((difference, ..), group) in self.groups {
            kinds.entry(difference.kind).or_default().push(group);
        }
        let mut of = |kind| {
            let mut groups = kinds.remove(&kind).unwrap_or_default();
            // Stable: groups of one size stay in the order of what they are grouped by.
            groups.sort_by_key(|group| std::cmp::Reverse(group.count));
            groups.truncate(MAX_GROUPS);
            groups
        };
        SimulationReport {
            replayed: self.replayed,
            unchanged: self.unchanged,
            undetermined: self.undetermined,
            newly_refused: of(Kind::NewlyRefused),
            newly_granted: of(Kind::NewlyGranted),
            changed: of(Kind::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use storage::SystemClock;

    use super::*;

    #[test]
    fn a_report_lists_the_largest_groups_and_their_latest_session() {
        let mut report = Report::default();
        let key = ApiKeyId::from_characters("0Hq3VbN8tRzA").unwrap();
        let mut latest = None;
        let roles = (0..MAX_GROUPS + 5).flat_map(|number| {
            let times = if number == MAX_GROUPS + 4 { 3 } else { 1 };
            std::iter::repeat_n(number, times)
        });
        for number in roles {
            let session = SessionId::new(&SystemClock);
            if number == MAX_GROUPS + 4 {
                latest.get_or_insert(session);
            }
            let outcome = Outcome::Differs {
                key,
                roles: vec![format!("r{number}")],
                difference: Difference {
                    kind: Kind::Changed,
                    reasons: BTreeSet::new(),
                    attributes: BTreeSet::from(["a".to_owned()]),
                    scope_changed: false,
                },
            };
            report.add(session, outcome);
        }
        report.add(SessionId::new(&SystemClock), Outcome::Unchanged);
        let report = report.finish();
        assert_eq!(
            (report.replayed, report.unchanged),
            (MAX_GROUPS as u64 + 8, 1)
        );
        assert_eq!(report.changed.len(), MAX_GROUPS);
        let first = &report.changed[0];
        assert_eq!((first.count, Some(first.example)), (3, latest));
        assert!(report.newly_refused.is_empty() && report.newly_granted.is_empty());
    }
}
