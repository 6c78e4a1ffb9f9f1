//! One version of an organization's policy, compiled once and then only read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    PolicyDocument,
    access::OwnPermissions,
    attributes::{AttributeDeclaration, AttributeValue, CompiledAttribute},
    casbin_engine::{Engine, Entity, Rules},
    defaults::Defaults,
    fault::{
        CompileError, MAX_ATTRIBUTES, MAX_AUDIENCES, MAX_LINKS, MAX_PERMISSIONS, MAX_ROLES,
        PolicyFault, is_description,
    },
    name::{AttributeName, AudienceName, RoleName},
    roles::{Role, inheritance_faults},
    row_rules::{CompiledRowRules, RowRule, RowRuleDeclarations},
};

/// A policy ready to decide with. Immutable: a change makes a new snapshot with a new version.
#[derive(Clone, Debug)]
pub struct PolicySnapshot {
    version: i64,
    roles: BTreeMap<RoleName, CompiledRole>,
    attributes: BTreeMap<AttributeName, CompiledAttribute>,
    row_rules: Arc<CompiledRowRules>,
}

/// A role with all it inherits worked out.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRole {
    pub(crate) name: RoleName,
    /// Itself and every role it inherits, however far up.
    pub(crate) lineage: BTreeSet<RoleName>,
    /// What each role of the lineage allows and denies by itself.
    pub(crate) family: Vec<Arc<OwnPermissions>>,
    /// Its own and inherited.
    pub(crate) required_attributes: BTreeSet<AttributeName>,
    /// What its own and the inherited limits have in common.
    pub(crate) audiences: Option<BTreeSet<AudienceName>>,
    /// Its own, or else the shortest that its parents give.
    pub(crate) default_ttl_seconds: Option<u32>,
    /// The shortest of its own and the inherited.
    pub(crate) max_ttl_seconds: Option<u32>,
    /// Its own values of attributes, or else what its parents give.
    pub(crate) defaults: BTreeMap<AttributeName, AttributeValue>,
}

impl PolicySnapshot {
    /// Checks a policy as a whole and compiles it; a wrong one is refused with all its faults.
    ///
    /// casbin is asked here what each role inherits, and for every rule it holds. The work grows with the number of
    /// rules; a decision's does not.
    pub async fn compile(version: i64, document: PolicyDocument) -> Result<Self, CompileError> {
        let mut faults = size_faults(&document);
        if !faults.is_empty() {
            return Err(CompileError::Faults(faults));
        }
        let attributes = compile_attributes(document.attributes, &mut faults);
        let roles = check_roles(document.roles, &attributes, &mut faults);
        check_references(&attributes, &roles, &mut faults);
        if !faults.is_empty() {
            return Err(CompileError::Faults(faults));
        }
        let attributes = attributes
            .into_iter()
            .filter_map(|(name, it)| Some((name, it?)))
            .collect();
        let engine = Engine::load_permissions(rules_of(&roles)).await?;
        let roles = compile_roles(&roles, &attributes, &engine)?;
        let row_rules = compile_row_rules(&document.row_rules, &roles, &attributes)?;
        Ok(Self {
            version,
            roles,
            attributes,
            row_rules: Arc::new(row_rules),
        })
    }

    /// The same policy as the store counts it.
    #[must_use]
    pub(crate) fn with_version(self, version: i64) -> Self {
        Self { version, ..self }
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

    /// Whether values of this attribute are kept from logs, the audit trail and lists. What is not declared (any more)
    /// is: better hidden than shown.
    pub fn is_sensitive(&self, attribute: &str) -> bool {
        self.attribute(attribute)
            .is_none_or(CompiledAttribute::is_sensitive)
    }

    /// A value of an attribute, or an item of its list, as tokens carry it: normalized as it is declared. Whether it is
    /// an allowed one, or fits the pattern, does not matter. `None`: the attribute is not declared, or has values of
    /// another type.
    pub fn as_carried(&self, attribute: &str, value: &Value) -> Option<Value> {
        let carried = self.attribute(attribute)?.as_carried(value)?;
        Some(carried.to_json())
    }

    /// Which of these attributes are sensitive.
    pub(crate) fn sensitive_among<'a>(
        &self,
        attributes: impl Iterator<Item = &'a AttributeName>,
    ) -> BTreeSet<AttributeName> {
        attributes
            .filter(|name| self.is_sensitive(name.as_str()))
            .cloned()
            .collect()
    }

    /// Which rows of which tables a token may see.
    pub fn row_rules(&self) -> &CompiledRowRules {
        &self.row_rules
    }

