//! What one API key may grant under one version of the policy.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::KeyCeiling;

use crate::{
    attributes::{AttributeValue, CompiledAttribute, Scalar},
    decision::{Denial, ReasonCode},
    name::{AttributeName, AudienceName, RoleName},
    snapshot::PolicySnapshot,
};

/// A key's ceiling, checked and with inherited roles filled in, valid for one policy version.
#[derive(Clone, Debug)]
pub struct CompiledCeiling {
    policy_version: i64,
    roles: Limit<RoleName>,
    audiences: Limit<AudienceName>,
    fixed_attributes: BTreeMap<AttributeName, AttributeValue>,
    allowed_attributes: BTreeMap<AttributeName, Vec<Scalar>>,
    max_ttl_seconds: Option<u32>,
}

/// What of its kind a key may grant.
#[derive(Clone, Debug)]
enum Limit<T> {
    Any,
    Only(BTreeSet<T>),
}

impl<T: Ord + std::borrow::Borrow<str>> Limit<T> {
    fn allows(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Why nothing can be granted with a key, whatever is requested. Each becomes a [`Denial`].
#[derive(Debug, thiserror::Error)]
pub enum CeilingError {
    /// The key fixes an attribute that the policy does not declare.
    #[error("this API key fixes an attribute that is not declared")]
    FixedAttributeUndeclared,
    /// The key fixes a value that the attribute's declaration refuses.
    #[error(
        "this API key fixes attribute `{attribute}` to a value that its declaration refuses ({code})"
    )]
    FixedAttributeUnusable {
        /// The attribute.
        attribute: AttributeName,
        /// Why the value is refused.
        code: ReasonCode,
    },
    /// The key limits an attribute that the policy does not declare.
    #[error("this API key allows values of an attribute that is not declared")]
    AllowedAttributeUndeclared,
    /// The key allows a value that the attribute's declaration refuses.
    #[error(
        "this API key allows a value of attribute `{attribute}` that its declaration refuses ({code})"
    )]
    AllowedAttributeUnusable {
        /// The attribute.
        attribute: AttributeName,
        /// Why the value is refused.
        code: ReasonCode,
    },
    /// The key limits an attribute to no value at all.
    #[error("this API key allows no value of attribute `{attribute}`; leave it out to allow all")]
    AllowedAttributeEmpty {
        /// The attribute.
        attribute: AttributeName,
    },
    /// The key fixes an attribute and allows values of it.
    #[error(
        "this API key fixes attribute `{attribute}`, and limits it as well: one of both is enough"
    )]
    FixedAndAllowed {
        /// The attribute.
        attribute: AttributeName,
    },
    /// The key fixes or limits an attribute whose values lists of keys must not show.
    #[error(
        "this API key fixes or limits attribute `{attribute}`, which is sensitive: lists of keys would show its values"
    )]
    SensitiveAttribute {
        /// The attribute.
        attribute: AttributeName,
    },
    /// The key limits lifetimes to nothing.
    #[error("this API key limits the lifetime of tokens to 0 seconds")]
    NoLifetime,
}

impl From<CeilingError> for Denial {
    /// Refuses everything: a key whose limits cannot be understood has none that could be trusted.
    fn from(error: CeilingError) -> Self {
        Self::policy_unusable(format!(
            "The policy cannot decide for this API key: {error}."
        ))
    }
}

impl CompiledCeiling {
    /// The version of the policy it was compiled with.
    pub fn policy_version(&self) -> i64 {
        self.policy_version
    }

    /// Whether the key may put `role` into a token, if the organization has it.
    pub fn allows_role(&self, role: &str) -> bool {
        self.roles.allows(role)
    }

    /// Whether the key may issue for `audience`, if the organization has it.
    pub fn allows_audience(&self, audience: &AudienceName) -> bool {
        self.audiences.allows(audience.as_str())
    }

    /// The values that every token of the key carries.
    pub fn fixed_attributes(&self) -> &BTreeMap<AttributeName, AttributeValue> {
        &self.fixed_attributes
    }

    /// The only values, or items of a list, that a token of the key may carry. Each of these attributes is required.
    pub fn allowed_attributes(&self) -> &BTreeMap<AttributeName, Vec<Scalar>> {
        &self.allowed_attributes
    }

    /// The longest life of a token of the key, in seconds. `None`: the key sets no limit.
    pub fn max_ttl_seconds(&self) -> Option<u32> {
        self.max_ttl_seconds
    }
}

