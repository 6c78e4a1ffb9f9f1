//! Roles taken over from a casbin policy.
//!
//! casbin's files are CSV: `p, role, resource, action[, allow|deny]` permits or forbids, `g, role, inherited` says
//! what a role inherits. Blank lines and those that begin with `#` say nothing.

use std::collections::{BTreeMap, BTreeSet};

use csv::{ReaderBuilder, StringRecord};

use super::{PolicyDocument, fault::MAX_DOCUMENT_BYTES};
use crate::{
    name::{NameError, RoleName},
    permissions::{ActionPattern, Effect, PatternError, ResourcePattern, RolePermission},
    roles::Role,
};

/// What is wrong with a casbin policy, and on which line of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct CsvFault {
    /// The line on which the rule begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: CsvRuleFault,
}

/// One thing wrong with a rule. Never repeats a text that is not a checked name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvRuleFault {
    /// The text is longer than 32 MiB.
    #[error("the text is longer than 32 MiB")]
    TooLarge,
    /// The text is no CSV.
    #[error("this is no CSV in UTF-8")]
    NoCsv,
    /// The rule is neither `p` nor `g`.
    #[error("a rule begins with `p` or `g`; other kinds have no meaning here")]
    UnknownKind,
    /// A `p` rule has too few or too many columns. casbin would let the first make every later question fail.
    #[error(
        "`p` takes a role, a resource, an action and perhaps an effect; this has {columns} columns after `p`"
    )]
    PermissionColumns {
        /// How many there are after `p`.
        columns: usize,
    },
    /// A `g` rule has too few or too many columns.
    #[error("`g` takes a role and the role it inherits; this has {columns} columns after `g`")]
    InheritanceColumns {
        /// How many there are after `g`.
        columns: usize,
    },
    /// A role is no role name.
    #[error(transparent)]
    Name(NameError),
    /// A resource or action is no pattern.
    #[error(transparent)]
    Pattern(PatternError),
    /// The effect is another word. casbin would ignore a `Deny` with a capital.
    #[error("an effect is `allow` or `deny`, in lower case")]
    Effect,
    /// A role inherits itself, over whatever others.
    #[error("role `{role}` inherits itself through `{inherited}`")]
    Cycle {
        /// The inheriting role.
        role: RoleName,
        /// What it inherits.
        inherited: RoleName,
    },
}

impl From<NameError> for CsvRuleFault {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<PatternError> for CsvRuleFault {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}

/// What the rules say of one role.
#[derive(Default)]
struct Rules {
    permissions: BTreeSet<RolePermission>,
    inherits: BTreeSet<RoleName>,
}

/// Everything read so far.
#[derive(Default)]
struct Import {
    roles: BTreeMap<RoleName, Rules>,
    /// Each `g` rule with its line.
    links: Vec<Link>,
}

impl PolicyDocument {
    /// This document with the roles of a casbin policy: their permissions and inheritance are those of the text,
    /// everything else of roles with the same name stays, and roles that the text does not name go. Attributes and row
    /// rules stay; if they name a role that went, compiling tells.
    pub fn with_casbin_csv(&self, csv: &str) -> Result<Self, CsvFault> {
        let import = Import::read(csv)?;
        import.refuse_cycles()?;
        let mut kept: BTreeMap<RoleName, Role> = BTreeMap::new();
        for role in &self.roles {
            kept.entry(role.name.clone())
                .or_insert_with(|| role.clone());
        }
        let roles = import.roles.into_iter().map(|(name, rules)| {
            let kept = kept.remove(&name);
            let role = kept.unwrap_or_else(|| named(name));
            Role {
                permissions: rules.permissions,
                inherits: rules.inherits,
                ..role
            }
        });
        Ok(Self {
            roles: roles.collect(),
            attributes: self.attributes.clone(),
            row_rules: self.row_rules.clone(),
        })
    }
}

fn named(name: RoleName) -> Role {
    Role {
        name,
        description: String::new(),
        inherits: BTreeSet::new(),
        permissions: BTreeSet::new(),
        required_attributes: BTreeSet::new(),
        audiences: None,
        default_ttl_seconds: None,
        max_ttl_seconds: None,
    }
}

impl Import {
    fn read(csv: &str) -> Result<Self, CsvFault> {
        if csv.len() > MAX_DOCUMENT_BYTES {
            let fault = CsvRuleFault::TooLarge;
            return Err(CsvFault { line: 1, fault });
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(csv.as_bytes());
        let mut import = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| CsvFault {
                line: error.position().map_or(1, csv::Position::line),
                fault: CsvRuleFault::NoCsv,
            })?;
            let line = record.position().map_or(1, csv::Position::line);
            import
                .rule(line, &record)
                .map_err(|fault| CsvFault { line, fault })?;
        }
        Ok(import)
    }

