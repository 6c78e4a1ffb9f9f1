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

#[tokio::test]
async fn a_text_adapter_would_take_the_injected_rule_which_ours_never_sees() {
    let hostile =
        "p, role:a, perform:view, resource:x\np, role:viewer, perform:view, resource:y, allow";
    let model = DefaultModel::from_str(PERMISSION_MODEL).await.unwrap();
    let adapter = casbin::StringAdapter::new(format!("{hostile}, allow"));
    let text = Enforcer::new(model, adapter).await.unwrap();
    assert_eq!(text.get_policy().len(), 2, "one of them nobody declared");
    assert!(ResourcePattern::parse(hostile).is_err());
    assert!(ActionPattern::parse("view\np").is_err());
    assert!(RoleName::parse("viewer\ng").is_err());
}

/// So an answer of "no" for a role further up than that is no answer, and compiling refuses it.
#[tokio::test]
async fn inheritance_deeper_than_casbin_follows_is_refused_before_casbin_is_asked() {
    let names: Vec<_> = (0..=CASBIN_REACH + 1).map(|it| format!("r{it}")).collect();
    let roles = names.iter().enumerate().map(|(index, name)| {
        let below = names.get(index + 1).map(String::as_str);
        role(name, below.as_slice())
    });
    let document = crate::PolicyDocument {
        roles: roles.collect(),
        ..crate::PolicyDocument::default()
    };
    let error = document.compile(1).await.unwrap_err();
    assert!(matches!(
        error,
        crate::CompileError::Faults(faults)
            if matches!(faults[..], [crate::PolicyFault::InheritanceTooDeep { depth: 10, .. }])
    ));
}

/// `keyMatch` cuts texts at a byte: a resource with the wrong letter there is the end of the thread. No resource that
/// somebody asks about reaches casbin.
#[test]
fn key_match_panics_inside_a_letter() {
    let cut = || casbin::function_map::key_match("dashboard/é", "dashboard/e*");
    assert!(std::panic::catch_unwind(cut).is_err());
}

#[tokio::test]
async fn an_error_of_the_engine_refuses_everything() {
    for error in [
        EngineError::RulesLost,
        EngineError::SwitchedOff,
        failed(casbin::error::RequestError::UnmatchRequestDefinition(3, 0).into()),
    ] {
        let denial = crate::Denial::from(crate::CompileError::from(error));
        assert_eq!(denial.kind(), crate::ReasonKind::Internal);
        assert_eq!(crate::testing::reasons(&denial), ["policy_unusable "]);
    }
}
