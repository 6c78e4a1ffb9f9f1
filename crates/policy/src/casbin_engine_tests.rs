//! What casbin does that has hurt others, pinned, and what keeps it from hurting here.

use super::*;
use crate::testing::role_name;

fn identifier(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

async fn bare_enforcer(rules: &[&[&str]]) -> Enforcer {
    let model = DefaultModel::from_str(MODEL).await.unwrap();
    let mut enforcer = Enforcer::new(model, NullAdapter).await.unwrap();
    for rule in rules {
        enforcer
            .add_policy(rule.iter().map(ToString::to_string).collect())
            .await
            .unwrap();
    }
    enforcer
}

#[tokio::test]
async fn without_rules_casbin_allows_the_blank_question_which_we_cannot_ask() {
    let enforcer = bare_enforcer(&[]).await;
    assert!(enforcer.enforce(("", "", "")).unwrap());

    let engine = Engine::load(Rules::default()).await.unwrap();
    let (role, action) = (role_name("viewer"), identifier("view"));
    for act in [Act::Grant, Act::Perform(&action)] {
        assert!(
            !engine
                .allows(Entity::Key(""), act, Entity::AnyRole)
                .unwrap()
        );
        assert!(
            !engine
                .allows(Entity::Role(&role), act, Entity::AnyAudience)
                .unwrap()
        );
    }
}

#[tokio::test]
async fn a_rule_with_a_missing_column_breaks_every_answer_and_is_no_answer() {
    let mut broken = Engine {
        enforcer: bare_enforcer(&[&["key:a", "grant", "role:x"]]).await,
    };
    let sound = ["key:k1", "grant", "role:viewer", "allow"].map(str::to_owned);
    broken.enforcer.add_policy(sound.into()).await.unwrap();
    let role = role_name("viewer");
    let answer = broken.allows(Entity::Key("k1"), Act::Grant, Entity::Role(&role));
    assert!(matches!(answer, Err(EngineError::Failed(_))));
}

#[tokio::test]
async fn our_rules_have_every_column_and_a_lower_case_effect() {
    let (role, view) = (role_name("viewer"), identifier("view"));
    let mut rules = Rules::default();
    rules.allow(
        Entity::Role(&role),
        Act::Perform(&view),
        Entity::Resource(&view),
    );
    rules.allow(Entity::Key("k1"), Act::Grant, Entity::AnyRole);
    for rule in &rules.allowed {
        assert!(
            matches!(rule.as_slice(), [_, _, _, effect] if effect == "allow"),
            "{rule:?}"
        );
    }
}

#[tokio::test]
async fn a_denial_wins_but_only_in_lower_case() {
    let allow: &[&str] = &["key:k1", "grant", "role:viewer", "allow"];
    for (effect, allowed) in [("deny", false), ("Deny", true)] {
        let deny: &[&str] = &["key:k1", "grant", "role:viewer", effect];
        let enforcer = bare_enforcer(&[allow, deny]).await;
        assert_eq!(
            enforcer
                .enforce(("key:k1", "grant", "role:viewer"))
                .unwrap(),
            allowed,
            "{effect}"
        );
    }
}

#[tokio::test]
async fn casbin_follows_a_chain_of_nine_links_and_then_says_no() {
    let names: Vec<_> = (0..=CASBIN_REACH + 1)
        .map(|index| role_name(&format!("r{index}")))
        .collect();
    let mut rules = Rules::default();
    for pair in names.windows(2) {
        let [upper, lower] = pair else {
            panic!("a window of two")
        };
        rules.link(Entity::Role(upper), Entity::Role(lower));
    }
    rules.allow(Entity::Key("k1"), Act::Grant, Entity::Role(&names[0]));
    let engine = Engine::load(rules).await.unwrap();
    let reach = |name| {
        engine
            .allows(Entity::Key("k1"), Act::Grant, Entity::Role(name))
            .unwrap()
    };
    let reached: Vec<_> = names.iter().map(reach).collect();
    assert_eq!(
        reached,
        [vec![true; 1 + CASBIN_REACH], vec![false]].concat()
    );
}

#[tokio::test]
async fn an_enforcer_that_is_switched_off_allows_everything_and_is_no_answer() {
    let mut engine = Engine::load(Rules::default()).await.unwrap();
    engine.enforcer.enable_enforce(false);
    assert!(
        engine
            .enforcer
            .enforce(("anyone", "anything", "anywhere"))
            .unwrap()
    );
    let answer = engine.allows(Entity::Key("k1"), Act::Grant, Entity::AnyAudience);
    assert!(matches!(answer, Err(EngineError::SwitchedOff)));
}

#[tokio::test]
async fn the_maps_we_keep_say_what_enforce_says() {
    let [admin, editor, viewer, other] = ["admin", "editor", "viewer", "other"].map(role_name);
    let [view, edit, dashboard, report] = ["view", "edit", "dashboard", "report"].map(identifier);
    let mut rules = Rules::default();
    rules.link(Entity::Role(&admin), Entity::Role(&editor));
    rules.link(Entity::Role(&editor), Entity::Role(&viewer));
    rules.allow(
        Entity::Role(&viewer),
        Act::Perform(&view),
        Entity::Resource(&dashboard),
    );
    rules.allow(
        Entity::Role(&editor),
        Act::Perform(&edit),
        Entity::Resource(&dashboard),
    );
    rules.allow(
        Entity::Role(&other),
        Act::Perform(&view),
        Entity::Resource(&report),
    );
    let engine = Engine::load(rules).await.unwrap();

    for role in [&admin, &editor, &viewer, &other] {
        let permissions = engine.permissions(role).unwrap();
        for (resource, action) in [
            (&dashboard, &view),
            (&dashboard, &edit),
            (&report, &view),
            (&report, &edit),
        ] {
            let enforced = engine
                .allows(
                    Entity::Role(role),
                    Act::Perform(action),
                    Entity::Resource(resource),
                )
                .unwrap();
            let permission = RolePermission {
                resource: resource.clone(),
                action: action.clone(),
            };
            assert_eq!(
                permissions.contains(&permission),
                enforced,
                "{role} {permission}"
            );
        }
    }
    assert_eq!(
        engine.inherited_roles(&admin).unwrap(),
        BTreeSet::from([editor, viewer])
    );
    assert_eq!(engine.inherited_roles(&other).unwrap(), BTreeSet::new());
}
