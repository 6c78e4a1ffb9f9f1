//! Whatever the policy, the ceiling and the question: three answers that share no code are one answer.
//!
//! | module | holds |
//! |---|---|
//! | `dice`, `world`, `questions` | random policies, ceilings, requests and questions, as plain data |
//! | `counts` | that every kind of answer is asked for often |
//! | `plain_casbin` | the second answer: casbin with a model of its own, for inheritance, keys and resources |
//! | `naive_access`, `naive_decide`, `naive_policy`, `naive_values` | the third: the documentation, written down rule by rule |

mod counts;
mod dice;
mod naive_access;
mod naive_decide;
mod naive_policy;
mod naive_values;
mod plain_casbin;
mod questions;
mod world;

use proptest::{
    arbitrary::any,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::{Builder, Runtime};

use self::{
    counts::{Counts, count},
    dice::Dice,
    naive_decide::{Naive, Reasons, Token},
    plain_casbin::Casbin,
    world::World,
};
use super::*;
use crate::{
    access::{AccessReason, Bearer},
    fault::{CompileError, PolicyFault},
    name::{AudienceName, Identifier},
    permissions::ResourceName,
    roles::MAX_INHERITANCE_DEPTH,
    snapshot::PolicySnapshot,
    testing::reasons,
};

const KEYS: usize = 4;
const REQUESTS_PER_KEY: usize = 20;
const BEARERS: usize = 6;
const QUESTIONS_PER_BEARER: usize = 15;

/// Short, for whoever changes a rule and waits.
#[test]
fn all_three_agree_about_thousands_of_questions() {
    ask_about(25);
}

#[test]
fn all_three_agree_about_fifty_thousand_questions() {
    let counts = ask_about(300);
    assert_eq!(counts.deepest.get(), MAX_INHERITANCE_DEPTH);
    assert!(counts.ambiguous.get() > 0);
}

fn ask_about(policies: usize) -> Counts {
    let counts = Counts::default();
    let runtime = Builder::new_current_thread().build().unwrap();
    let config = Config {
        cases: u32::try_from(policies).unwrap(),
        // A smaller seed makes another policy, not a smaller one.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let answer = TestRunner::new(config).run(&any::<u64>(), |seed| {
        ask(&runtime, &mut Dice::new(seed), &counts);
        Ok(())
    });
    answer.unwrap();
    counts.assert_all_frequent(policies);
    counts
}

fn ask(runtime: &Runtime, dice: &mut Dice, counts: &Counts) {
    let mut world = World::random(dice);
    let policy = runtime.block_on(compile(&mut world, counts));
    let mut casbin = runtime.block_on(Casbin::new(&world));
    count(&counts.policies);
    for role in world.role_names() {
        counts
            .deepest
            .set(counts.deepest.get().max(world.depth(&role)));
        let lineage = &policy.role(&role).unwrap().lineage;
        let lineage: Vec<_> = lineage.iter().map(ToString::to_string).collect();
        assert_eq!(lineage, Vec::from_iter(world.lineage(&role)), "{world:#?}");
        let inherited = lineage.into_iter().filter(|it| *it != role);
        assert_eq!(casbin.inherited(&role), inherited.collect::<Vec<_>>());
    }
    for index in 0..KEYS {
        let ceiling = questions::ceiling(dice, &world);
        let key = format!("key-{index}");
        runtime.block_on(casbin.add_key(&key, &ceiling, &world));
        compare_key(&policy, &world, &casbin, (&key, &ceiling));
        for _ in 0..REQUESTS_PER_KEY {
            compare_decision(dice, &policy, &world, &ceiling, counts);
        }
    }
    for _ in 0..BEARERS {
        let roles = bearer_roles(dice, &world);
        let bearer = runtime.block_on(casbin.bearer(&roles));
        for _ in 0..QUESTIONS_PER_BEARER {
            let (reason, allowed) = compare_access(dice, &policy, &world, &roles);
            let asked = allowed.1;
            let within = naive_access::within(&allowed.0, asked.0);
            let by_casbin = casbin.may(&bearer, asked.0, asked.1) && within;
            let by_us = reason == AccessReason::Allowed;
            assert_eq!(by_casbin, by_us, "{roles:?} {asked:?} {world:#?}");
            counts.add(reason);
        }
    }
}

/// Refuses a policy exactly when parents disagree about a default; then without defaults it must do.
async fn compile(world: &mut World, counts: &Counts) -> PolicySnapshot {
    let ambiguous = world.attributes.iter().any(|attribute| {
        let mut roles = world.roles.iter();
        roles.any(|role| world.default_of(&role.name, attribute).is_err())
    });
    match world.document().compile(1).await {
        Ok(policy) => {
            assert!(!ambiguous, "{world:#?}");
            policy
        }
        Err(CompileError::Faults(faults)) => {
            assert!(ambiguous, "{faults:?} {world:#?}");
            let expected = |it: &_| matches!(it, PolicyFault::AmbiguousDefault { .. });
            assert!(faults.iter().all(expected), "{faults:?}");
            count(&counts.ambiguous);
            let attributes = world.attributes.iter_mut();
            attributes.for_each(|attribute| attribute.from_role.clear());
            world.document().compile(1).await.unwrap()
        }
        Err(error) => panic!("{error}"),
    }
}

