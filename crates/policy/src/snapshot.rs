//! One version of an organization's policy, compiled once and then only read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    attributes::{AttributeDeclaration, CompiledAttribute},
    casbin_engine::{Act, Engine, Entity, Rules},
    fault::{CompileError, PolicyFault},
    name::{AttributeName, RoleName},
    roles::{Role, inheritance_faults},
};

/// A policy ready to decide with. Immutable: a change makes a new snapshot with a new version.
#[derive(Clone, Debug)]
pub struct PolicySnapshot {
    version: i64,
    roles: BTreeMap<RoleName, CompiledRole>,
    attributes: BTreeMap<AttributeName, CompiledAttribute>,
}

/// A role with all it inherits worked out.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRole {
    pub(crate) name: RoleName,
    /// The roles it names as its parents.
    inherits: BTreeSet<RoleName>,
    /// `resource:action`, its own and inherited.
    pub(crate) scope: BTreeSet<String>,
    /// Its own and inherited.
    pub(crate) required_attributes: BTreeSet<AttributeName>,
    /// The shortest of its own and the inherited.
    pub(crate) max_ttl_seconds: Option<u32>,
}

impl PolicySnapshot {
    /// Checks a policy as a whole and compiles it; a wrong one is refused with all its faults.
    ///
    /// casbin is asked here, once per role, for what the role inherits and may do. The work grows with the
    /// number of roles times the number of permissions.
    pub async fn compile(
        version: i64,
        roles: Vec<Role>,
        attributes: Vec<AttributeDeclaration>,
    ) -> Result<Self, CompileError> {
        let mut faults = Vec::new();
        let attributes = compile_attributes(attributes, &mut faults);
        let roles = check_roles(roles, &attributes, &mut faults);
        if !faults.is_empty() {
            return Err(CompileError::Faults(faults));
        }
        let engine = Engine::load(rules_of(&roles)).await?;
        let mut compiled = BTreeMap::new();
        for role in roles.values() {
            compiled.insert(role.name.clone(), compile_role(role, &roles, &engine)?);
        }
        let attributes = attributes
            .into_iter()
            .filter_map(|(name, it)| Some((name, it?)))
            .collect();
        Ok(Self {
            version,
            roles: compiled,
            attributes,
        })
    }

    /// The version of the policy, as the store counts it.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The names of all declared roles, sorted.
    pub fn role_names(&self) -> impl Iterator<Item = &RoleName> {
        self.roles.keys()
    }

    /// The attributes that every token must carry, whatever its roles; sorted.
    pub fn required_attributes(&self) -> impl Iterator<Item = &AttributeName> {
        self.attributes
            .values()
            .filter(|it| it.is_required())
            .map(CompiledAttribute::name)
    }

