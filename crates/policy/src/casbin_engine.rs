//! casbin, and everything that only casbin's users need to know.
//!
//! casbin is the authority on inheritance, on what a role may do, and on what a caller of the API may. It is asked when
//! a [policy](crate::PolicySnapshot) is compiled and when the server starts; its answers are kept as plain maps, so no
//! request waits for it. An enforcer is built from [`Rules`], asked, and dropped: it is never changed while in use, and
//! an error is never taken for an answer.
//!
//! Whatever casbin compares is a text made by [`Entity`] or [`Act`] alone: each starts with its type, so a permission
//! named like a role is not that role, and none is ever blank, which an enforcer without rules would allow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter, RbacApi};

use key_admin::{Permission, users::UserRole};

use crate::{
    name::RoleName,
    operations::Operation,
    permissions::{ActionPattern, Effect, ResourcePattern, RolePermission, SimplePattern},
    roles::MAX_INHERITANCE_DEPTH,
};

/// A subject has the rights of what it inherits.
const MODEL: &str = "
[request_definition]
r = sub, act, obj

[policy_definition]
p = sub, act, obj, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.act == p.act && g(r.sub, p.sub) && r.obj == p.obj
";

/// The same for what roles may do to resources: the columns of a rule are patterns of [`SimplePattern`].
const PERMISSION_MODEL: &str = "
[request_definition]
r = sub, act, obj

[policy_definition]
p = sub, act, obj, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = g(r.sub, p.sub) && keyMatch(r.act, p.act) && keyMatch(r.obj, p.obj)
";

/// How many links `g` follows before it answers "no" without a word. An [`Enforcer`] asks for ten levels, and
/// casbin counts the start as one of them (where paths branch it follows more, which is nothing to rely on).
const CASBIN_REACH: usize = 9;

const _: () = assert!(MAX_INHERITANCE_DEPTH <= CASBIN_REACH);

const ROLE: &str = "role:";
const RESOURCE: &str = "resource:";
const PERFORM: &str = "perform:";
const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// Who or what a rule is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entity<'a> {
    /// A role.
    Role(&'a RoleName),
    /// Resources, as a rule names them.
    Resources(&'a SimplePattern<'a>),
    /// A permission of the API.
    Permission(Permission),
    /// An operation of the API.
    Operation(Operation),
    /// The role of a user of the console.
    UserRole(UserRole),
}

/// What a rule allows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    /// Actions on a resource, as a rule names them.
    Perform(&'a ActionPattern),
    /// Doing an operation of the API.
    Call,
    /// Having a permission.
    Hold,
}

impl fmt::Display for Entity<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(formatter, "{ROLE}{name}"),
            Self::Resources(SimplePattern::Is(text)) => write!(formatter, "{RESOURCE}{text}"),
            Self::Resources(SimplePattern::BeginsWith(text)) => {
                write!(formatter, "{RESOURCE}{text}*")
            }
            Self::Permission(permission) => write!(formatter, "permission:{permission}"),
            Self::Operation(operation) => write!(formatter, "operation:{}", operation.id()),
            Self::UserRole(role) => write!(formatter, "user-role:{role}"),
        }
    }
}

impl fmt::Display for Act<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Perform(action) => write!(formatter, "{PERFORM}{action}"),
            Self::Call => formatter.write_str("call"),
            Self::Hold => formatter.write_str("hold"),
        }
    }
}

/// Why casbin gave no answer. Never read as "no", and above all never as "yes".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// casbin itself failed.
    #[error("the decision engine failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// casbin did not take the rules, or has others than it was given.
    #[error("the decision engine does not hold the rules it was given")]
    RulesLost,
    /// Enforcement is off, so that casbin would allow everything.
    #[error("the decision engine is switched off")]
    SwitchedOff,
}

fn failed(error: casbin::Error) -> EngineError {
    EngineError::Failed(Box::new(error))
}

/// What an [`Engine`] shall hold. Each rule has all four columns of the model, by construction.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    stated: BTreeSet<Vec<String>>,
    links: BTreeSet<Vec<String>>,
}

impl Rules {
    /// `subject` may do `act` to `object`.
    pub(crate) fn allow(&mut self, subject: Entity<'_>, act: Act<'_>, object: Entity<'_>) {
        self.state(subject, act, object, ALLOW);
    }

    /// The role may, or may not, do what the permission says.
    pub(crate) fn permission(&mut self, role: &RoleName, permission: &RolePermission) {
        let effect = match permission.effect {
            Effect::Allow => ALLOW,
            Effect::Deny => DENY,
        };
        let act = Act::Perform(&permission.action);
        for simple in permission.resource.simple() {
            self.state(Entity::Role(role), act, Entity::Resources(&simple), effect);
        }
    }

    fn state(&mut self, subject: Entity<'_>, act: Act<'_>, object: Entity<'_>, effect: &str) {
        let (subject, act, object) = (subject.to_string(), act.to_string(), object.to_string());
        self.stated
            .insert(vec![subject, act, object, effect.to_owned()]);
    }