impl PolicySnapshot {
    /// Works out what a key with this ceiling may grant.
    ///
    /// Names in `ceiling` that mean nothing (a role that was deleted since) allow nothing. What cannot be
    /// honoured (a fixed attribute that is undeclared or of another type) is an error, and so a refusal.
    pub fn ceiling(&self, ceiling: &KeyCeiling) -> Result<CompiledCeiling, CeilingError> {
        if ceiling.max_ttl_seconds == Some(0) {
            return Err(CeilingError::NoLifetime);
        }
        Ok(CompiledCeiling {
            policy_version: self.version(),
            roles: match &ceiling.roles {
                None => Limit::Any,
                Some(names) => Limit::Only(self.with_inherited(names)),
            },
            audiences: match &ceiling.audiences {
                None => Limit::Any,
                Some(names) => Limit::Only(audience_names(names).collect()),
            },
            fixed_attributes: self.fixed_attributes(ceiling)?,
            allowed_attributes: self.allowed_attributes(ceiling)?,
            max_ttl_seconds: ceiling.max_ttl_seconds,
        })
    }

    /// Who may grant a role may grant what it inherits.
    fn with_inherited(&self, names: &BTreeSet<String>) -> BTreeSet<RoleName> {
        let roles = names.iter().filter_map(|name| self.role(name));
        roles
            .flat_map(|role| role.lineage.iter().cloned())
            .collect()
    }

    fn fixed_attributes(
        &self,
        ceiling: &KeyCeiling,
    ) -> Result<BTreeMap<AttributeName, AttributeValue>, CeilingError> {
        let mut fixed = BTreeMap::new();
        for (name, json) in &ceiling.fixed_attributes {
            let attribute = self
                .attribute(name)
                .ok_or(CeilingError::FixedAttributeUndeclared)?;
            check_not_sensitive(attribute)?;
            let value =
                attribute
                    .read(json)
                    .map_err(|faults| CeilingError::FixedAttributeUnusable {
                        attribute: attribute.name().clone(),
                        code: faults
                            .first()
                            .map_or(ReasonCode::PolicyUnusable, |fault| fault.code),
                    })?;
            fixed.insert(attribute.name().clone(), value);
        }
        Ok(fixed)
    }

    fn allowed_attributes(
        &self,
        ceiling: &KeyCeiling,
    ) -> Result<BTreeMap<AttributeName, Vec<Scalar>>, CeilingError> {
        let mut limited = BTreeMap::new();
        for (name, values) in &ceiling.allowed_attributes {
            let attribute = self
                .attribute(name)
                .ok_or(CeilingError::AllowedAttributeUndeclared)?;
            check_not_sensitive(attribute)?;
            let name = attribute.name().clone();
            if ceiling.fixed_attributes.contains_key(name.as_str()) {
                return Err(CeilingError::FixedAndAllowed { attribute: name });
            }
            if values.is_empty() {
                return Err(CeilingError::AllowedAttributeEmpty { attribute: name });
            }
            let allowed = values
                .iter()
                .map(|json| attribute.read_item(json))
                .collect();
            let allowed: Result<Vec<_>, _> = allowed;
            let allowed = allowed.map_err(|codes| CeilingError::AllowedAttributeUnusable {
                attribute: name.clone(),
                code: codes.first().copied().unwrap_or(ReasonCode::PolicyUnusable),
            })?;
            limited.insert(name, allowed);
        }
        Ok(limited)
    }
}

fn audience_names(texts: &BTreeSet<String>) -> impl Iterator<Item = AudienceName> {
    texts
        .iter()
        .filter_map(|text| AudienceName::parse(text.as_str()).ok())
}

