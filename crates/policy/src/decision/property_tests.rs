//! Whatever the policy, the ceiling and the request: a grant stays within all three.

use std::collections::BTreeSet;

use key_admin::KeyCeiling;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    PolicyDocument,
    roles::Role,
    snapshot::PolicySnapshot,
    testing::{LIMITS, role_from},
};

const ROLES: usize = 5;
const ATTRIBUTES: usize = 4;

/// Sets of roles and attributes are bit masks: role `r0` is bit 0, attribute `a1` bit 1.
#[derive(Clone, Debug)]
struct Case {
    inherits: [u8; ROLES],
    requires: [u8; ROLES],
    always_required: u8,
    ceiling_roles: Option<u8>,
    fixed: u8,
    requested_roles: Vec<usize>,
    requested_attributes: u8,
    undeclared_attribute: bool,
    null_attribute: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let policy = (any::<[u8; ROLES]>(), sparse_masks(), sparse_mask());
    let ceiling = (proptest::option::of(dense_mask()), sparse_mask());
    // One role and one attribute more than declared, now and then.
    let roles = proptest::collection::vec(0..=ROLES, 0..3);
    let request = (
        roles,
        dense_mask(),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
    );
    (policy, ceiling, request).prop_map(|(policy, ceiling, request)| Case {
        inherits: policy.0,
        requires: policy.1,
        always_required: policy.2,
        ceiling_roles: ceiling.0,
        fixed: ceiling.1,
        requested_roles: request.0,
        requested_attributes: request.1,
        undeclared_attribute: request.2,
        null_attribute: request.3,
    })
}

fn dense_mask() -> impl Strategy<Value = u8> {
    sparse_mask().prop_map(|mask| !mask)
}

fn sparse_mask() -> impl Strategy<Value = u8> {
    (any::<u8>(), any::<u8>()).prop_map(|(left, right)| left & right)
}

fn sparse_masks() -> impl Strategy<Value = [u8; ROLES]> {
    (any::<[u8; ROLES]>(), any::<[u8; ROLES]>())
        .prop_map(|(left, right)| std::array::from_fn(|index| left[index] & right[index]))
}

fn bits(mask: u8, count: usize) -> impl Iterator<Item = usize> {
    (0..count).filter(move |bit| mask & (1 << bit) != 0)
}

fn names(prefix: &str, mask: u8, count: usize) -> Vec<String> {
    bits(mask, count)
        .map(|bit| format!("{prefix}{bit}"))
        .collect()
}

impl Case {
    /// A role inherits roles of lower numbers only, so there is no cycle.
    fn parents(&self, role: usize) -> u8 {
        self.inherits[role] & ((1 << role) - 1)
    }

    fn roles(&self) -> Vec<Role> {
        (0..ROLES)
            .map(|role| {
                role_from(json!({
                    "name": format!("r{role}"),
                    "inherits": names("r", self.parents(role), ROLES),
                    "required_attributes": names("a", self.requires[role], ATTRIBUTES),
                }))
            })
            .collect()
    }

    async fn policy(&self) -> PolicySnapshot {
        let attributes = (0..ATTRIBUTES).map(|bit| {
            let required = self.always_required & (1 << bit) != 0;
            json!({"name": format!("a{bit}"), "type": "integer", "required": required})
        });
        let attributes = serde_json::from_value(attributes.collect()).unwrap();
        PolicyDocument {
            roles: self.roles(),
            attributes,
            ..PolicyDocument::default()
        }
        .compile(1)
        .await
        .unwrap()
    }

    fn ceiling(&self) -> KeyCeiling {
        KeyCeiling {
            roles: self
                .ceiling_roles
                .map(|mask| names("r", mask, ROLES).into_iter().collect()),
            fixed_attributes: values(self.fixed).into_iter().collect(),
            ..KeyCeiling::default()
        }
    }

    fn request(&self) -> GrantRequest {
        let mut attributes = values(self.requested_attributes);
        if self.undeclared_attribute {
            attributes.insert("undeclared".to_owned(), json!(1));
        }
        if self.null_attribute {
            attributes.insert("a0".to_owned(), Value::Null);
        }
        GrantRequest {
            subject: "user-42".to_owned(),
            roles: self
                .requested_roles
                .iter()
                .map(|role| format!("r{role}"))
                .collect(),
            attributes,
            audience: "default".to_owned(),
            ttl_seconds: None,
            resources: Vec::new(),
        }
    }

    /// The roles in `mask` and everything they inherit, walked without a thought for speed.
    fn with_inherited(&self, mut mask: u8) -> u8 {
        for _ in 0..ROLES {
            mask = bits(mask, ROLES).fold(mask, |all, role| all | self.parents(role));
        }
        mask
    }

    /// The reference: whether the request should be granted, written down as simply as possible.
    fn should_be_granted(&self) -> bool {
        let requested = &self.requested_roles;
        let distinct: BTreeSet<_> = requested.iter().collect();
        let allowed = self.with_inherited(self.ceiling_roles.unwrap_or(u8::MAX));
        let within = requested
            .iter()
            .all(|role| *role < ROLES && allowed & (1 << role) != 0);
        if requested.is_empty() || distinct.len() < requested.len() || !within {
            return false;
        }
        let given = self.requested_attributes | self.fixed;
        given & self.required() == self.required()
            && !self.undeclared_attribute
            && !self.null_attribute
    }

    fn required(&self) -> u8 {
        let requested = self
            .requested_roles
            .iter()
            .fold(0, |mask, role| mask | (1 << role));
        let roles = bits(self.with_inherited(requested), ROLES);
        let required = roles.fold(self.always_required, |mask, role| {
            mask | self.requires[role]
        });
        required & ((1 << ATTRIBUTES) - 1)
    }
}

fn values(mask: u8) -> Map<String, Value> {
    names("a", mask, ATTRIBUTES)
        .into_iter()
        .map(|name| (name, json!(1)))
        .collect()
}

proptest! {
    #[test]
    fn a_grant_is_what_policy_ceiling_and_request_have_in_common(case in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (policy, ceiling) = runtime.block_on(async {
            let policy = case.policy().await;
            let ceiling = policy.ceiling(&case.ceiling()).unwrap();
            (policy, ceiling)
        });
        match policy.decide(&ceiling, Some(&LIMITS), case.request()) {
            Decision::Refused(denial) => {
                prop_assert!(!denial.reasons().is_empty());
                prop_assert!(!case.should_be_granted(), "refused: {denial:?}");
            }
            Decision::Granted(grant) => {
                prop_assert!(case.should_be_granted(), "granted: {grant:?}");
                let roles: Vec<_> = grant.roles().iter().map(ToString::to_string).collect();
                prop_assert_eq!(roles, case.request().roles);
                let attributes: Vec<_> = grant.attributes().keys().map(ToString::to_string).collect();
                let given = case.requested_attributes | case.fixed;
                prop_assert_eq!(attributes, names("a", given, ATTRIBUTES));
            }
        }
    }
}