    pub(crate) fn role(&self, name: &str) -> Option<&CompiledRole> {
        self.roles.get(name)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&CompiledAttribute> {
        self.attributes.get(name)
    }

    /// Adds the links "inherits" between all roles.
    pub(crate) fn link_inheritance(&self, rules: &mut Rules) {
        for role in self.roles.values() {
            for parent in &role.inherits {
                rules.link(Entity::Role(&role.name), Entity::Role(parent));
            }
        }
    }
}

/// Attributes by name; a faulty one keeps its name, so that a role that requires it is not blamed too.
type Attributes = BTreeMap<AttributeName, Option<CompiledAttribute>>;

fn compile_attributes(
    declarations: Vec<AttributeDeclaration>,
    faults: &mut Vec<PolicyFault>,
) -> Attributes {
    let mut attributes = BTreeMap::new();
    for declaration in declarations {
        let name = declaration.name.clone();
        let compiled = CompiledAttribute::new(declaration).map_err(|found| {
            faults.extend(found.into_iter().map(|fault| PolicyFault::Attribute {
                attribute: name.clone(),
                fault,
            }));
        });
        if attributes.insert(name.clone(), compiled.ok()).is_some() {
            faults.push(PolicyFault::DuplicateAttribute { attribute: name });
        }
    }
    attributes
}

fn check_roles(
    declared: Vec<Role>,
    attributes: &Attributes,
    faults: &mut Vec<PolicyFault>,
) -> BTreeMap<RoleName, Role> {
    let mut roles = BTreeMap::new();
    for role in declared {
        for attribute in &role.required_attributes {
            if !attributes.contains_key(attribute) {
                let (role, attribute) = (role.name.clone(), attribute.clone());
                faults.push(PolicyFault::UnknownRequiredAttribute { role, attribute });
            }
        }
        if role.max_ttl_seconds == Some(0) {
            faults.push(PolicyFault::NoLifetime {
                role: role.name.clone(),
            });
        }
        if let Some(earlier) = roles.insert(role.name.clone(), role) {
            faults.push(PolicyFault::DuplicateRole { role: earlier.name });
        }
    }
    faults.extend(inheritance_faults(&roles));
    roles
}

fn rules_of(declared: &BTreeMap<RoleName, Role>) -> Rules {
    let mut rules = Rules::default();
    for role in declared.values() {
        let subject = Entity::Role(&role.name);
        for permission in &role.permissions {
            let object = Entity::Resource(&permission.resource);
            rules.allow(subject, Act::Perform(&permission.action), object);
        }
        for parent in &role.inherits {
            rules.link(subject, Entity::Role(parent));
        }
    }
    rules
}

fn compile_role(
    role: &Role,
    roles: &BTreeMap<RoleName, Role>,
    engine: &Engine,
) -> Result<CompiledRole, CompileError> {
    let inherited = engine.inherited_roles(&role.name)?;
    let permissions = engine.permissions(&role.name)?;
    let family = || {
        inherited
            .iter()
            .filter_map(|name| roles.get(name))
            .chain([role])
    };
    Ok(CompiledRole {
        name: role.name.clone(),
        inherits: role.inherits.clone(),
        scope: permissions.iter().map(ToString::to_string).collect(),
        required_attributes: family()
            .flat_map(|it| it.required_attributes.clone())
            .collect(),
        max_ttl_seconds: family().filter_map(|it| it.max_ttl_seconds).min(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        attributes::DeclarationFault,
        testing::{attribute, role, role_from, snapshot},
    };

    #[tokio::test]
    async fn a_role_includes_all_that_it_inherits() {
        let policy = snapshot(
            vec![
                role_from(json!({
                    "name": "admin", "inherits": ["editor"], "max_ttl_seconds": 900,
                    "permissions": [{"resource": "user", "action": "manage"}],
                })),
                role_from(json!({
                    "name": "editor", "inherits": ["viewer"], "required_attributes": ["regions"],
                    "permissions": [{"resource": "dashboard", "action": "edit"}],
                })),
                role_from(json!({
                    "name": "viewer", "max_ttl_seconds": 300, "required_attributes": ["tenant_id"],
                    "permissions": [{"resource": "dashboard", "action": "view"}],
                })),
            ],
            json!([
                {"name": "tenant_id", "type": "string"},
                {"name": "regions", "type": "string", "list": true},
            ]),
        )
        .await;
        let admin = policy.role("admin").unwrap();
        let scope: Vec<_> = admin.scope.iter().collect();
        assert_eq!(scope, ["dashboard:edit", "dashboard:view", "user:manage"]);
        let required: Vec<_> = admin
            .required_attributes
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(required, ["regions", "tenant_id"]);
        assert_eq!(admin.max_ttl_seconds, Some(300));
        let viewer: Vec<_> = policy.role("viewer").unwrap().scope.iter().collect();
        assert_eq!(viewer, ["dashboard:view"]);
    }

    #[tokio::test]
    async fn a_wrong_policy_is_refused_with_all_its_faults() {
        let roles = vec![
            role("viewer", &[]),
            role("viewer", &[]),
            role("a", &["b"]),
            role("b", &["a"]),
            role("c", &["ghost"]),
            role_from(
                json!({"name": "d", "max_ttl_seconds": 0, "required_attributes": ["level", "nope"]}),
            ),
        ];
        let level = attribute(json!({"name": "level", "type": "integer", "pattern": "1"}));
        let size = attribute(json!({"name": "size", "type": "integer"}));
        let attributes = vec![level, size.clone(), size];
        let error = PolicySnapshot::compile(1, roles, attributes)
            .await
            .unwrap_err();
        let CompileError::Faults(faults) = error else {
            panic!("{error}")
        };
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "attribute `level`: `pattern` is only possible for strings",
                "attribute `size` is declared twice",
                "role `viewer` is declared twice",
                "role `d` requires attribute `nope`, which is not declared",
                "role `d` has a `max_ttl_seconds` of 0; it must be at least 1",
                "role `c` inherits `ghost`, which is not declared",
                "role `a` is part of, or inherits from, a cycle of roles",
                "role `b` is part of, or inherits from, a cycle of roles",
            ]
        );
        assert!(matches!(
            &faults[..1],
            [PolicyFault::Attribute {
                fault: DeclarationFault::PatternNotForType,
                ..
            }]
        ));
    }

    #[tokio::test]
    async fn an_empty_policy_compiles_and_allows_nothing() {
        let policy = snapshot(vec![], json!([])).await;
        assert_eq!(policy.role_names().count(), 0);
        let ceiling = policy
            .ceiling("k1", &key_admin::KeyCeiling::default())
            .await
            .unwrap();
        assert!(ceiling.roles().is_empty());
    }
}
