//! Whatever a key does, no key ends up stronger than those that made it.
//!
//! The model keeps, in memory, which keys exist and how strong they are, and says which call succeeds. It is run by
//! itself in 10,000 sequences, and beside the service on SQLite in a few hundred.

mod service;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{Clock, Timestamp};

use crate::api_keys::{Strength, format};
use crate::rate_limit::RateLimit;
use crate::{ApiKeyId, ApiKeyPatch, Edit, KeyCeiling, NewApiKey, Permission};

/// A key in few bits, so that weaker and stronger ones are both likely. Of each limit, 0 is none.
#[derive(Clone, Debug)]
struct Shape {
    permissions: u8,
    roles: Option<u8>,
    audiences: Option<u8>,
    fixed: [u8; 2],
    /// Values of `a1`, as bits.
    allowed: Option<u8>,
    max_ttl: Option<u32>,
    networks: Vec<u8>,
    rate: Option<(u32, u32)>,
    life: Option<i64>,
}

#[derive(Clone, Debug)]
enum Call {
    Create(Shape),
    /// A field of the shape is set where its bit is.
    Update(usize, Shape, u8),
    Rotate(usize),
    Disable(usize),
    Enable(usize),
    Delete(usize),
}

const NETWORKS: [&str; 5] = [
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "0.0.0.0/0",
    "2001:db8::/32",
];

fn shapes() -> impl Strategy<Value = Shape> {
    let names = || proptest::option::weighted(0.7, 0_u8..8);
    let attributes = (
        any::<[bool; 2]>(),
        any::<[bool; 2]>(),
        proptest::option::of(1_u8..16),
    );
    let ceiling = (names(), names(), attributes);
    let limits = (
        proptest::option::weighted(0.7, 1_u32..4),
        proptest::collection::vec(0_u8..5, 0..3),
        proptest::option::weighted(0.7, (1_u32..4, 1_u32..4)),
        proptest::option::weighted(0.7, 1_i64..4),
    );
    (any::<u8>(), ceiling, limits).prop_map(
        |(permissions, (roles, audiences, attributes), (max_ttl, networks, rate, life))| {
            let (fixes, value, allowed) = attributes;
            Shape {
                permissions,
                roles,
                audiences,
                fixed: [0, 1].map(|at| u8::from(fixes[at]) * (1 + u8::from(value[at]))),
                allowed,
                max_ttl,
                networks,
                rate,
                life,
            }
        },
    )
}

fn calls() -> impl Strategy<Value = (usize, Call)> {
    let call = prop_oneof![
        3 => shapes().prop_map(Call::Create),
        4 => (any::<usize>(), shapes(), any::<u8>())
            .prop_map(|(target, shape, fields)| Call::Update(target, shape, fields)),
        1 => any::<usize>().prop_map(Call::Rotate),
        1 => any::<usize>().prop_map(Call::Disable),
        1 => any::<usize>().prop_map(Call::Enable),
        1 => any::<usize>().prop_map(Call::Delete),
    ];
    (any::<usize>(), call)
}

impl Shape {
    fn new_key(&self, app: Blank) -> NewApiKey {
        let names = |bits: u8| -> BTreeSet<String> {
            let set = (0..3).filter(|bit| bits & (1 << bit) != 0);
            set.map(|bit| format!("n{bit}")).collect()
        };
        let fixed = self.fixed.iter().enumerate();
        let permissions = Permission::ALL.iter().enumerate();
        NewApiKey {
            organization: app.organization,
            owner: app.owner,
            created_by: None,
            name: "a key".to_owned(),
            expires_at: self.life.map(|life| app.now.plus_seconds(life * 1_000)),
            permissions: permissions
                .filter(|(at, _)| self.permissions & (1 << at) != 0)
                .map(|(_, permission)| *permission)
                .collect(),
            ceiling: KeyCeiling {
                roles: self.roles.map(names),
                audiences: self.audiences.map(names),
                fixed_attributes: fixed
                    .filter(|(_, value)| **value != 0)
                    .map(|(at, value)| (format!("a{at}"), (*value).into()))
                    .collect(),
                allowed_attributes: self
                    .allowed
                    .map(|bits| {
                        let values = (0..4_u64).filter(|value| bits & (1 << value) != 0);
                        ("a1".to_owned(), values.map(Into::into).collect())
                    })
                    .into_iter()
                    .collect(),
                max_ttl_seconds: self.max_ttl,
            },
            allowed_networks: self
                .networks
                .iter()
                .map(|at| NETWORKS[usize::from(*at)].parse().unwrap())
                .collect(),
            rate_limit: self
                .rate
                .map(|(per_minute, burst)| RateLimit { per_minute, burst }),
        }
    }