/// A ceiling is shown by lists of keys and in the audit trail.
fn check_not_sensitive(attribute: &CompiledAttribute) -> Result<(), CeilingError> {
    if attribute.is_sensitive() {
        let attribute = attribute.name().clone();
        return Err(CeilingError::SensitiveAttribute { attribute });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        EngineError, PolicyDocument,
        decision::ReasonKind,
        fault::CompileError,
        testing::{ceiling_of, role, snapshot},
    };

    async fn roles_under(ceiling: serde_json::Value) -> Vec<String> {
        let policy = snapshot(
            vec![
                role("admin", &["editor"]),
                role("editor", &["viewer"]),
                role("viewer", &[]),
                role("auditor", &[]),
            ],
            json!([]),
        )
        .await;
        let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
        let allowed = policy
            .role_names()
            .filter(|name| ceiling.allows_role(name.as_str()));
        allowed.map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_ceiling_allows_the_roles_it_lists_and_what_they_inherit() {
        assert_eq!(
            roles_under(json!({"roles": ["editor"]})).await,
            ["editor", "viewer"]
        );
        assert_eq!(
            roles_under(json!({})).await,
            ["admin", "auditor", "editor", "viewer"]
        );
    }

    #[tokio::test]
    async fn a_ceiling_that_lists_nothing_real_allows_nothing() {
        for roles in [
            json!([]),
            json!(["ghost"]),
            json!(["*", "role:*", "", "Editor", "role:editor"]),
        ] {
            assert_eq!(
                roles_under(json!({"roles": roles})).await,
                [""; 0],
                "{roles}"
            );
        }
    }

    #[tokio::test]
    async fn audiences_are_any_or_the_listed_ones() {
        let policy = snapshot(vec![role("viewer", &[])], json!([])).await;
        let analytics = AudienceName::parse("analytics").unwrap();
        let table = [
            (json!({}), true),
            (json!({"audiences": ["analytics"]}), true),
            (json!({"audiences": ["default"]}), false),
            (json!({"audiences": []}), false),
            (
                json!({"audiences": ["*", "audience:*", "audience:analytics"]}),
                false,
            ),
        ];
        for (ceiling, expected) in table {
            let compiled = policy.ceiling(&ceiling_of(ceiling.clone())).unwrap();
            assert_eq!(compiled.allows_audience(&analytics), expected, "{ceiling}");
        }
    }

    #[tokio::test]
    async fn the_deepest_role_is_within_reach_of_a_key() {
        let names: Vec<_> = (0..=9).map(|index| format!("r{index}")).collect();
        let roles = names.iter().enumerate().map(|(index, name)| {
            role(
                name,
                &names
                    .get(index + 1)
                    .map(String::as_str)
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
        });
        let policy = snapshot(roles.collect(), json!([])).await;
        let compiled = policy
            .ceiling(&ceiling_of(json!({"roles": ["r0"]})))
            .unwrap();
        assert!(compiled.allows_role("r9"));
    }

    #[tokio::test]
    async fn a_ceiling_that_cannot_be_honoured_refuses_everything() {
        let declared = json!([
            {"name": "level", "type": "integer"},
            {"name": "secret", "type": "string", "sensitive": true},
        ]);
        let policy = snapshot(vec![role("viewer", &[])], declared).await;
        let bad = [
            json!({"fixed_attributes": {"tenant_id": "t-1"}}),
            json!({"fixed_attributes": {"level": "1"}}),
            json!({"fixed_attributes": {"level": null}}),
            json!({"allowed_attributes": {"tenant_id": ["t-1"]}}),
            json!({"allowed_attributes": {"level": []}}),
            json!({"allowed_attributes": {"level": [1, "2"]}}),
            json!({"allowed_attributes": {"level": [[1]]}}),
            json!({"fixed_attributes": {"level": 1}, "allowed_attributes": {"level": [1]}}),
            json!({"max_ttl_seconds": 0}),
            json!({"fixed_attributes": {"secret": "s-1"}}),
            json!({"allowed_attributes": {"secret": ["s-1"]}}),
        ];
        for ceiling in bad {
            let error = policy.ceiling(&ceiling_of(ceiling.clone())).unwrap_err();
            let denial = Denial::from(error);
            let codes: Vec<_> = denial.reasons().iter().map(|reason| reason.code).collect();
            assert_eq!(codes, [ReasonCode::PolicyUnusable], "{ceiling}");
        }
    }

    #[tokio::test]
    async fn a_policy_can_be_compiled_on_any_thread() {
        fn any_thread<T: Send>(work: T) -> T {
            work
        }
        let work = any_thread(PolicySnapshot::compile(1, PolicyDocument::default()));
        assert_eq!(work.await.unwrap().version(), 1);
    }

    #[test]
    fn an_error_of_the_engine_is_a_denial() {
        let denial = Denial::from(CompileError::from(EngineError::RulesLost));
        assert_eq!(denial.kind(), ReasonKind::Internal);
        let denial = Denial::from(CeilingError::NoLifetime);
        assert_eq!(denial.kind(), ReasonKind::Internal);
    }
}
