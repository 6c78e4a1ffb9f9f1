//! Random policies, as plain data.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::dice::Dice;
use crate::{PolicyDocument, roles::MAX_INHERITANCE_DEPTH};

pub(super) const AUDIENCES: [&str; 3] = ["default", "analytics", "embed"];
const ROLE_NAMES: [&str; 12] = [
    "admin", "analyst", "auditor", "boss", "clerk", "editor", "guest", "owner", "partner", "sales",
    "support", "viewer",
];
const ATTRIBUTE_NAMES: [&str; 6] = ["area", "brand", "cost", "day", "tenant_id", "zone"];
/// No pattern ends inside a letter of a resource's name: casbin's `keyMatch` would panic.
const PATTERNS: [&str; 12] = [
    "*",
    "dashboard",
    "dashboard",
    "dashboard/*",
    "dashboard/eu-*",
    "dashboard/eu-1",
    "dashboard/eu-1*",
    "dashboards",
    "file/a/*",
    "file/a/b",
    "file/é*",
    "dashboard/Sales 2026",
];

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct World {
    pub(super) roles: Vec<RoleDecl>,
    pub(super) attributes: Vec<AttributeDecl>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct RoleDecl {
    pub(super) name: String,
    pub(super) inherits: BTreeSet<String>,
    pub(super) permissions: Vec<PermissionDecl>,
    pub(super) required_attributes: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audiences: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_ttl_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_ttl_seconds: Option<u32>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct PermissionDecl {
    pub(super) resource: String,
    pub(super) action: String,
    pub(super) effect: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct AttributeDecl {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) list: bool,
    pub(super) required: bool,
    pub(super) normalize: Vec<&'static str>,
    pub(super) requires: BTreeSet<String>,
    pub(super) from_role: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed_values: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<&'static str>,
    pub(super) max_length: usize,
    pub(super) max_items: usize,
    /// Single values, or items, that pass.
    #[serde(skip)]
    pub(super) good: Vec<Value>,
}

impl World {
    pub(super) fn random(dice: &mut Dice) -> Self {
        let mut world = Self::default();
        let attributes = dice.some(&ATTRIBUTE_NAMES, 2, ATTRIBUTE_NAMES.len());
        let chain = dice.percent(30);
        let least = if chain { MAX_INHERITANCE_DEPTH + 1 } else { 3 };
        let roles = dice.some(&ROLE_NAMES, least, ROLE_NAMES.len());
        world.add_roles(dice, chain, &roles, &attributes);
        for name in &attributes {
            let attribute = AttributeDecl::random(dice, name, &attributes, &roles);
            world.attributes.push(attribute);
        }
        world
    }

    /// A role inherits earlier ones only, so there is no cycle; with `chain` they form one as long as may be.
    fn add_roles(&mut self, dice: &mut Dice, chain: bool, names: &[&str], attributes: &[&str]) {
        for (index, name) in names.iter().enumerate() {
            let mut parents: Vec<&str> = dice.some(&names[..index], 0, 3.min(index));
            if chain && index > 0 {
                parents.push(names[index - 1]);
            }
            parents.retain(|parent| self.depth(parent) < MAX_INHERITANCE_DEPTH);
            let role = RoleDecl::random(dice, name, &parents, attributes);
            self.roles.push(role);
        }
    }

    /// How many links there are below a role.
    pub(super) fn depth(&self, name: &str) -> usize {
        let role = self.roles.iter().find(|role| role.name == name).unwrap();
        let below = role.inherits.iter().map(|parent| 1 + self.depth(parent));
        below.max().unwrap_or(0)
    }

    pub(super) fn document(&self) -> PolicyDocument {
        serde_json::from_value(serde_json::to_value(self).unwrap()).unwrap()
    }

    pub(super) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }
}

impl RoleDecl {
    fn random(dice: &mut Dice, name: &str, parents: &[&str], attributes: &[&str]) -> Self {
        let required = dice.below(2);
        Self {
            name: name.to_owned(),
            inherits: parents.iter().map(ToString::to_string).collect(),
            permissions: (0..dice.below(4)).map(|_| permission(dice)).collect(),
            required_attributes: owned(&dice.some(attributes, 0, required)),
            audiences: dice
                .percent(15)
                .then(|| owned(&dice.some(&AUDIENCES, 1, 3))),
            default_ttl_seconds: dice.maybe(25, &[60, 300, 1200, 5000]),
            max_ttl_seconds: dice.maybe(25, &[120, 600, 1800]),
        }
    }
}

fn permission(dice: &mut Dice) -> PermissionDecl {
    PermissionDecl {
        resource: dice.one(&PATTERNS).to_owned(),
        action: dice.one(&["view", "view", "edit", "*"]).to_owned(),
        effect: if dice.percent(15) { "deny" } else { "allow" },
    }
}

pub(super) fn owned(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

impl AttributeDecl {
    fn random(dice: &mut Dice, name: &str, others: &[&str], roles: &[&str]) -> Self {
        let mut attribute = Self {
            name: name.to_owned(),
            list: dice.percent(40),
            required: dice.percent(15),
            ..Self::of_some_type(dice)
        };
        if dice.percent(20) {
            attribute.requires = owned(&dice.some(others, 0, 1));
        }
        if dice.percent(30) {
            for role in dice.some(roles, 1, 3) {
                let value = attribute.good_value(dice);
                attribute.from_role.insert(role.to_owned(), value);
            }
        }
        attribute
    }

    fn of_some_type(dice: &mut Dice) -> Self {
        let uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        let other = json!(uuid.to_uppercase());
        let braced = json!(format!("{{{uuid}}}"));
        let eu = json!(["eu", "us", "asia"]);
        let (kind, normalize, pattern, allowed, good) = match dice.below(11) {
            0 => (
                "string",
                vec![],
                None,
                None,
                json!(["t-1", "T-1", " x ", "é"]),
            ),
            1 => (
                "string",
                vec![],
                Some("t-[0-9]+"),
                None,
                json!(["t-1", "t-22"]),
            ),
            2 => (
                "string",
                vec!["trim", "case_fold"],
                Some("[a-z]+"),
                None,
                json!(["eu", " EU", "us "]),
            ),
            3 => (
                "string",
                vec!["trim"],
                None,
                Some(eu),
                json!(["eu", " us "]),
            ),
            4 => (
                "string",
                vec!["uuid"],
                None,
                None,
                json!([uuid, other, braced]),
            ),
            5 => ("string", vec![], None, Some(eu), json!(["eu", "us"])),
            6 => (
                "string",
                vec!["case_fold"],
                None,
                Some(json!(["EU", "us"])),
                json!(["eu", "Us"]),
            ),
            7 => ("integer", vec![], None, None, json!([1, 2, -3])),
            8 => (
                "number",
                vec![],
                None,
                Some(json!([1, 0.5])),
                json!([1, 1.0, 0.5]),
            ),
            9 => ("boolean", vec![], None, None, json!([true, false])),
            _ => (
                "date",
                vec![],
                None,
                None,
                json!(["2026-02-28", "2024-02-29"]),
            ),
        };
        Self {
            name: String::new(),
            kind,
            list: false,
            required: false,
            max_length: if normalize == ["uuid"] { 36 } else { 5 },
            normalize,
            requires: BTreeSet::new(),
            from_role: BTreeMap::new(),
            allowed_values: allowed.map(|it| it.as_array().unwrap().clone()),
            pattern,
            max_items: 3,
            good: good.as_array().unwrap().clone(),
        }
    }

    pub(super) fn good_value(&self, dice: &mut Dice) -> Value {
        if self.list {
            (0..=dice.below(3)).map(|_| dice.one(&self.good)).collect()
        } else {
            dice.one(&self.good)
        }
    }
}