/// What a key may grant: within its roles with inheritance, and its audiences.
fn compare_key(
    policy: &PolicySnapshot,
    world: &World,
    casbin: &Casbin,
    (key, ceiling): (&str, &key_admin::KeyCeiling),
) {
    let Ok(compiled) = policy.ceiling(ceiling) else {
        assert!(!world.is_usable(ceiling), "{ceiling:?} {world:#?}");
        return;
    };
    assert!(world.is_usable(ceiling), "{ceiling:?} {world:#?}");
    for role in world.role_names() {
        let by_casbin = casbin.may_grant(key, "role", &role);
        assert_eq!(compiled.allows_role(&role), by_casbin, "{role} {ceiling:?}");
    }
    for audience in world::AUDIENCES {
        let by_casbin = casbin.may_grant(key, "audience", audience);
        let name = AudienceName::parse(audience).unwrap();
        assert_eq!(compiled.allows_audience(&name), by_casbin, "{ceiling:?}");
    }
}

fn compare_decision(
    dice: &mut Dice,
    policy: &PolicySnapshot,
    world: &World,
    ceiling: &key_admin::KeyCeiling,
    counts: &Counts,
) {
    let request = questions::request(dice, world, ceiling);
    let limits = questions::limits(dice, &request.audience);
    let naive = Naive {
        world,
        ceiling,
        limits,
        request: &request,
        reasons: Reasons::new(),
    };
    let expected = naive.decide();
    let decision = match policy.ceiling(ceiling) {
        Ok(compiled) => policy.decide(&compiled, limits.as_ref(), request.clone()),
        Err(error) => Decision::Refused(error.into()),
    };
    let found = match decision {
        Decision::Granted(grant) => {
            assert_eq!(grant.subject(), request.subject);
            assert_eq!(grant.audience().as_str(), request.audience);
            assert_eq!(grant.resources(), request.resources);
            count(&counts.granted);
            Ok(token(&grant))
        }
        Decision::Refused(denial) => {
            count(&counts.refused);
            Err(reasons(&denial).into_iter().collect())
        }
    };
    assert_eq!(
        found, expected,
        "{request:#?} {limits:?} {ceiling:#?} {world:#?}"
    );
}

fn token(grant: &Grant) -> Token {
    let attributes = grant.attributes().iter();
    Token {
        roles: grant.roles().iter().map(ToString::to_string).collect(),
        attributes: attributes
            .map(|(name, it)| (name.to_string(), it.to_json()))
            .collect(),
        scope: grant.scope().to_vec(),
        ttl_seconds: grant.ttl_seconds(),
    }
}

/// Casbin must be able to follow each from a bearer with several.
fn bearer_roles(dice: &mut Dice, world: &World) -> Vec<String> {
    let names = world.role_names();
    let mut roles = dice.some(&names, 1, 3);
    roles.extend(dice.maybe(4, &["ghost".to_owned()]));
    if roles.len() > 1 {
        let near = |it: &String| it == "ghost" || world.depth(it) < MAX_INHERITANCE_DEPTH;
        roles.retain(near);
    }
    roles
}

type Question = (Vec<Resource>, (&'static str, &'static str));

/// The reason, and what was asked for a token with these limits.
fn compare_access(
    dice: &mut Dice,
    policy: &PolicySnapshot,
    world: &World,
    roles: &[String],
) -> (AccessReason, Question) {
    let asked = (
        dice.one(&questions::RESOURCES),
        dice.one(&questions::ACTIONS),
    );
    let mut resources = Vec::new();
    if dice.percent(40) {
        for ((kind, _), (id, _)) in dice.some(&questions::LIMITS_TO, 1, 2) {
            let (kind, id) = (kind.to_owned(), id.to_owned());
            resources.push(Resource { kind, id });
        }
    }
    let bearer = Bearer {
        roles,
        resources: &resources,
    };
    let resource = ResourceName::parse(asked.0).unwrap();
    let access = policy.access(bearer, &resource, &Identifier::parse(asked.1).unwrap());
    let found = (access.reason(), access.role().map(ToString::to_string));
    let (reason, role) = world.access(roles, &resources, asked.0, asked.1);
    let expected = (reason, role.map(str::to_owned));
    assert_eq!(found, expected, "{bearer:?} {asked:?} {world:#?}");
    assert_eq!(access.is_allowed(), reason == AccessReason::Allowed);
    (reason, (resources, asked))
}
