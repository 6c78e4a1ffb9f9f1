//! Rules checked against the declarations they refer to.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{
    fault::{ConditionFault, RowRuleFault},
    filter::{AttributeKind, Comparison, CompiledRowRules, CompiledRule, Filter, Operand},
    name::{SqlName, TableName},
    operand::{check_list, literal, types_of},
    rule::{
        ColumnTest, Condition, MAX_CONDITION_DEPTH, MAX_ROW_RULES, MAX_TESTS, Operator, RowRule,
    },
};
use crate::name::{AttributeName, Identifier, RoleName};

/// What rules may refer to.
#[derive(Clone, Debug, Default)]
pub struct RowRuleDeclarations {
    /// The declared attributes.
    pub attributes: BTreeMap<AttributeName, AttributeKind>,
    /// The declared roles; with each, the roles that carry it or inherit it, itself included.
    pub roles: BTreeMap<RoleName, BTreeSet<RoleName>>,
}

impl CompiledRowRules {
    /// Checks `rules`. The error is every fault there is, never none.
    pub fn compile(
        rules: &[RowRule],
        declarations: &RowRuleDeclarations,
    ) -> Result<Self, Vec<RowRuleFault>> {
        if rules.len() > MAX_ROW_RULES {
            let count = rules.len();
            return Err(vec![RowRuleFault::TooManyRules { count }]);
        }
        let mut faults = faults_between(rules);
        let mut tables: BTreeMap<TableName, Vec<CompiledRule>> = BTreeMap::new();
        for rule in rules {
            let mut checker = Checker {
                rule: &rule.name,
                declarations,
                faults: &mut faults,
                tests: 0,
                too_deep: false,
            };
            if let Some((table, compiled)) = checker.rule(rule) {
                tables.entry(table).or_default().push(compiled);
            }
        }
        if faults.is_empty() {
            Ok(Self::new(tables))
        } else {
            Err(faults)
        }
    }
}

/// What is wrong with the rules only because of other rules.
fn faults_between(rules: &[RowRule]) -> Vec<RowRuleFault> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let mut schema_given: BTreeMap<&str, bool> = BTreeMap::new();
    for rule in rules {
        let name = rule.name.clone();
        if !names.insert(&rule.name) {
            faults.push(RowRuleFault::DuplicateRule { rule: name.clone() });
        }
        match schema_given.entry(&rule.table) {
            Entry::Vacant(entry) => {
                entry.insert(rule.schema.is_some());
            }
            Entry::Occupied(entry) => {
                if *entry.get() != rule.schema.is_some() && SqlName::parse(&rule.table).is_ok() {
                    faults.push(RowRuleFault::SchemaGivenNowAndThen {
                        rule: name,
                        table: rule.table.clone(),
                    });
                }
            }
        }
    }
    faults
}

/// Checks one rule. Each step notes its faults and answers `None` when nothing usable is left.
struct Checker<'a> {
    rule: &'a Identifier,
    declarations: &'a RowRuleDeclarations,
    faults: &'a mut Vec<RowRuleFault>,
    tests: usize,
    too_deep: bool,
}

