//! A grant whose `scope` claim says less than its roles allow.
//!
//! Only resource servers that go by the claim hold its bearer to it: whoever decides by roles, such as
//! `POST /v1/authorize`, does not read it.

use std::collections::BTreeSet;

use super::grant::Grant;
use crate::permissions::RolePermission;

/// Values of a wanted scope are not among what the roles allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the roles do not allow everything in the wanted scope")]
pub struct ScopeNotGranted {
    /// Their places in the wanted scope, from 0. Never empty.
    pub places: Vec<usize>,
}

impl Grant {
    /// Does the scope say less than the roles allow?
    pub fn is_scope_narrowed(&self) -> bool {
        self.scope_narrowed
    }

    /// The same grant with this scope, of which each value must be covered by one that is granted: `dashboard:view`
    /// covers `dashboard/sales:view`.
    pub fn narrowed_to_scope(self, wanted: &[String]) -> Result<Self, ScopeNotGranted> {
        let granted = read(&self.scope);
        let is_granted = |text: &String| {
            RolePermission::from_scope(text)
                .is_some_and(|wanted| granted.iter().any(|granted| granted.covers(&wanted)))
        };
        let places = wanted.iter().enumerate();
        let places = places.filter(|(_, text)| !is_granted(text));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        if places.is_empty() {
            Ok(self.with_scope(wanted.iter().cloned().collect()))
        } else {
            Err(ScopeNotGranted { places })
        }
    }

    /// The same grant with what its scope and this one have in common.
    #[must_use]
    pub fn within_scope(self, limit: &[String]) -> Self {
        let (granted, limit) = (read(&self.scope), read(limit));
        let within =
            |one: &RolePermission, all: &[RolePermission]| all.iter().any(|it| it.covers(one));
        let mut common: Vec<&RolePermission> = Vec::new();
        common.extend(granted.iter().filter(|it| within(it, &limit)));
        let kept = common.len();
        for value in limit.iter().filter(|it| within(it, &granted)) {
            if !common[..kept].iter().any(|it| it.covers(value)) {
                common.push(value);
            }
        }
        let common = common.iter().map(ToString::to_string).collect();
        self.with_scope(common)
    }

    fn with_scope(mut self, scope: BTreeSet<String>) -> Self {
        let scope: Vec<String> = scope.into_iter().collect();
        self.scope_narrowed |= scope != self.scope;
        self.scope = scope;
        self
    }
}

fn read(scope: &[String]) -> Vec<RolePermission> {
    let values = scope.iter();
    values
        .filter_map(|text| RolePermission::from_scope(text))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{decide, granted, role_from, snapshot};

    async fn grant() -> Grant {
        let role = role_from(json!({"name": "editor", "permissions": [
            {"resource": "dashboard", "action": "view"},
            {"resource": "chart/eu-*", "action": "*"},
        ]}));
        let policy = snapshot(vec![role], json!([])).await;
        let body = json!({"user": {"roles": ["editor"]}});
        granted(decide(&policy, json!({}), &body).await)
    }

    fn scope(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[tokio::test]
    async fn a_scope_is_narrowed_to_what_is_covered() {
        for (wanted, narrowed) in [
            ("chart/eu-*:* dashboard:view", false),
            ("dashboard:view chart/eu-*:*", false),
            ("dashboard:view", true),
            ("dashboard/sales:view chart/eu-1:edit", true),
            ("", true),
        ] {
            let grant = grant().await.narrowed_to_scope(&scope(wanted)).unwrap();
            let mut wanted = scope(wanted);
            wanted.sort();
            assert_eq!(grant.scope(), wanted);
            assert_eq!(grant.is_scope_narrowed(), narrowed, "{wanted:?}");
        }
    }

    #[tokio::test]
    async fn a_scope_is_never_widened() {
        for wider in [
            "dashboard:*",
            "*:view",
            "chart:view",
            "chart/*:view",
            "dashboards:view",
            "openid",
            "dashboard:View",
        ] {
            let wanted = ["dashboard:view".to_owned(), wider.to_owned()];
            let refused = grant().await.narrowed_to_scope(&wanted).unwrap_err();
            assert_eq!(refused.places, [1], "{wider}");
        }
    }

    #[tokio::test]
    async fn two_scopes_have_in_common_what_both_cover() {
        for (limit, common) in [
            ("chart/eu-*:* dashboard:view", "chart/eu-*:* dashboard:view"),
            ("*:*", "chart/eu-*:* dashboard:view"),
            ("*:* dashboard/x:view", "chart/eu-*:* dashboard:view"),
            ("dashboard/x:view report:view", "dashboard/x:view"),
            ("chart:view", ""),
            ("chart/eu-1:*", "chart/eu-1:*"),
            ("nonsense", ""),
            ("", ""),
        ] {
            let grant = grant().await.within_scope(&scope(limit));
            assert_eq!(grant.scope(), scope(common), "{limit}");
        }
    }
}
