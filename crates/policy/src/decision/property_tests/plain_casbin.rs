//! casbin as its own manual uses it: a model written here, rules and names as they are.

use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter, RbacApi};
use key_admin::KeyCeiling;

use super::world::{AUDIENCES, World};

const RESOURCES: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && keyMatch(r.act, p.act)
";

/// A key that may grant a role may grant what the role inherits.
const KEYS: &str = "
[request_definition]
r = key, what, name
[policy_definition]
p = key, what, name
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.key == p.key && r.what == p.what && g(p.name, r.name)
";

pub(super) struct Casbin {
    resources: Enforcer,
    keys: Enforcer,
    bearers: usize,
}

impl Casbin {
    pub(super) async fn new(world: &World) -> Self {
        let mut casbin = Self {
            resources: enforcer(RESOURCES).await,
            keys: enforcer(KEYS).await,
            bearers: 0,
        };
        // Whoever holds a role that nobody knows may do nothing.
        state(&mut casbin.resources, &["ghost", "*", "*", "deny"]).await;
        for role in &world.roles {
            for parent in &role.inherits {
                for enforcer in [&mut casbin.resources, &mut casbin.keys] {
                    link(enforcer, &role.name, parent).await;
                }
            }
            for permission in &role.permissions {
                let kind_only = !permission.resource.contains(['/', '*']);
                let below = kind_only.then(|| format!("{}/*", permission.resource));
                for resource in below.iter().chain([&permission.resource]) {
                    let rule = [&role.name, resource, &permission.action, permission.effect];
                    state(&mut casbin.resources, &rule).await;
                }
            }
        }
        casbin
    }

    /// Somebody with these roles. Several are links of their own, one more than casbin follows below the deepest
    /// inheritance.
    pub(super) async fn bearer(&mut self, roles: &[String]) -> String {
        if let [role] = roles {
            return role.clone();
        }
        self.bearers += 1;
        let bearer = format!("bearer-{}", self.bearers);
        for role in roles {
            link(&mut self.resources, &bearer, role).await;
        }
        bearer
    }

    pub(super) fn may(&self, bearer: &str, resource: &str, action: &str) -> bool {
        let question = (bearer, resource, action);
        self.resources.enforce(question).unwrap()
    }

    pub(super) fn inherited(&self, role: &str) -> Vec<String> {
        let mut roles = self.resources.get_implicit_roles_for_user(role, None);
        roles.sort();
        roles
    }

    pub(super) async fn add_key(&mut self, key: &str, ceiling: &KeyCeiling, world: &World) {
        let all = world.role_names().into_iter().collect();
        for role in ceiling.roles.as_ref().unwrap_or(&all) {
            state(&mut self.keys, &[key, "role", role]).await;
        }
        let all = AUDIENCES.map(str::to_owned).into();
        for audience in ceiling.audiences.as_ref().unwrap_or(&all) {
            state(&mut self.keys, &[key, "audience", audience]).await;
        }
    }

    pub(super) fn may_grant(&self, key: &str, what: &str, name: &str) -> bool {
        self.keys.enforce((key, what, name)).unwrap()
    }
}

async fn enforcer(model: &str) -> Enforcer {
    let model = DefaultModel::from_str(model).await.unwrap();
    Enforcer::new(model, NullAdapter).await.unwrap()
}

/// The same rule twice is one.
async fn state(enforcer: &mut Enforcer, rule: &[&str]) {
    let rule = rule.iter().map(ToString::to_string).collect();
    enforcer.add_policy(rule).await.unwrap();
}

async fn link(enforcer: &mut Enforcer, upper: &str, lower: &str) {
    let link = vec![upper.to_owned(), lower.to_owned()];
    enforcer.add_grouping_policy(link).await.unwrap();
}
