//! What a decision costs by itself, in this process: does it grow with the policy, or with the number of policies?

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use key_admin::KeyCeiling;
use policy::{
    AudienceLimits, Bearer, CompiledCeiling, Decision, GrantRequest, Identifier, PolicyDocument,
    PolicySnapshot, ResourceName,
};
use serde_json::{Value, json};

use crate::output;
use crate::report::spread;
use crate::usage::{REPEAT, nanos_each};

/// Rules in one organization; the last line has many organizations with a small policy each.
const SIZES: [Size; 5] = [
    Size::of(10, 1),
    Size::of(1_000, 1),
    Size::of(10_000, 1),
    Size::of(100_000, 1),
    Size::of(100, 1_000),
];
/// Permissions of one role; a tenth of the roles inherit another one.
const RULES_PER_ROLE: usize = 10;
const LIMITS: AudienceLimits = AudienceLimits {
    default_ttl_seconds: 900,
    max_ttl_seconds: 3600,
};

#[derive(Clone, Copy)]
struct Size {
    rules: usize,
    organizations: usize,
}

impl Size {
    const fn of(rules: usize, organizations: usize) -> Self {
        Self {
            rules,
            organizations,
        }
    }
}

/// The compiled policies of one size, and what is asked of them.
struct Case {
    size: Size,
    compiled_in: Duration,
    policies: Vec<(PolicySnapshot, CompiledCeiling)>,
    requests: Vec<GrantRequest>,
    questions: Vec<(Vec<String>, ResourceName)>,
    view: Identifier,
    /// ns of CPU per decision, and per question about a resource; round by round.
    decide: Vec<f64>,
    access: Vec<f64>,
}

/// Measures and returns the table.
pub(crate) async fn measure(rounds: u32) -> anyhow::Result<String> {
    let mut cases = Vec::new();
    for size in SIZES {
        output::talk(&format!(
            "compiling {} rules for {} organization(s)",
            size.rules, size.organizations
        ));
        cases.push(Case::new(size).await?);
    }
    for case in &mut cases {
        case.round()?;
        (case.decide, case.access) = (Vec::new(), Vec::new());
    }
    for _ in 0..rounds {
        for case in &mut cases {
            case.round()?;
        }
    }
    let mut table = format!(
        "{rounds} rounds of {} s for each figure; ns of CPU: median (lowest to highest)\n\n{:>8} {:>14} {:>14} {:>24} {:>24}",
        REPEAT.as_secs(),
        "rules",
        "organizations",
        "compiled in ms",
        "a token, ns",
        "a resource, ns"
    );
    for case in &cases {
        let _ = write!(
            table,
            "\n{:>8} {:>14} {:>14.1} {:>24} {:>24}",
            case.size.rules,
            case.size.organizations,
            case.compiled_in.as_secs_f64() * 1e3,
            spread(&case.decide, 0),
            spread(&case.access, 0),
        );
    }
    Ok(table)
}

impl Case {
    async fn new(size: Size) -> anyhow::Result<Self> {
        let document: PolicyDocument = serde_json::from_value(document(size.rules))?;
        let roles = size.rules.div_ceil(RULES_PER_ROLE);
        let mut policies = Vec::with_capacity(size.organizations);
        let started = Instant::now();
        for _ in 0..size.organizations {
            let policy = document.compile(1).await?;
            let ceiling = policy.ceiling(&KeyCeiling::default())?;
            policies.push((policy, ceiling));
        }
        let compiled_in = started.elapsed() / u32::try_from(size.organizations)?;
        let asked = (0..64).map(|number| number * 7919 % roles);
        let attributes: Value = json!({ "tenant_id": "t-1", "regions": ["eu", "us"] });
        let attributes = attributes.as_object().context("attributes")?;
        let requests = asked.clone().map(|role| GrantRequest {
            subject: "user-42".to_owned(),
            roles: vec![format!("role-{role}")],
            attributes: attributes.clone(),
            audience: "default".to_owned(),
            ttl_seconds: Some(900),
            resources: Vec::new(),
        });
        let questions = asked.map(|role| {
            let resource = ResourceName::parse(format!("kind-{role}/thing-3-x"));
            Ok((vec![format!("role-{role}")], resource?))
        });
        Ok(Self {
            size,
            compiled_in,
            policies,
            requests: requests.collect(),
            questions: questions.collect::<anyhow::Result<_>>()?,
            view: Identifier::parse("view")?,
            decide: Vec::new(),
            access: Vec::new(),
        })
    }

    fn round(&mut self) -> anyhow::Result<()> {
        let decide = nanos_each(|number| {
            let (policy, ceiling) = &self.policies[number % self.policies.len()];
            let request = self.requests[number % self.requests.len()].clone();
            matches!(
                policy.decide(ceiling, Some(&LIMITS), request),
                Decision::Granted(_)
            )
        })?;
        let access = nanos_each(|number| {
            let (policy, _) = &self.policies[number % self.policies.len()];
            let (roles, resource) = &self.questions[number % self.questions.len()];
            let bearer = Bearer {
                roles,
                resources: &[],
            };
            policy.access(bearer, resource, &self.view).is_allowed()
        })?;
        self.decide.push(decide);
        self.access.push(access);
        Ok(())
    }
}

/// Roles with permissions of every form; the first role of each ten is inherited by the next.
pub(crate) fn document(rules: usize) -> Value {
    let roles = (0..rules.div_ceil(RULES_PER_ROLE)).map(|role| {
        let here = RULES_PER_ROLE.min(rules - role * RULES_PER_ROLE);
        let permissions = (0..here).map(|rule| match rule % 3 {
            0 => json!({ "resource": format!("kind-{role}/thing-{rule}-*"), "action": "view" }),
            1 => json!({ "resource": format!("kind-{role}/item-{rule}"), "action": "edit" }),
            _ => json!({ "resource": format!("other-{role}-{rule}"), "action": "*" }),
        });
        let inherits: Vec<_> = match role % 10 {
            1 => vec![format!("role-{}", role - 1)],
            _ => Vec::new(),
        };
        json!({
            "name": format!("role-{role}"),
            "inherits": inherits,
            "permissions": permissions.collect::<Vec<_>>(),
        })
    });
    json!({
        "roles": roles.collect::<Vec<_>>(),
        "attributes": [
            { "name": "tenant_id", "type": "string", "required": true },
            { "name": "regions", "type": "string", "list": true },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_is_allowed() {
        let case = Case::new(Size::of(1_000, 2)).await.unwrap();
        for (policy, ceiling) in &case.policies {
            for request in &case.requests {
                let decision = policy.decide(ceiling, Some(&LIMITS), request.clone());
                assert!(matches!(decision, Decision::Granted(_)), "{decision:?}");
            }
            for (roles, resource) in &case.questions {
                let bearer = Bearer {
                    roles,
                    resources: &[],
                };
                assert!(policy.access(bearer, resource, &case.view).is_allowed());
            }
        }
    }
}
