//! What casbin does that has hurt others, pinned, and what keeps it from hurting here.

use super::*;
use crate::testing::{role, role_name};

const HOLD: Act<'static> = Act::Hold;
const ISSUE: Entity<'static> = Entity::Permission(Permission::TokensIssue);
const VIEWER: Entity<'static> = Entity::UserRole(UserRole::Viewer);

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

fn permission(json: &str) -> RolePermission {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn without_rules_casbin_allows_the_blank_question_which_we_cannot_ask() {
    let enforcer = bare_enforcer(&[]).await;
    assert!(enforcer.enforce(("", "", "")).unwrap());

    let engine = Engine::load(Rules::default()).await.unwrap();
    for act in [Act::Hold, Act::Call] {
        assert!(!engine.allows(VIEWER, act, ISSUE).unwrap());
    }
    for text in [VIEWER.to_string(), ISSUE.to_string(), HOLD.to_string()] {
        assert!(!text.is_empty());
    }
}

#[tokio::test]
async fn a_rule_with_a_missing_column_breaks_every_answer_and_is_no_answer() {
    let mut broken = Engine {
        enforcer: bare_enforcer(&[&["user-role:owner", "hold", "permission:x"]]).await,
    };
    let sound = [
        "user-role:viewer",
        "hold",
        "permission:tokens:issue",
        "allow",
    ];
    let sound = sound.map(str::to_owned);
    broken.enforcer.add_policy(sound.into()).await.unwrap();
    let answer = broken.allows(VIEWER, HOLD, ISSUE);
    assert!(matches!(answer, Err(EngineError::Failed(_))));
    assert!(matches!(broken.permissions(), Err(EngineError::RulesLost)));
}

#[tokio::test]
async fn our_rules_have_every_column_and_a_lower_case_effect() {
    let mut rules = Rules::default();
    rules.allow(VIEWER, HOLD, ISSUE);
    for json in [
        r#"{"resource": "dashboard", "action": "view"}"#,
        r#"{"resource": "*", "action": "*", "effect": "deny"}"#,
    ] {
        rules.permission(&role_name("viewer"), &permission(json));
    }
    assert_eq!(rules.stated.len(), 4);
    for rule in &rules.stated {
        assert!(
            matches!(rule.as_slice(), [_, _, _, effect] if effect == "allow" || effect == "deny"),
            "{rule:?}"
        );
    }
}

#[tokio::test]
async fn a_denial_wins_but_only_in_lower_case() {
    let allow: &[&str] = &["role:a", "grant", "role:viewer", "allow"];
    for (effect, allowed) in [("deny", false), ("Deny", true)] {
        let deny: &[&str] = &["role:a", "grant", "role:viewer", effect];
        let enforcer = bare_enforcer(&[allow, deny]).await;
        let question = ("role:a", "grant", "role:viewer");
        assert_eq!(enforcer.enforce(question).unwrap(), allowed, "{effect}");
    }
    assert!(serde_json::from_str::<Effect>(r#""Deny""#).is_err());
}

#[tokio::test]
async fn casbin_follows_a_chain_of_nine_links_and_then_says_no() {
    let mut rules = Rules::default();
    let names: Vec<_> = (0..=CASBIN_REACH + 1)
        .map(|index| role_name(&format!("r{index}")))
        .collect();
    for pair in names.windows(2) {
        let [upper, lower] = pair else {
            panic!("a window of two")
        };
        rules.link(Entity::Role(upper), Entity::Role(lower));
    }
    rules.allow(Entity::Role(&names[CASBIN_REACH]), HOLD, ISSUE);
    rules.allow(Entity::Role(&names[CASBIN_REACH + 1]), HOLD, VIEWER);
    let engine = Engine::load(rules).await.unwrap();
    let top = Entity::Role(&names[0]);
    assert!(engine.allows(top, HOLD, ISSUE).unwrap());
    assert!(!engine.allows(top, HOLD, VIEWER).unwrap());
}

#[tokio::test]
async fn an_enforcer_that_is_switched_off_allows_everything_and_is_no_answer() {
    let mut engine = Engine::load(Rules::default()).await.unwrap();
    engine.enforcer.enable_enforce(false);
    let question = ("anyone", "anything", "anywhere");
    assert!(engine.enforcer.enforce(question).unwrap());
    let answer = engine.allows(VIEWER, HOLD, ISSUE);
    assert!(matches!(answer, Err(EngineError::SwitchedOff)));
}

#[tokio::test]
async fn whoever_is_named_like_a_role_is_not_the_role() {
    let mut rules = Rules::default();
    let role = role_name("viewer");
    rules.allow(Entity::Role(&role), HOLD, ISSUE);
    let engine = Engine::load(rules).await.unwrap();
    assert!(engine.allows(Entity::Role(&role), HOLD, ISSUE).unwrap());
    assert!(!engine.allows(VIEWER, HOLD, ISSUE).unwrap());
    assert_ne!(VIEWER.to_string(), Entity::Role(&role).to_string());
}

#[tokio::test]
async fn a_newline_in_a_text_stays_one_text() {
    // Rules go in as values: a text adapter would have read a second rule here.
    let mut rules = Rules::default();
    let hostile = SimplePattern::Is("x\np, role:viewer, perform:view, resource:y, allow");
    let viewer = role_name("viewer");
    let action = ActionPattern::parse("view").unwrap();
    rules.allow(
        Entity::Role(&viewer),
        Act::Perform(&action),
        Entity::Resources(&hostile),
    );
    let engine = Engine::load_permissions(rules).await.unwrap();
    assert_eq!(engine.enforcer.get_policy().len(), 1);
    let injected = ("role:viewer", "perform:view", "resource:y");
    assert!(!engine.enforcer.enforce(injected).unwrap());
}

#[tokio::test]
async fn what_casbin_holds_is_what_roles_declare() {
    let mut rules = Rules::default();
    let declared: BTreeSet<_> = [
        r#"{"resource": "dashboard", "action": "view"}"#,
        r#"{"resource": "dashboard/eu-*", "action": "view", "effect": "deny"}"#,
        r#"{"resource": "report/*", "action": "*"}"#,
        r#"{"resource": "file/a", "action": "view"}"#,
        r#"{"resource": "file/a/*", "action": "view"}"#,
        r#"{"resource": "*", "action": "list"}"#,
    ]
    .into_iter()
    .map(permission)
    .collect();
    let viewer = role("viewer", &[]).name;
    for permission in &declared {
        rules.permission(&viewer, permission);
    }
    let engine = Engine::load_permissions(rules).await.unwrap();
    let held = engine.permissions().unwrap();
    assert_eq!(held, BTreeMap::from([(viewer, declared)]));
}
