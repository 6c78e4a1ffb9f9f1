//! Whatever a key does, no key ends up stronger than those that made it, and a member's key does nothing to keys of
//! others.
//!
//! The model keeps, in memory, which keys exist, whose they are and how strong, and says which call succeeds. It is run
//! by itself in 10,000 sequences, and beside the service on SQLite in a few hundred.

mod service;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{Clock, Timestamp};

use crate::api_keys::strength::KeyOwner;
use crate::api_keys::{Strength, format};
use crate::rate_limit::RateLimit;
use crate::{ApiKeyId, ApiKeyPatch, Edit, KeyCeiling, NewApiKey, Permission, UserRole};

/// Those who own keys; `None` is a service account. There are two members, for they are strangers to each other.
const ROLES: [Option<UserRole>; 5] = [
    None,
    Some(UserRole::Owner),
    Some(UserRole::Admin),
    Some(UserRole::Member),
    Some(UserRole::Member),
];

/// A key in few bits, so that weaker and stronger ones are both likely. Of each limit, 0 is none.
#[derive(Clone, Debug)]
struct Shape {
    owner: usize,
    permissions: u16,
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
    ((0..ROLES.len(), any::<u16>()), ceiling, limits).prop_map(
        |(
            (owner, permissions),
            (roles, audiences, attributes),
            (max_ttl, networks, rate, life),
        )| {
            let (fixes, value, allowed) = attributes;
            Shape {
                owner,
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
            owner: app.owners[self.owner].id,
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
    owners: [KeyOwner; ROLES.len()],
    now: Timestamp,
}

/// The keys as they should be.
#[derive(Default)]
struct Model {
    keys: BTreeMap<ApiKeyId, Modelled>,
}

struct Modelled {
    owner: KeyOwner,
    strength: Strength,
    disabled: bool,
    /// Whoever made the key or let it pass last, as strong as it was then: the strongest that this key may ever be.
    bound: (KeyOwner, Strength),
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

/// Whose a key is, and how strong.
type Held = (KeyOwner, Strength);

impl Model {
    fn add(&mut self, id: ApiKeyId, (owner, strength): Held, bound: Held) {
        let key = Modelled {
            owner,
            strength,
            disabled: false,
            bound,
        };
        self.keys.insert(id, key);
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
        let (owner, after) = match call {
            Call::Create(shape) => (app.owners[shape.owner], strength_of(&shape.new_key(app))),
            Call::Update(_, shape, fields) => {
                let key = &self.keys[&target];
                (key.owner, patched(&key.strength, shape.patch(*fields, app)))
            }
            Call::Rotate(_) | Call::Enable(_) => {
                let key = &self.keys[&target];
                (key.owner, key.strength.clone())
            }
            Call::Disable(_) | Call::Delete(_) => {
                let owner = self.keys[&target].owner;
                return caller.owner.may_stop_keys_of(owner).is_ok();
            }
        };
        caller.strength.covers(&after).is_ok() && caller.owner.covers(owner).is_ok()
    }

    /// What an allowed call does.
    fn apply(&mut self, caller: ApiKeyId, target: ApiKeyId, call: &Call, app: Blank) {
        let by = &self.keys[&caller];
        let bound = (by.owner, by.strength.clone());
        if let Some(key) = self.keys.get(&target) {
            assert!(is_own_or_managed(bound.0, key.owner), "{call:?}");
        }
        match call {
            Call::Create(shape) => {
                let held = (app.owners[shape.owner], strength_of(&shape.new_key(app)));
                self.add(target, held, bound);
            }
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

    /// Each key is within whoever last let it pass, and all are within the keys that people made.
    fn check(&self, root: &Strength) {
        for key in self.keys.values() {
            let (owner, strength) = &key.bound;
            assert!(is_own_or_managed(*owner, key.owner));
            assert!(key.owner.role != Some(UserRole::Owner) || owner.role == key.owner.role);
            assert_eq!(strength.covers(&key.strength), Ok(()));
            assert_eq!(root.covers(&key.strength), Ok(()));
            assert_within(root, &key.strength);
        }
    }
}

/// Members have their own keys, everybody else here manages keys.
fn is_own_or_managed(caller: KeyOwner, owner: KeyOwner) -> bool {
    caller.role != Some(UserRole::Member) || caller.id == owner.id
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

/// For each owner, a key that people made, as strong as the others: what one may do is a matter of its owner.
fn first_keys(root: &Shape) -> impl Iterator<Item = Shape> {
    let root = root.clone();
    (0..ROLES.len()).map(move |owner| Shape {
        owner,
        ..root.clone()
    })
}

#[test]
fn ten_thousand_sequences_of_strengths_exceed_nobody() {
    let clock = storage::ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600));
    let app = Blank {
        organization: storage::OrganizationId::new(&clock),
        owners: ROLES.map(|role| KeyOwner {
            id: storage::PrincipalId::new(&clock),
            role,
        }),
        now: clock.now(),
    };
    let done = std::cell::RefCell::new([0_u32; 3]);
    let mut runner = TestRunner::new(Config::with_cases(10_000));
    let sequences = (shapes(), proptest::collection::vec(calls(), 1..20));
    runner
        .run(&sequences, |(first, calls)| {
            let root = strength_of(&first.new_key(app));
            let mut model = Model::default();
            for shape in first_keys(&first) {
                let held = (app.owners[shape.owner], root.clone());
                model.add(format::generate().unwrap().0, held.clone(), held);
            }
            for (caller, call) in calls {
                if model.keys.is_empty() {
                    break;
                }
                let (caller, target) = (model.pick(caller), target_of(&model, &call));
                let allowed = model.allows(caller, target, &call, app);
                let owners = model.keys.get(&target).map(|target| target.owner);
                let foreign = owners
                    .is_some_and(|owner| !is_own_or_managed(model.keys[&caller].owner, owner));
                if allowed {
                    model.apply(caller, target, &call, app);
                }
                done.borrow_mut()[usize::from(allowed)] += 1;
                done.borrow_mut()[2] += u32::from(foreign);
                model.check(&root);
            }
            Ok(())
        })
        .unwrap();
    let done = done.into_inner();
    assert!(
        done.iter().all(|count| *count > 10_000),
        "all of it happens: refused, allowed, and members who reach for keys of others: {done:?}"
    );
}