    /// `lower` is a role that `upper` inherits.
    pub(crate) fn link(&mut self, upper: Entity<'_>, lower: Entity<'_>) {
        self.links
            .insert(vec![upper.to_string(), lower.to_string()]);
    }
}

/// An enforcer with its rules.
pub(crate) struct Engine {
    enforcer: Enforcer,
}

impl Engine {
    /// Builds an enforcer. The rules go in as values, never as text to be parsed.
    pub(crate) async fn load(rules: Rules) -> Result<Self, EngineError> {
        Self::build(MODEL, rules).await
    }

    /// The same for rules about what roles may do to resources.
    pub(crate) async fn load_permissions(rules: Rules) -> Result<Self, EngineError> {
        Self::build(PERMISSION_MODEL, rules).await
    }

    async fn build(model: &str, rules: Rules) -> Result<Self, EngineError> {
        let model = DefaultModel::from_str(model).await.map_err(failed)?;
        let mut enforcer = Enforcer::new(model, NullAdapter).await.map_err(failed)?;
        let (stated, links) = (Vec::from_iter(rules.stated), Vec::from_iter(rules.links));
        let took_rules = enforcer.add_policies(stated).await.map_err(failed)?;
        let took_links = enforcer
            .add_grouping_policies(links)
            .await
            .map_err(failed)?;
        if took_rules && took_links {
            Ok(Self { enforcer })
        } else {
            Err(EngineError::RulesLost)
        }
    }

    /// Whether `subject` may do `act` to `object`.
    pub(crate) fn allows(
        &self,
        subject: Entity<'_>,
        act: Act<'_>,
        object: Entity<'_>,
    ) -> Result<bool, EngineError> {
        if !self.enforcer.is_enabled() {
            return Err(EngineError::SwitchedOff);
        }
        let question = (subject.to_string(), act.to_string(), object.to_string());
        self.enforcer.enforce(question).map_err(failed)
    }

    /// Every role that `role` inherits, without itself.
    pub(crate) fn inherited_roles(
        &self,
        role: &RoleName,
    ) -> Result<BTreeSet<RoleName>, EngineError> {
        let role = Entity::Role(role).to_string();
        let texts = self.enforcer.get_implicit_roles_for_user(&role, None);
        texts
            .iter()
            .map(|text| parse(ROLE, text, RoleName::parse))
            .collect()
    }

    /// What each role may or may not do by itself, as casbin holds it.
    pub(crate) fn permissions(
        &self,
    ) -> Result<BTreeMap<RoleName, BTreeSet<RolePermission>>, EngineError> {
        let mut texts: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for rule in self.enforcer.get_policy() {
            let [role, act, object, effect] = rule.as_slice() else {
                return Err(EngineError::RulesLost);
            };
            let about = (
                parse(ROLE, role, RoleName::parse)?,
                parse(PERFORM, act, ActionPattern::parse)?,
                effect_of(effect)?,
            );
            let object = object
                .strip_prefix(RESOURCE)
                .ok_or(EngineError::RulesLost)?;
            texts.entry(about).or_default().insert(object.to_owned());
        }
        let mut permissions: BTreeMap<RoleName, BTreeSet<RolePermission>> = BTreeMap::new();
        for ((role, action, effect), objects) in texts {
            for resource in whole_patterns(&objects)? {
                let action = action.clone();
                let permission = RolePermission {
                    resource,
                    action,
                    effect,
                };
                permissions
                    .entry(role.clone())
                    .or_default()
                    .insert(permission);
            }
        }
        Ok(permissions)
    }
}

fn effect_of(text: &str) -> Result<Effect, EngineError> {
    match text {
        ALLOW => Ok(Effect::Allow),
        DENY => Ok(Effect::Deny),
        _ => Err(EngineError::RulesLost),
    }
}

/// Undoes [`ResourcePattern::simple`]: a kind is stated as itself and as all that begins with it and a slash.
fn whole_patterns(objects: &BTreeSet<String>) -> Result<Vec<ResourcePattern>, EngineError> {
    let mut patterns = Vec::new();
    for object in objects {
        let kind_below = object.strip_suffix("/*");
        if kind_below.is_some_and(|kind| !kind.contains('/') && objects.contains(kind)) {
            continue;
        }
        if !object.contains(['/', '*']) && !objects.contains(&format!("{object}/*")) {
            return Err(EngineError::RulesLost);
        }
        patterns.push(ResourcePattern::parse(object).map_err(|_| EngineError::RulesLost)?);
    }
    Ok(patterns)
}

fn parse<'a, T, E>(
    prefix: &str,
    text: &'a str,
    parse: impl FnOnce(&'a str) -> Result<T, E>,
) -> Result<T, EngineError> {
    text.strip_prefix(prefix)
        .and_then(|name| parse(name).ok())
        .ok_or(EngineError::RulesLost)
}

#[cfg(test)]
#[path = "casbin_engine_tests.rs"]
mod tests;
