//! Checked rules: what the outputs are made of.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{SqlName, TableName};
use crate::{
    attributes::{Scalar, ValueType},
    name::{AttributeName, RoleName},
};

/// A policy's row rules, checked against its declarations. Made by [`CompiledRowRules::compile`].
#[derive(Clone, Debug, Default)]
pub struct CompiledRowRules {
    tables: BTreeMap<TableName, Vec<CompiledRule>>,
}

/// One checked rule.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    /// The roles that make the rule count, those that inherit a role of the rule included.
    pub(super) roles: BTreeSet<RoleName>,
    /// Which rows.
    pub(super) filter: Filter<Operand>,
}

/// A condition without mistakes; `O` is what columns are compared with.
#[derive(Clone, Debug)]
pub(super) enum Filter<O> {
    All(Vec<Filter<O>>),
    Any(Vec<Filter<O>>),
    Compare {
        column: SqlName,
        comparison: Comparison,
        operand: O,
    },
    OneOf {
        column: SqlName,
        operand: O,
    },
    IsNull {
        column: SqlName,
    },
}

/// How a column is compared with a single value, as SQL writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a column is compared with, as far as the policy knows it.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Attribute(AttributeName, AttributeKind),
    /// One value; for [`Filter::OneOf`] one or more of the same type.
    Literal(ValueType, Vec<Scalar>),
}

/// What kind of value an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeKind {
    /// The type of the value, or of each item of a list.
    pub value_type: ValueType,
    /// Whether the value is a list.
    pub list: bool,
}

impl CompiledRowRules {
    pub(super) fn new(tables: BTreeMap<TableName, Vec<CompiledRule>>) -> Self {
        Self { tables }
    }

    /// The tables that have rules, in the order of their names.
    pub fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.tables.keys()
    }

    /// The tables with their rules, of which each has at least one.
    pub(super) fn rules_by_table(&self) -> impl Iterator<Item = (&TableName, &[CompiledRule])> {
        self.tables
            .iter()
            .map(|(table, rules)| (table, rules.as_slice()))
    }

    /// The rules of one table; none when the policy has none for it.
    pub(super) fn rules_of(&self, table: &TableName) -> &[CompiledRule] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }
}

impl<O> Filter<O> {
    /// The same filter over other operands. `None`: `to` has none for one of them.
    pub(super) fn try_map<P>(&self, to: &impl Fn(&O) -> Option<P>) -> Option<Filter<P>> {
        let all_of = |parts: &[Self]| -> Option<Vec<_>> {
            parts.iter().map(|part| part.try_map(to)).collect()
        };
        Some(match self {
            Self::All(parts) => Filter::All(all_of(parts)?),
            Self::Any(parts) => Filter::Any(all_of(parts)?),
            Self::Compare {
                column,
                comparison,
                operand,
            } => Filter::Compare {
                column: column.clone(),
                comparison: *comparison,
                operand: to(operand)?,
            },
            Self::OneOf { column, operand } => Filter::OneOf {
                column: column.clone(),
                operand: to(operand)?,
            },
            Self::IsNull { column } => Filter::IsNull {
                column: column.clone(),
            },
        })
    }

    /// Calls `visit` for every operand.
    pub(super) fn for_each_operand<'a>(&'a self, visit: &mut impl FnMut(&'a O)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.for_each_operand(visit);
                }
            }
            Self::Compare { operand, .. } | Self::OneOf { operand, .. } => visit(operand),
            Self::IsNull { .. } => {}
        }
    }
}

impl Comparison {
    pub(super) fn as_sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}