    fn rule(&mut self, line: u64, record: &StringRecord) -> Result<(), CsvRuleFault> {
        // Line breaks stay: a name that has one is no name.
        let columns = record.iter().map(|it| it.trim_matches([' ', '\t']));
        let columns: Vec<&str> = columns.collect();
        match columns.as_slice() {
            // A line of spaces.
            [""] => Ok(()),
            ["p", role, resource, action] => self.permission(role, resource, action, "allow"),
            ["p", role, resource, action, effect] => {
                self.permission(role, resource, action, effect)
            }
            ["p", rest @ ..] => {
                let columns = rest.len();
                Err(CsvRuleFault::PermissionColumns { columns })
            }
            ["g", role, inherited] => self.link(line, role, inherited),
            ["g", rest @ ..] => {
                let columns = rest.len();
                Err(CsvRuleFault::InheritanceColumns { columns })
            }
            _ => Err(CsvRuleFault::UnknownKind),
        }
    }

    fn permission(
        &mut self,
        role: &str,
        resource: &str,
        action: &str,
        effect: &str,
    ) -> Result<(), CsvRuleFault> {
        let role = RoleName::parse(role)?;
        let permission = RolePermission {
            resource: ResourcePattern::parse(resource)?,
            action: ActionPattern::parse(action)?,
            effect: match effect {
                "allow" => Effect::Allow,
                "deny" => Effect::Deny,
                _ => return Err(CsvRuleFault::Effect),
            },
        };
        let rules = self.roles.entry(role).or_default();
        rules.permissions.insert(permission);
        Ok(())
    }

    fn link(&mut self, line: u64, role: &str, inherited: &str) -> Result<(), CsvRuleFault> {
        let (role, inherited) = (RoleName::parse(role)?, RoleName::parse(inherited)?);
        self.roles.entry(inherited.clone()).or_default();
        let rules = self.roles.entry(role.clone()).or_default();
        rules.inherits.insert(inherited.clone());
        self.links.push((line, role, inherited));
        Ok(())
    }

    /// Takes away what inherits nothing that is left, and what nothing left inherits, until neither is there. What
    /// stays goes round in circles, and the first rule among it is told.
    fn refuse_cycles(&self) -> Result<(), CsvFault> {
        let ends: [Ends; 2] = [
            |(_, role, inherited)| (role, inherited),
            |(_, role, inherited)| (inherited, role),
        ];
        let mut left: Vec<_> = self.links.iter().collect();
        for end in ends {
            left = without_ends(left, end);
        }
        match left.first() {
            None => Ok(()),
            Some((line, role, inherited)) => Err(CsvFault {
                line: *line,
                fault: CsvRuleFault::Cycle {
                    role: role.clone(),
                    inherited: inherited.clone(),
                },
            }),
        }
    }
}

/// A line, and the role on it that inherits the other.
type Link = (u64, RoleName, RoleName);
/// A link as it is followed: from which role to which.
type Ends = fn(&Link) -> (&RoleName, &RoleName);

