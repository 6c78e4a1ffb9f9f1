//! How long a token may live.

use super::{
    reasons::ReasonCode,
    request::AudienceLimits,
    trail::{Outcome, Rule, Trail},
};
use crate::{ceiling::CompiledCeiling, snapshot::CompiledRole};

/// What limits the lifetime of a token.
pub(super) struct Lifetime<'a> {
    pub(super) audience: Option<&'a AudienceLimits>,
    pub(super) ceiling: &'a CompiledCeiling,
    pub(super) roles: &'a [(usize, &'a CompiledRole)],
}

impl<'a> Lifetime<'a> {
    /// The longest lifetime that everything known allows, and the rule that says so.
    fn cap(&self) -> Option<(u32, Rule<'a>)> {
        let by_audience = self.audience.map(|limits| {
            let rule = Rule::Audience("max_ttl_seconds");
            (limits.max_ttl_seconds, rule)
        });
        let by_key = self.ceiling.max_ttl_seconds();
        let by_key = by_key.map(|seconds| (seconds, Rule::Ceiling("max_ttl_seconds")));
        let by_roles = self.roles.iter().filter_map(|(_, role)| {
            let rule = Rule::Role(role.name.as_str(), "max_ttl_seconds");
            Some((role.max_ttl_seconds?, rule))
        });
        let all = by_audience.into_iter().chain(by_key).chain(by_roles);
        all.min_by_key(|(seconds, _)| *seconds)
    }

    /// The lifetime when the request names none: the shortest that a role gives, or the audience's.
    fn usual(&self) -> Option<(u32, Rule<'a>)> {
        let by_roles = self.roles.iter().filter_map(|(_, role)| {
            let rule = Rule::Role(role.name.as_str(), "default_ttl_seconds");
            Some((role.default_ttl_seconds?, rule))
        });
        let limits = self.audience?;
        let by_audience = (
            limits.default_ttl_seconds,
            Rule::Audience("default_ttl_seconds"),
        );
        let by_roles = by_roles.min_by_key(|(seconds, _)| *seconds);
        Some(by_roles.unwrap_or(by_audience))
    }

    /// The lifetime to grant. A requested one is granted or refused, never changed; the usual one gives way to a
    /// shorter limit. `None` without a reason: the audience is unknown, which has its own.
    pub(super) fn check(&self, requested: Option<i64>, trail: &mut Trail) -> Option<u32> {
        match requested {
            Some(requested) => self.check_requested(requested, trail),
            None => self.check_usual(trail),
        }
    }

    fn check_usual(&self, trail: &mut Trail) -> Option<u32> {
        let (usual, rule) = self.usual()?;
        let lifetime = match self.cap() {
            Some((cap, by)) if cap < usual => {
                trail.note(by, Outcome::Narrowed, || {
                    format!("The lifetime is {cap} seconds instead of the usual {usual}.")
                });
                cap
            }
            _ => {
                trail.note(rule, Outcome::Added, || {
                    format!("The lifetime is {usual} seconds, for the request names none.")
                });
                usual
            }
        };
        if lifetime == 0 {
            let detail = "The audience's lifetimes leave no time for a token.";
            trail.refuse(rule, ReasonCode::PolicyUnusable, &["ttl_seconds"], detail);
        }
        Some(lifetime)
    }

    fn check_requested(&self, requested: i64, trail: &mut Trail) -> Option<u32> {
        let cap = self.cap();
        let rule = cap.map_or(Rule::Request, |(_, rule)| rule);
        let within = u32::try_from(requested)
            .ok()
            .filter(|seconds| *seconds >= 1 && cap.is_none_or(|(cap, _)| *seconds <= cap));
        if within.is_some() {
            trail.note(rule, Outcome::Allowed, || {
                format!("A lifetime of {requested} seconds is within every limit.")
            });
        } else {
            let detail = match cap {
                Some((cap, _)) => format!("The lifetime must be between 1 and {cap} seconds."),
                None => "The lifetime must be at least 1 second.".to_owned(),
            };
            trail.refuse(rule, ReasonCode::TtlOutOfRange, &["ttl_seconds"], detail);
        }
        within
    }
}
