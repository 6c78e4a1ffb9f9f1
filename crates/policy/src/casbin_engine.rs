//! casbin, and everything that only casbin's users need to know.
//!
//! casbin is the authority on inheritance, on what a role may do and on what a key may grant. It is asked when
//! a [policy](crate::PolicySnapshot) or a [ceiling](crate::CompiledCeiling) is compiled; its answers are kept
//! as plain maps, so no request waits for it. An enforcer is built from [`Rules`], asked, and dropped: it is
//! never changed while in use, and an error is never taken for an answer.
//!
//! Whatever casbin compares is a text made by [`Entity`] or [`Act`] alone: each starts with its type, so a key
//! named like a role is not that role, and none is ever blank, which an enforcer without rules would allow.

use std::{collections::BTreeSet, fmt};

use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter, RbacApi};

use key_admin::{Permission, users::UserRole};

use crate::{
    name::{AudienceName, Identifier, RoleName},
    operations::Operation,
    roles::{MAX_INHERITANCE_DEPTH, RolePermission},
};

/// A subject has the rights of what it inherits; a rule about an object covers what is below the object.
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
m = r.act == p.act && g(r.sub, p.sub) && g(p.obj, r.obj)
";

/// How many links `g` follows before it answers "no" without a word. An [`Enforcer`] asks for ten levels, and
/// casbin counts the start as one of them (where paths branch it follows more, which is nothing to rely on).
const CASBIN_REACH: usize = 9;

const _: () = assert!(MAX_INHERITANCE_DEPTH <= CASBIN_REACH);

const ROLE: &str = "role:";
const RESOURCE: &str = "resource:";
const PERFORM: &str = "perform:";
const ALLOW: &str = "allow";

/// Who or what a rule is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entity<'a> {
    /// An API key, by its id.
    Key(&'a str),
    /// A role.
    Role(&'a RoleName),
    /// Every role; no role can have this name. What it covers is linked to it like to a role.
    AnyRole,
    /// A kind of resource.
    Resource(&'a Identifier),
    /// One audience.
    Audience(&'a AudienceName),
    /// Every audience; no audience can have this name.
    AnyAudience,
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
    /// Putting something into a token.
    Grant,
    /// An action on a resource.
    Perform(&'a Identifier),
    /// Doing an operation of the API.
    Call,
    /// Having a permission.
    Hold,
}

impl fmt::Display for Entity<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(formatter, "key:{id}"),
            Self::Role(name) => write!(formatter, "{ROLE}{name}"),
            Self::AnyRole => write!(formatter, "{ROLE}*"),
            Self::Resource(kind) => write!(formatter, "{RESOURCE}{kind}"),
            Self::Audience(name) => write!(formatter, "audience:{name}"),
            Self::AnyAudience => formatter.write_str("audience:*"),
            Self::Permission(permission) => write!(formatter, "permission:{permission}"),
            Self::Operation(operation) => write!(formatter, "operation:{}", operation.id()),
            Self::UserRole(role) => write!(formatter, "user-role:{role}"),
        }
    }
}

impl fmt::Display for Act<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant => formatter.write_str("grant"),
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
    allowed: BTreeSet<Vec<String>>,
    links: BTreeSet<Vec<String>>,
}

impl Rules {
    /// `subject` may do `act` to `object`, and to what is below it.
    pub(crate) fn allow(&mut self, subject: Entity<'_>, act: Act<'_>, object: Entity<'_>) {
        let rule = [
            subject.to_string(),
            act.to_string(),
            object.to_string(),
            ALLOW.to_owned(),
        ];
        self.allowed.insert(rule.into());
    }

    /// `lower` is below `upper`: a role that the other inherits, or one of "every role".
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
        let model = DefaultModel::from_str(MODEL).await.map_err(failed)?;
        let mut enforcer = Enforcer::new(model, NullAdapter).await.map_err(failed)?;
        let (allowed, links) = (Vec::from_iter(rules.allowed), Vec::from_iter(rules.links));
        let took_rules = enforcer.add_policies(allowed).await.map_err(failed)?;
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

    /// Every permission of `role`, its own and inherited.
    pub(crate) fn permissions(
        &self,
        role: &RoleName,
    ) -> Result<BTreeSet<RolePermission>, EngineError> {
        let role = Entity::Role(role).to_string();
        let rules = self.enforcer.get_implicit_permissions_for_user(&role, None);
        rules
            .iter()
            .map(|rule| match rule.as_slice() {
                [_, act, object, effect] if effect == ALLOW => Ok(RolePermission {
                    resource: parse(RESOURCE, object, Identifier::parse)?,
                    action: parse(PERFORM, act, Identifier::parse)?,
                }),
                _ => Err(EngineError::RulesLost),
            })
            .collect()
    }
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