    fn patch(&self, fields: u8, app: Blank) -> ApiKeyPatch {
        fn edit<T>(fields: u8, bit: u8, value: T) -> Edit<T> {
            if fields & (1 << bit) == 0 {
                Edit::Keep
            } else {
                Edit::Set(value)
            }
        }
        let new = self.new_key(app);
        ApiKeyPatch {
            name: edit(fields, 0, "another name".to_owned()),
            permissions: edit(fields, 1, new.permissions),
            ceiling: edit(fields, 2, new.ceiling),
            expires_at: edit(fields, 3, new.expires_at),
            allowed_networks: edit(fields, 4, new.allowed_networks),
            rate_limit: edit(fields, 5, new.rate_limit),
        }
    }
}

/// What a shape needs to become a key.
#[derive(Clone, Copy)]
struct Blank {
    organization: storage::OrganizationId,
    owner: storage::PrincipalId,
    now: Timestamp,
}

/// The keys as they should be.
#[derive(Default)]
struct Model {
    keys: BTreeMap<ApiKeyId, Modelled>,
}

struct Modelled {
    strength: Strength,
    disabled: bool,
    /// The strongest that this key may ever be: what its maker was when it made it or let it pass.
    bound: Strength,
}

fn strength_of(new: &NewApiKey) -> Strength {
    Strength {
        permissions: new.permissions.iter().copied().collect(),
        roles: new.ceiling.roles.clone(),
        audiences: new.ceiling.audiences.clone(),
        fixed_attributes: new.ceiling.fixed_attributes.clone(),
        allowed_attributes: new.ceiling.allowed_attributes.clone(),
        max_ttl_seconds: new.ceiling.max_ttl_seconds,
        networks: new.allowed_networks.clone(),
        rate_limit: new.rate_limit,
        expires_at: new.expires_at,
    }
}

fn patched(strength: &Strength, patch: ApiKeyPatch) -> Strength {
    let mut after = strength.clone();
    if let Edit::Set(permissions) = patch.permissions {
        after.permissions = permissions.into_iter().collect();
    }
    if let Edit::Set(ceiling) = patch.ceiling {
        after.roles = ceiling.roles;
        after.audiences = ceiling.audiences;
        after.fixed_attributes = ceiling.fixed_attributes;
        after.allowed_attributes = ceiling.allowed_attributes;
        after.max_ttl_seconds = ceiling.max_ttl_seconds;
    }
    if let Edit::Set(expires_at) = patch.expires_at {
        after.expires_at = expires_at;
    }
    if let Edit::Set(networks) = patch.allowed_networks {
        after.networks = networks;
    }
    if let Edit::Set(rate_limit) = patch.rate_limit {
        after.rate_limit = rate_limit;
    }
    after
}

impl Model {
    fn add(&mut self, id: ApiKeyId, strength: Strength, bound: Strength) {
        let disabled = false;
        self.keys.insert(
            id,
            Modelled {
                strength,
                disabled,
                bound,
            },
        );
    }

    fn pick(&self, number: usize) -> ApiKeyId {
        *self.keys.keys().nth(number % self.keys.len()).unwrap()
    }

    /// Whether an enabled caller may do this, and what it then does to the key that exists already.
    fn allows(&self, caller: ApiKeyId, target: ApiKeyId, call: &Call, app: Blank) -> bool {
        let caller = &self.keys[&caller];
        if caller.disabled {
            return false;
        }
        let after = match call {
            Call::Create(shape) => strength_of(&shape.new_key(app)),
            Call::Update(_, shape, fields) => {
                patched(&self.keys[&target].strength, shape.patch(*fields, app))
            }
            Call::Rotate(_) | Call::Enable(_) => self.keys[&target].strength.clone(),
            Call::Disable(_) | Call::Delete(_) => return true,
        };
        caller.strength.covers(&after).is_ok()
    }

    /// What an allowed call does.
    fn apply(&mut self, caller: ApiKeyId, target: ApiKeyId, call: &Call, app: Blank) {
        let bound = self.keys[&caller].strength.clone();
        match call {
            Call::Create(shape) => self.add(target, strength_of(&shape.new_key(app)), bound),
            Call::Update(_, shape, fields) => {
                let key = self.keys.get_mut(&target).unwrap();
                key.strength = patched(&key.strength, shape.patch(*fields, app));
                key.bound = bound;
            }
            Call::Rotate(_) => {}
            Call::Disable(_) => self.keys.get_mut(&target).unwrap().disabled = true,
            Call::Enable(_) => self.keys.get_mut(&target).unwrap().disabled = false,
            Call::Delete(_) => {
                self.keys.remove(&target);
            }
        }
    }