/// The links without those that lead, over whatever others, to a dead end.
fn without_ends(links: Vec<&Link>, end: Ends) -> Vec<&Link> {
    let mut onward: BTreeMap<&RoleName, usize> = BTreeMap::new();
    let mut sources: BTreeMap<&RoleName, Vec<&RoleName>> = BTreeMap::new();
    for link in &links {
        let (from, to) = end(link);
        *onward.entry(from).or_default() += 1;
        onward.entry(to).or_default();
        sources.entry(to).or_default().push(from);
    }
    let dead = onward.iter().filter(|(_, count)| **count == 0);
    let mut dead: Vec<&RoleName> = dead.map(|(name, _)| *name).collect();
    while let Some(name) = dead.pop() {
        onward.remove(name);
        for from in sources.remove(name).unwrap_or_default() {
            if let Some(count) = onward.get_mut(from) {
                *count -= 1;
                if *count == 0 {
                    dead.push(from);
                }
            }
        }
    }
    let alive = |link: &&Link| onward.contains_key(&link.1) && onward.contains_key(&link.2);
    links.into_iter().filter(alive).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> PolicyDocument {
        serde_json::from_value(json!({
            "roles": [
                {"name": "viewer", "description": "Looks.", "max_ttl_seconds": 60, "inherits": ["old"],
                 "permissions": [{"resource": "old", "action": "view"}]},
                {"name": "old"},
            ],
            "attributes": [{"name": "tenant_id", "type": "string"}],
        }))
        .unwrap()
    }

    #[test]
    fn permissions_and_inheritance_are_replaced_and_the_rest_stays() {
        let csv = "# roles of the shop\n\
                   p, viewer, dashboard, view\n\
                   p,viewer,\"dashboard/sales, eu\",view,deny\n\n   \n\
                   p,editor,dashboard,*,allow\r\n\
                   g, editor, viewer\n\
                   g, admin, editor\n";
        let document = base().with_casbin_csv(csv).unwrap();
        let expected = json!({
            "roles": [
                {"name": "admin", "inherits": ["editor"]},
                {"name": "editor", "inherits": ["viewer"],
                 "permissions": [{"resource": "dashboard", "action": "*"}]},
                {"name": "viewer", "description": "Looks.", "max_ttl_seconds": 60, "permissions": [
                    {"resource": "dashboard", "action": "view"},
                    {"resource": "dashboard/sales, eu", "action": "view", "effect": "deny"},
                ]},
            ],
            "attributes": [{"name": "tenant_id", "type": "string"}],
        });
        assert_eq!(json!(document), expected);
    }

    #[test]
    fn a_fault_names_its_line() {
        let table = [
            ("p, viewer, dashboard, view, Deny", "line 2: an effect is"),
            ("p, viewer, dashboard, view, ", "line 2: an effect is"),
            ("p, viewer, dashboard", "line 2: `p` takes a role"),
            (
                "p, viewer, dashboard, view, allow, x",
                "has 5 columns after",
            ),
            ("p", "has 0 columns after `p`"),
            (
                "g, viewer",
                "line 2: `g` takes a role and the role it inherits",
            ),
            ("g, alice, viewer, domain", "has 3 columns after `g`"),
            ("p2, viewer, dashboard, view", "line 2: a rule begins with"),
            ("P, viewer, dashboard, view", "line 2: a rule begins with"),
            ("p, Viewer, dashboard, view", "line 2: a role name must be"),
            (
                "p,\"viewer\ng, viewer, admin\",dashboard,view",
                "line 2: a role name must be",
            ),
            (
                "p, viewer, /reports/*, read",
                "line 2: a pattern of resources is",
            ),
            ("p, viewer, dashboard, View", "line 2: an action is"),
            (
                "g, viewer, viewer",
                "line 2: role `viewer` inherits itself through `viewer`",
            ),
            ("p,viewer,dashboard,\"view", "line 2"),
        ];
        for (rule, expected) in table {
            let csv = format!("p, editor, dashboard, view\n{rule}\n");
            let fault = base().with_casbin_csv(&csv).unwrap_err();
            assert!(fault.to_string().contains(expected), "{rule}: {fault}");
        }
    }

    #[test]
    fn the_line_of_a_cycle_is_one_that_goes_round() {
        let csv = "g, d, a\ng, a, b\ng, b, c\ng, c, a\ng, b, e\n";
        let fault = base().with_casbin_csv(csv).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "line 2: role `a` inherits itself through `b`"
        );
        let diamond = "g, a, b\ng, a, c\ng, b, d\ng, c, d\n";
        assert_eq!(base().with_casbin_csv(diamond).unwrap().roles.len(), 4);
    }
}
