//! Random ceilings and requests. Most are meant to pass; the rest is wrong somewhere.

use key_admin::KeyCeiling;
use serde_json::{Map, Value, json};

use super::{
    dice::Dice,
    world::{AUDIENCES, AttributeDecl, World, owned},
};
use crate::decision::{AudienceLimits, GrantRequest, Resource};

/// Resources and actions that are asked about.
pub(super) const RESOURCES: [&str; 12] = [
    "dashboard",
    "dashboard/eu-",
    "dashboard/eu-1",
    "dashboard/eu-12",
    "dashboard/sales",
    "dashboard/Sales 2026",
    "dashboards",
    "dashboards/x",
    "file",
    "file/a/b",
    "file/a*b",
    "file/é1",
];
pub(super) const ACTIONS: [&str; 3] = ["view", "edit", "drop"];

/// A subject, and whether it can be one.
pub(super) const SUBJECTS: [(&str, bool); 6] = [
    ("user-42", true),
    ("Ünï cödé", true),
    ("", false),
    (" \u{200b}", false),
    ("user\n42", false),
    ("user\u{202e}42", false),
];

/// A text, and whether it is well-formed.
type Part = (&'static str, bool);

/// A resource's type and id.
pub(super) const LIMITS_TO: [(Part, Part); 6] = [
    (("dashboard", true), ("eu-1", true)),
    (("dashboard", true), ("Sales 2026", true)),
    (("file", true), ("a/b", true)),
    (("Dashboard", false), ("eu-1", true)),
    (("dashboard", true), ("", false)),
    (("", false), ("a\u{7}", false)),
];

/// Values that most declarations refuse.
fn strange(dice: &mut Dice) -> Value {
    let values = json!([
        null, "", " ", "\u{200b}", [], [null], ["eu", ""], "a\u{0}b", "much too long", "t-1\n", 1, 1.0, true,
        {"a": 1}, ["eu", "us", "asia", "eu"], "x", ["x", 1, "\u{2028}"], 9_007_199_254_740_992_i64, 1e300,
        "2026-02-30", [["eu"]], "F81D4FAE7DEC11D0A76500A0C91E6BF6", "f81d4fae",
    ]);
    dice.one(values.as_array().unwrap())
}

fn value_of(dice: &mut Dice, attribute: &AttributeDecl, strange_ones: usize) -> Value {
    if dice.percent(strange_ones) {
        strange(dice)
    } else {
        attribute.good_value(dice)
    }
}

pub(super) fn ceiling(dice: &mut Dice, world: &World) -> KeyCeiling {
    let names = world.role_names();
    let mut ceiling = KeyCeiling::default();
    if dice.percent(50) {
        let roles = dice.some(&names, 0, names.len());
        ceiling.roles = Some(roles.into_iter().collect());
        ceiling.roles.iter_mut().for_each(|roles| {
            roles.extend(dice.maybe(10, &["ghost".to_owned(), "*".to_owned()]));
        });
    }
    if dice.percent(30) {
        ceiling.audiences = Some(owned(&dice.some(&AUDIENCES, 0, 3)));
    }
    for attribute in &world.attributes {
        let name = attribute.name.clone();
        if dice.percent(10) {
            let value = value_of(dice, attribute, 5);
            ceiling.fixed_attributes.insert(name.clone(), value);
        }
        if dice.percent(10) {
            let least = usize::from(dice.percent(95));
            let mut values = dice.some(&attribute.good, least, 2);
            values.extend(dice.percent(2).then(|| strange(dice)));
            ceiling.allowed_attributes.insert(name, values);
        }
    }
    if dice.percent(3) {
        ceiling
            .fixed_attributes
            .insert("ghost".to_owned(), json!(1));
    }
    if dice.percent(3) {
        ceiling
            .allowed_attributes
            .insert("ghost".to_owned(), vec![json!(1)]);
    }
    ceiling.max_ttl_seconds = dice.maybe(30, &[60, 600, 7200]);
    if dice.percent(2) {
        ceiling.max_ttl_seconds = Some(0);
    }
    ceiling
}

/// Asks for roles that the key lists, as a rule, and for all attributes that anything could require.
pub(super) fn request(dice: &mut Dice, world: &World, ceiling: &KeyCeiling) -> GrantRequest {
    let mut roles = match &ceiling.roles {
        Some(listed) if !listed.is_empty() && dice.percent(80) => {
            dice.some(&listed.iter().cloned().collect::<Vec<_>>(), 1, 2)
        }
        _ => dice.some(&world.role_names(), 1, 3),
    };
    if dice.percent(6) {
        roles = dice.one(&[
            vec![],
            vec!["ghost".to_owned()],
            [&roles[..], &roles[..1]].concat(),
        ]);
    }
    let audience = match &ceiling.audiences {
        Some(listed) if !listed.is_empty() && dice.percent(80) => listed.iter().next().cloned(),
        _ => dice.maybe(97, &AUDIENCES.map(str::to_owned)),
    };
    let limit = if dice.percent(5) { 6 } else { 3 };
    let resources = (0..dice.below(3)).map(|_| {
        let ((kind, _), (id, _)) = LIMITS_TO[dice.below(limit)];
        let (kind, id) = (kind.to_owned(), id.to_owned());
        Resource { kind, id }
    });
    let resources: Vec<_> = resources.collect();
    let subject = if dice.percent(4) {
        dice.one(&SUBJECTS)
    } else {
        SUBJECTS[0]
    };
    let ttls = [1, 60, 61, 120, 600, 900, 3600, 3601, 0, -1, i64::MAX];
    GrantRequest {
        subject: subject.0.to_owned(),
        roles,
        attributes: attributes(dice, world, ceiling),
        audience: audience.unwrap_or_else(|| dice.one(&["ghost", "Not A Name", ""]).to_owned()),
        ttl_seconds: dice.maybe(30, &ttls),
        resources,
    }
}

fn attributes(dice: &mut Dice, world: &World, ceiling: &KeyCeiling) -> Map<String, Value> {
    let mut attributes = Map::new();
    for attribute in &world.attributes {
        let name = &attribute.name;
        let value = match (
            ceiling.fixed_attributes.get(name),
            ceiling.allowed_attributes.get(name),
        ) {
            (Some(fixed), _) if dice.percent(85) => dice.maybe(50, std::slice::from_ref(fixed)),
            (_, Some(values)) if dice.percent(85) && !values.is_empty() => {
                let value = dice.one(values);
                Some(if attribute.list {
                    json!([value])
                } else {
                    value
                })
            }
            _ => dice.percent(75).then(|| value_of(dice, attribute, 4)),
        };
        attributes.extend(value.map(|value| (name.clone(), value)));
    }
    if dice.percent(3) {
        attributes.insert(dice.one(&["ghost", "a/~b", "sub"]).to_owned(), json!(1));
    }
    attributes
}

/// What the organization holds under an audience's name.
pub(super) fn limits(dice: &mut Dice, audience: &str) -> Option<AudienceLimits> {
    (audience != "ghost" || dice.percent(5)).then(|| AudienceLimits {
        default_ttl_seconds: dice.one(&[300, 900, 3600]),
        max_ttl_seconds: if dice.percent(1) {
            0
        } else {
            dice.one(&[200, 3600, 86400])
        },
    })
}