    /// Each key is within whoever last let it pass, and all are within the one key that people made.
    fn check(&self, root: &Strength) {
        for key in self.keys.values() {
            assert_eq!(key.bound.covers(&key.strength), Ok(()));
            assert_eq!(root.covers(&key.strength), Ok(()));
            assert_within(root, &key.strength);
        }
    }
}

/// The same as `covers`, thought through once more and written by example: whatever the weaker one could do, the
/// stronger one could.
fn assert_within(strong: &Strength, weak: &Strength) {
    for permission in &weak.permissions {
        assert!(strong.permissions.contains(permission));
    }
    let may = |names: &Option<BTreeSet<String>>, name: &str| match names {
        Some(names) => names.contains(name),
        None => true,
    };
    for name in ["n0", "n1", "n2", "another"] {
        assert!(may(&strong.roles, name) || !may(&weak.roles, name));
        assert!(may(&strong.audiences, name) || !may(&weak.audiences, name));
    }
    for attribute in ["a0", "a1"] {
        for value in 0..4_u64 {
            let may = |strength: &Strength| match strength.fixed_attributes.get(attribute) {
                Some(fixed) => fixed.as_u64() == Some(value),
                None => match strength.allowed_attributes.get(attribute) {
                    Some(allowed) => allowed.contains(&value.into()),
                    None => true,
                },
            };
            assert!(may(strong) || !may(weak));
        }
    }
    for address in ["10.1.2.3", "10.200.2.3", "11.0.0.1", "2001:db8::1", "::1"] {
        let address: std::net::IpAddr = address.parse().unwrap();
        let may = |strength: &Strength| {
            let networks = &strength.networks;
            networks.is_empty() || networks.iter().any(|network| network.contains(&address))
        };
        assert!(may(strong) || !may(weak));
    }
    let most = |value: Option<u32>| value.unwrap_or(u32::MAX);
    assert!(most(strong.max_ttl_seconds) >= most(weak.max_ttl_seconds));
    let rate = |strength: &Strength| strength.rate_limit.map(|r| (r.per_minute, r.burst));
    let (strong_rate, weak_rate) = (rate(strong), rate(weak));
    assert!(most(strong_rate.map(|r| r.0)) >= most(weak_rate.map(|r| r.0)));
    assert!(most(strong_rate.map(|r| r.1)) >= most(weak_rate.map(|r| r.1)));
    let end = |at: Option<Timestamp>| at.map_or(i64::MAX, Timestamp::unix_micros);
    assert!(end(strong.expires_at) >= end(weak.expires_at));
}

fn target_of(model: &Model, call: &Call) -> ApiKeyId {
    match call {
        Call::Create(_) => format::generate().unwrap().0,
        Call::Update(at, ..)
        | Call::Rotate(at)
        | Call::Disable(at)
        | Call::Enable(at)
        | Call::Delete(at) => model.pick(*at),
    }
}

#[test]
fn ten_thousand_sequences_of_strengths_exceed_nobody() {
    let clock = storage::ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600));
    let app = Blank {
        organization: storage::OrganizationId::new(&clock),
        owner: storage::PrincipalId::new(&clock),
        now: clock.now(),
    };
    let done = std::cell::RefCell::new([0_u32; 2]);
    let mut runner = TestRunner::new(Config::with_cases(10_000));
    let sequences = (shapes(), proptest::collection::vec(calls(), 1..20));
    runner
        .run(&sequences, |(root, calls)| {
            let root = strength_of(&root.new_key(app));
            let mut model = Model::default();
            let first = format::generate().unwrap().0;
            model.add(first, root.clone(), root.clone());
            for (caller, call) in calls {
                if model.keys.is_empty() {
                    break;
                }
                let (caller, target) = (model.pick(caller), target_of(&model, &call));
                let allowed = model.allows(caller, target, &call, app);
                if allowed {
                    model.apply(caller, target, &call, app);
                }
                done.borrow_mut()[usize::from(allowed)] += 1;
                model.check(&root);
            }
            Ok(())
        })
        .unwrap();
    let [refused, allowed] = done.into_inner();
    assert!(
        refused > 10_000 && allowed > 10_000,
        "both happen: {refused} and {allowed}"
    );
}