impl Checker<'_> {
    fn rule(&mut self, rule: &RowRule) -> Option<(TableName, CompiledRule)> {
        let name = || rule.name.clone();
        let table = TableName::parse(rule.schema.as_deref(), &rule.table).ok();
        if table.is_none() {
            self.faults.push(RowRuleFault::TableName { rule: name() });
        }
        let roles = self.roles(&rule.roles);
        let filter = self.condition(&rule.condition, "where", 0);
        if self.too_deep {
            self.faults.push(RowRuleFault::TooDeep { rule: name() });
        }
        if self.tests > MAX_TESTS {
            self.faults.push(RowRuleFault::TooManyTests {
                rule: name(),
                count: self.tests,
            });
        }
        let filter = filter?;
        Some((table?, CompiledRule { roles, filter }))
    }

    fn roles(&mut self, roles: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
        if roles.is_empty() {
            let rule = self.rule.clone();
            self.faults.push(RowRuleFault::NoRoles { rule });
        }
        let mut carriers = BTreeSet::new();
        for role in roles {
            match self.declarations.roles.get(role) {
                Some(heirs) => {
                    carriers.insert(role.clone());
                    carriers.extend(heirs.iter().cloned());
                }
                None => self.faults.push(RowRuleFault::UnknownRole {
                    rule: self.rule.clone(),
                    role: role.clone(),
                }),
            }
        }
        carriers
    }

    fn condition(
        &mut self,
        condition: &Condition,
        at: &str,
        depth: usize,
    ) -> Option<Filter<Operand>> {
        match condition {
            Condition::All(parts) => self
                .group(parts, &format!("{at}.all"), depth + 1)
                .map(Filter::All),
            Condition::Any(parts) => self
                .group(parts, &format!("{at}.any"), depth + 1)
                .map(Filter::Any),
            Condition::Test(test) => {
                self.tests += 1;
                let filter = self.test(test);
                self.noted(filter, at)
            }
        }
    }

    fn group(
        &mut self,
        parts: &[Condition],
        at: &str,
        depth: usize,
    ) -> Option<Vec<Filter<Operand>>> {
        if depth > MAX_CONDITION_DEPTH {
            self.too_deep = true;
            return None;
        }
        if parts.is_empty() {
            return self.noted(Err(vec![ConditionFault::EmptyGroup]), at);
        }
        // Every part is looked at before the first that is wrong decides.
        let filters: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| self.condition(part, &format!("{at}[{index}]"), depth))
            .collect();
        filters.into_iter().collect()
    }

    fn noted<T>(&mut self, result: Result<T, Vec<ConditionFault>>, at: &str) -> Option<T> {
        let noted = result.map_err(|faults| {
            let faults = faults.into_iter().map(|fault| RowRuleFault::Condition {
                rule: self.rule.clone(),
                at: at.to_owned(),
                fault,
            });
            self.faults.extend(faults);
        });
        noted.ok()
    }

    fn test(&self, test: &ColumnTest) -> Result<Filter<Operand>, Vec<ConditionFault>> {
        let column = SqlName::parse(&test.column).map_err(|_| ConditionFault::ColumnName);
        let operand = self.operand(test);
        let (column, operand) = match (column, operand) {
            (Ok(column), Ok(operand)) => (column, operand),
            (column, operand) => {
                return Err(column.err().into_iter().chain(operand.err()).collect());
            }
        };
        let Some(operand) = operand else {
            return Ok(Filter::IsNull { column });
        };
        Ok(match comparison(test.operator) {
            Some(comparison) => Filter::Compare {
                column,
                comparison,
                operand,
            },
            None => Filter::OneOf { column, operand },
        })
    }

    /// What the test compares with; nothing for `is null`.
    fn operand(&self, test: &ColumnTest) -> Result<Option<Operand>, ConditionFault> {
        let operator = test.operator;
        match (operator, &test.attribute, &test.value) {
            (Operator::IsNull, None, None) => Ok(None),
            (Operator::IsNull, _, _) => Err(ConditionFault::NoOperandTaken),
            (_, Some(attribute), None) => self.attribute(operator, attribute).map(Some),
            (_, None, Some(value)) => literal(operator, value).map(Some),
            (_, _, _) => Err(ConditionFault::OneOperandNeeded { operator }),
        }
    }

    fn attribute(
        &self,
        operator: Operator,
        name: &AttributeName,
    ) -> Result<Operand, ConditionFault> {
        let Some(kind) = self.declarations.attributes.get(name) else {
            let attribute = name.clone();
            return Err(ConditionFault::UnknownAttribute { attribute });
        };
        check_list(operator, kind.list)?;
        if !types_of(operator).contains(&kind.value_type) {
            return Err(ConditionFault::NotOrdered { operator });
        }
        Ok(Operand::Attribute(name.clone(), *kind))
    }
}

fn comparison(operator: Operator) -> Option<Comparison> {
    match operator {
        Operator::Equal => Some(Comparison::Equal),
        Operator::Less => Some(Comparison::Less),
        Operator::LessOrEqual => Some(Comparison::LessOrEqual),
        Operator::Greater => Some(Comparison::Greater),
        Operator::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
        Operator::In | Operator::IsNull => None,
    }
}