    pub(crate) fn role(&self, name: &str) -> Option<&CompiledRole> {
        self.roles.get(name)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&CompiledAttribute> {
        self.attributes.get(name)
    }
}

/// What is too much of it all. Nothing else is looked at then: the work would be too much as well.
fn size_faults(document: &PolicyDocument) -> Vec<PolicyFault> {
    let mut faults = Vec::new();
    let roles = &document.roles;
    let count = roles.len();
    if count > MAX_ROLES {
        faults.push(PolicyFault::TooManyRoles { count });
    }
    let count = roles.iter().map(|it| it.permissions.len()).sum();
    if count > MAX_PERMISSIONS {
        faults.push(PolicyFault::TooManyPermissions { count });
    }
    let count = roles.iter().map(|it| it.inherits.len()).sum();
    if count > MAX_LINKS {
        faults.push(PolicyFault::TooManyLinks { count });
    }
    let count = document.attributes.len();
    if count > MAX_ATTRIBUTES {
        faults.push(PolicyFault::TooManyAttributes { count });
    }
    faults
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
        let lifetimes = [
            ("max_ttl_seconds", role.max_ttl_seconds),
            ("default_ttl_seconds", role.default_ttl_seconds),
        ];
        for (field, _) in lifetimes.into_iter().filter(|it| it.1 == Some(0)) {
            let role = role.name.clone();
            faults.push(PolicyFault::NoLifetime { role, field });
        }
        let name = || role.name.clone();
        if !is_description(&role.description) {
            faults.push(PolicyFault::RoleDescription { role: name() });
        }
        match role.audiences.as_ref().map(BTreeSet::len) {
            Some(0) => faults.push(PolicyFault::NoAudiences { role: name() }),
            Some(count) if count > MAX_AUDIENCES => {
                let role = name();
                faults.push(PolicyFault::TooManyAudiences { role, count });
            }
            _ => {}
        }
        if let Some(earlier) = roles.insert(role.name.clone(), role) {
            faults.push(PolicyFault::DuplicateRole { role: earlier.name });
        }
    }
    faults.extend(inheritance_faults(&roles));
    roles
}

/// What attributes say of each other and of roles.
fn check_references(
    attributes: &Attributes,
    roles: &BTreeMap<RoleName, Role>,
    faults: &mut Vec<PolicyFault>,
) {
    for attribute in attributes.values().flatten() {
        for other in attribute.requires() {
            if !attributes.contains_key(other) {
                let (attribute, other) = (attribute.name().clone(), other.clone());
                faults.push(PolicyFault::UnknownRequirement { attribute, other });
            }
        }
        for role in attribute.roles_with_default() {
            if !roles.contains_key(role) {
                let (attribute, role) = (attribute.name().clone(), role.clone());
                faults.push(PolicyFault::UnknownRoleOfDefault { attribute, role });
            }
        }
    }
}

fn rules_of(declared: &BTreeMap<RoleName, Role>) -> Rules {
    let mut rules = Rules::default();
    for role in declared.values() {
        for permission in &role.permissions {
            rules.permission(&role.name, permission);
        }
        for parent in &role.inherits {
            rules.link(Entity::Role(&role.name), Entity::Role(parent));
        }
    }
    rules
}

fn compile_roles(
    declared: &BTreeMap<RoleName, Role>,
    attributes: &BTreeMap<AttributeName, CompiledAttribute>,
    engine: &Engine,
) -> Result<BTreeMap<RoleName, CompiledRole>, CompileError> {
    let permissions: BTreeMap<RoleName, Arc<OwnPermissions>> = engine
        .permissions()?
        .into_iter()
        .map(|(role, permissions)| (role, Arc::new(OwnPermissions::new(permissions))))
        .collect();
    let defaults = Defaults::new(declared, attributes)?;
    let mut compiled = BTreeMap::new();
    for role in declared.values() {
        let mut lineage = engine.inherited_roles(&role.name)?;
        lineage.insert(role.name.clone());
        let family = || lineage.iter().filter_map(|name| declared.get(name));
        let limits = family().filter_map(|it| it.audiences.clone());
        let required = family().flat_map(|it| it.required_attributes.clone());
        let role = CompiledRole {
            name: role.name.clone(),
            family: lineage
                .iter()
                .filter_map(|name| permissions.get(name).cloned())
                .collect(),
            required_attributes: required.collect(),
            audiences: limits.reduce(|all, it| all.intersection(&it).cloned().collect()),
            default_ttl_seconds: defaults.ttl(role),
            max_ttl_seconds: family().filter_map(|it| it.max_ttl_seconds).min(),
            defaults: defaults.attributes(role),
            lineage,
        };
        compiled.insert(role.name.clone(), role);
    }
    Ok(compiled)
}

fn compile_row_rules(
    rules: &[RowRule],
    roles: &BTreeMap<RoleName, CompiledRole>,
    attributes: &BTreeMap<AttributeName, CompiledAttribute>,
) -> Result<CompiledRowRules, CompileError> {
    let mut declarations = RowRuleDeclarations::default();
    // Working out who inherits what backwards is only worth it where somebody asks.
    if !rules.is_empty() {
        for role in roles.values() {
            for inherited in &role.lineage {
                let heirs = declarations.roles.entry(inherited.clone()).or_default();
                heirs.insert(role.name.clone());
            }
        }
        let kinds = attributes.values().map(|it| (it.name().clone(), it.kind()));
        declarations.attributes = kinds.collect();
    }
    CompiledRowRules::compile(rules, &declarations).map_err(|faults| {
        let faults = faults.into_iter().map(PolicyFault::RowRule);
        CompileError::Faults(faults.collect())
    })
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
