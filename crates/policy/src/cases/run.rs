//! One case against a policy.

use std::collections::BTreeSet;

use key_admin::KeyCeiling;
use serde_json::{Map, Value, json};

use super::{
    because::are_all,
    file::{AccessCheck, Expectation, ExpectedRows, ExpectedToken, PolicyCase, PolicyCases},
    report::{CaseReport, CasesReport, Difference},
};
use crate::{
    Access, Bearer, FragmentStyle, IdentifierQuote, Placeholder, TableName, TokenClaims,
    decision::{AudienceLimits, Decision, Denial, Grant, GrantRequest, Reason},
    snapshot::PolicySnapshot,
    where_fragment,
};

impl PolicyCases {
    /// Asks `policy` every case.
    pub fn run(&self, policy: &PolicySnapshot) -> CasesReport {
        let reports = self.cases.iter().map(|case| {
            let mut differences = Differences::default();
            let reasons = match self.decide(case, policy) {
                Decision::Granted(grant) => {
                    differences.granted(case, policy, &grant);
                    Vec::new()
                }
                Decision::Refused(denial) => {
                    differences.refused(case, &denial);
                    denial.reasons().to_vec()
                }
            };
            CaseReport {
                name: case.name.clone(),
                passed: differences.0.is_empty(),
                differences: differences.0,
                reasons,
            }
        });
        CasesReport::new(reports.collect())
    }

    fn decide(&self, case: &PolicyCase, policy: &PolicySnapshot) -> Decision {
        let unlimited = KeyCeiling::default();
        let key = case.key.as_ref().and_then(|key| self.keys.get(key));
        let ceiling = match policy.ceiling(key.unwrap_or(&unlimited)) {
            Ok(ceiling) => ceiling,
            Err(error) => return Decision::Refused(Denial::from(error)),
        };
        let limits = self.audiences.get(&case.audience).map(|it| AudienceLimits {
            default_ttl_seconds: it.default_ttl_seconds,
            max_ttl_seconds: it.max_ttl_seconds,
        });
        let request = GrantRequest {
            subject: case.user.id.clone(),
            roles: case.user.roles.clone(),
            attributes: case.user.attributes.clone(),
            audience: case.audience.clone(),
            ttl_seconds: case.ttl_seconds,
            resources: case.resources.clone(),
        };
        policy.decide(&ceiling, limits.as_ref(), request)
    }
}

/// What is not as expected, so far.
#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn note(&mut self, field: impl Into<String>, expected: Value, found: Value) {
        if expected != found {
            self.0.push(Difference {
                field: field.into(),
                expected,
                found,
            });
        }
    }

    fn refused(&mut self, case: &PolicyCase, denial: &Denial) {
        if case.expect == Expectation::Granted {
            self.note("expect", json!("granted"), json!("refused"));
        }
        let Some(expected) = &case.because else {
            return;
        };
        if !are_all(expected, denial.reasons()) {
            let wanted = expected.iter().map(|it| {
                let pointer = it.pointer.as_deref();
                in_words(it.code.as_str(), pointer.unwrap_or_default())
            });
            // Pointers that nobody asked about would only make the two harder to compare.
            let precise = expected.iter().any(|it| it.pointer.is_some());
            let found = denial.reasons().iter().map(|reason: &Reason| {
                let pointer = if precise { reason.pointer.as_str() } else { "" };
                in_words(reason.code.as_str(), pointer)
            });
            self.note("because", wanted.collect(), found.collect());
        }
    }

    fn granted(&mut self, case: &PolicyCase, policy: &PolicySnapshot, grant: &Grant) {
        if case.expect == Expectation::Refused {
            self.note("expect", json!("refused"), json!("granted"));
            return;
        }
        self.token(&case.token, policy, grant);
        self.access(&case.access, policy, grant);
        self.rows(&case.rows, policy, grant);
    }

    fn token(&mut self, expected: &ExpectedToken, policy: &PolicySnapshot, grant: &Grant) {
        if let Some(roles) = &expected.roles {
            self.note("token.roles", json!(roles), json!(grant.roles()));
        }
        if let Some(attributes) = &expected.attributes {
            let found = attributes_of(grant);
            self.note("token.attributes", json!(attributes), json!(found));
        }
        if let Some(scope) = &expected.scope {
            let found: BTreeSet<_> = grant.scope().iter().collect();
            self.note("token.scope", json!(scope), json!(found));
        }
        if let Some(seconds) = expected.ttl_seconds {
            self.note(
                "token.ttl_seconds",
                json!(seconds),
                json!(grant.ttl_seconds()),
            );
        }
        if let Some(sensitive) = &expected.sensitive {
            let names = grant.attributes().keys().map(ToString::to_string);
            let found: BTreeSet<_> = names.filter(|name| policy.is_sensitive(name)).collect();
            self.note("token.sensitive", json!(sensitive), json!(found));
        }
    }

    fn access(&mut self, checks: &[AccessCheck], policy: &PolicySnapshot, grant: &Grant) {
        let roles: Vec<_> = grant.roles().iter().map(ToString::to_string).collect();
        let bearer = Bearer {
            roles: &roles,
            resources: grant.resources(),
        };
        for (index, check) in checks.iter().enumerate() {
            let answer = policy.access(bearer, &check.resource, &check.action);
            let allowed = matches!(answer, Access::Allowed { .. });
            let question = format!("access[{index}] {}:{}", check.resource, check.action);
            self.note(question, json!(check.allowed), json!(allowed));
        }
    }

    fn rows(&mut self, expected: &[ExpectedRows], policy: &PolicySnapshot, grant: &Grant) {
        let claims = TokenClaims {
            roles: grant.roles().iter().map(ToString::to_string).collect(),
            attributes: attributes_of(grant),
        };
        let style = FragmentStyle {
            placeholder: Placeholder::Dollar { first: 1 },
            quote: IdentifierQuote::Ansi,
            alias: None,
        };
        for (index, rows) in expected.iter().enumerate() {
            let field = format!("rows[{index}]");
            let Ok(table) = TableName::parse(rows.schema.as_deref(), &rows.table) else {
                self.note(
                    field,
                    json!(rows.table),
                    json!("this is no name of a table"),
                );
                continue;
            };
            let fragment = where_fragment(policy.row_rules(), &table, &claims, &style);
            self.note(format!("{field}.sql"), json!(rows.sql), json!(fragment.sql));
            if let Some(binds) = &rows.binds {
                self.note(
                    format!("{field}.binds"),
                    json!(binds),
                    json!(fragment.binds),
                );
            }
        }
    }
}

fn attributes_of(grant: &Grant) -> Map<String, Value> {
    let attributes = grant.attributes().iter();
    attributes
        .map(|(name, value)| (name.to_string(), value.to_json()))
        .collect()
}

fn in_words(code: &str, pointer: &str) -> String {
    format!("{code} {pointer}").trim_end().to_owned()
}
