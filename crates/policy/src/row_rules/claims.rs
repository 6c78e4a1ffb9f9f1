//! A token's roles and attributes, and the rules that count for them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    filter::{CompiledRule, Filter, Operand},
    value::read_attribute,
};
use crate::attributes::Scalar;

/// What row rules read of a token that has been verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenClaims {
    /// The claim `roles`.
    pub roles: BTreeSet<String>,
    /// The claim `attributes`, by attribute name.
    pub attributes: Map<String, Value>,
}

impl TokenClaims {
    /// Reads the payload of a verified token. A claim that is missing or of another shape is empty, and so lets no
    /// row through.
    pub fn from_json(payload: &Value) -> Self {
        let roles = payload.get("roles").and_then(Value::as_array);
        let names = roles.and_then(|roles| {
            let names = roles.iter().map(|role| role.as_str().map(str::to_owned));
            names.collect::<Option<BTreeSet<_>>>()
        });
        let attributes = payload.get("attributes").and_then(Value::as_object);
        Self {
            roles: names.unwrap_or_default(),
            attributes: attributes.cloned().unwrap_or_default(),
        }
    }

    /// What is left of `rules` for this token: those that count, with the values in place of the attributes.
    pub(super) fn filters(&self, rules: &[CompiledRule]) -> Vec<Filter<Vec<Scalar>>> {
        rules
            .iter()
            .filter(|rule| {
                rule.roles
                    .iter()
                    .any(|role| self.roles.contains(role.as_str()))
            })
            .filter_map(|rule| rule.filter.try_map(&|operand| self.values(operand)))
            .collect()
    }

    fn values(&self, operand: &Operand) -> Option<Vec<Scalar>> {
        match operand {
            Operand::Literal(_, values) => Some(values.clone()),
            Operand::Attribute(name, kind) => {
                read_attribute(*kind, self.attributes.get(name.as_str())?)
            }
        }
    }
}
