use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use key_admin::{
    Act, ApiKeyContext, Asker, KeyAdmin, KeyAdminSecrets, KeyAdminSettings, MasterSecret,
    NewApiKey, Organization, Permission, PresentedKey, Slug,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{ChangeFeed, Clock, Database, OrganizationId, PrincipalId, SystemClock, execute};

use super::{EditError, Edited, PartChange, PartName, PolicyError, PolicyPart, PolicyService};
use crate::testing::{LIMITS, ceiling_of, granted, reasons, refused, request};
use crate::{CompileError, Decision, Identifier, PolicyDocument, RowRule, starter_policy, store};

/// A node with the policies of any number of organizations.
struct App {
    database: Database,
    keys: KeyAdmin,
    policy: PolicyService,
}

impl App {
    async fn on(database: Database) -> Arc<Self> {
        let feed = ChangeFeed::start(database.clone(), Duration::from_hours(1))
            .await
            .unwrap();
        let master = MasterSecret::parse(&"0123456789abcdef".repeat(4)).unwrap();
        let keys = KeyAdmin::new(
            database.clone(),
            feed.clone(),
            Arc::new(SystemClock),
            KeyAdminSecrets::derived(&master).unwrap(),
            KeyAdminSettings::default(),
        )
        .unwrap();
        Arc::new(Self {
            policy: PolicyService::new(database.clone(), feed, Arc::new(SystemClock)),
            database,
            keys,
        })
    }

    async fn organization(&self, slug: &str) -> OrganizationId {
        let mut tx = self.database.write().await.unwrap();
        let slug = Slug::parse(slug).unwrap();
        let organization = Organization::create(
            &mut tx,
            &SystemClock,
            &Act::on_command_line(),
            slug,
            "An organization",
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        organization.id
    }

    /// Someone in the organization who presents a key with this ceiling.
    async fn caller(&self, organization: OrganizationId, ceiling: Value) -> ApiKeyContext {
        let owner = PrincipalId::new(&SystemClock);
        let mut tx = self.database.write().await.unwrap();
        execute!(
            tx.conn(),
            "insert into principals (id, organization_id, kind, name, state, created_at)
             values ($1, $2, 'service_account', 'ci', 'active', $3)",
            owner,
            organization,
            SystemClock.now(),
        )
        .unwrap();
        tx.commit().await.unwrap();
        let new = NewApiKey {
            organization,
            owner,
            created_by: None,
            name: "ci".to_owned(),
            expires_at: None,
            permissions: vec![Permission::TokensIssue],
            ceiling: ceiling_of(ceiling),
            allowed_networks: Vec::new(),
            rate_limit: None,
        };
        let key = self
            .keys
            .create_key(&Act::on_command_line(), Asker::Machine, new)
            .await
            .unwrap();
        let presented = PresentedKey::parse(key.secret.expose_secret()).unwrap();
        let client = "192.0.2.1".parse().unwrap();
        self.keys
            .authenticate(&presented, client, None)
            .await
            .unwrap()
    }

    async fn decides(&self, caller: &ApiKeyContext, role: &str) -> Decision {
        let body = json!({"user": {"roles": [role], "attributes": {"tenant_id": "t-1"}}});
        let decision = self.policy.decide(caller, Some(&LIMITS), request(&body));
        decision.await.unwrap()
    }

    async fn stored(&self, organization: OrganizationId) -> PolicyDocument {
        let mut tx = self.database.snapshot().await.unwrap();
        store::document(&mut tx, organization).await.unwrap()
    }

    async fn replaces(
        &self,
        organization: OrganizationId,
        document: &PolicyDocument,
    ) -> Result<Edited, EditError> {
        let act = Act::on_command_line();
        let document = document.clone();
        self.policy
            .replace(&act, organization, None, document)
            .await
    }
}

/// A policy in which `role` is the only one.
fn only(role: &str) -> PolicyDocument {
    let document =
        json!({"roles": [{"name": role}], "attributes": [{"name": "tenant_id", "type": "string"}]});
    serde_json::from_value(document).unwrap()
}

#[tokio::test]
async fn a_policy_is_stored_as_it_was_written() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let acme = app.organization("acme").await;
        app.replaces(acme, &starter_policy()).await.unwrap();
        let stored = app.stored(acme).await;
        let mut written = starter_policy();
        written.roles.sort_by(|a, b| a.name.cmp(&b.name));
        written.attributes.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(stored, written);
        stored.compile(1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_wrong_policy_changes_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let acme = app.organization("acme").await;
        app.replaces(acme, &starter_policy()).await.unwrap();
        let before = app.stored(acme).await;
        let caller = app.caller(acme, json!({})).await;

        let mut twice = only("viewer");
        twice.roles.push(twice.roles[0].clone());
        let refused = app.replaces(acme, &twice).await.unwrap_err();
        assert!(
            matches!(refused, EditError::Invalid(CompileError::Faults(_))),
            "{refused:?}"
        );
        assert_eq!(app.stored(acme).await, before);
        granted(app.decides(&caller, "editor").await);
    })
    .await;
}

#[tokio::test]
async fn the_next_decision_uses_the_new_policy() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let acme = app.organization("acme").await;
        let caller = app.caller(acme, json!({})).await;
        for role in ["first", "second", "third"] {
            let before = refused(app.decides(&caller, role).await);
            assert_eq!(
                reasons(&before).len(),
                1 + usize::from(role == "first"),
                "{before:?}"
            );
            app.replaces(acme, &only(role)).await.unwrap();
            granted(app.decides(&caller, role).await);
        }
        refused(app.decides(&caller, "first").await);
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_ceiling_names_a_role_that_is_gone_gets_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let acme = app.organization("acme").await;
        app.replaces(acme, &only("viewer")).await.unwrap();
        let caller = app.caller(acme, json!({"roles": ["viewer"]})).await;
        granted(app.decides(&caller, "viewer").await);
        app.replaces(acme, &only("editor")).await.unwrap();
        refused(app.decides(&caller, "viewer").await);
        refused(app.decides(&caller, "editor").await);
    })
    .await;
}

#[tokio::test]
async fn organizations_do_not_see_each_others_roles() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (acme, globex) = (
            app.organization("acme").await,
            app.organization("globex").await,
        );
        app.replaces(acme, &only("viewer")).await.unwrap();
        app.replaces(globex, &only("auditor")).await.unwrap();
        let (at_acme, at_globex) = (
            app.caller(acme, json!({})).await,
            app.caller(globex, json!({})).await,
        );
        granted(app.decides(&at_acme, "viewer").await);
        granted(app.decides(&at_globex, "auditor").await);
        refused(app.decides(&at_acme, "auditor").await);
        refused(app.decides(&at_globex, "viewer").await);

        let ceiling = ceiling_of(json!({"roles": ["auditor"]}));
        assert!(
            app.policy
                .check_ceiling(globex, &ceiling)
                .await
                .unwrap()
                .is_ok()
        );
        let unknown = app.policy.check_ceiling(acme, &ceiling).await.unwrap();
        assert_eq!(unknown.unwrap_err(), "there is no role `auditor`");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_policies_replaced_at_once_one_stays_whole() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let acme = app.organization("acme").await;
        let names: BTreeSet<String> = (0..16).map(|writer| format!("role-{writer}")).collect();
        let writers: Vec<_> = names
            .iter()
            .map(|name| {
                let (app, document) = (app.clone(), only(name));
                tokio::spawn(async move { app.replaces(acme, &document).await })
            })
            .collect();
        let mut last = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                Ok(edited) => last.push(edited.version),
                Err(error) => assert!(matches!(error, EditError::Busy), "{error:?}"),
            }
        }
        let distinct: BTreeSet<_> = last.iter().collect();
        assert!(!last.is_empty() && distinct.len() == last.len(), "{last:?}");
        let stored = app.stored(acme).await;
        let [role] = stored.roles.try_into().unwrap();
        assert!(names.contains(role.name.as_str()));
        assert_eq!(stored.attributes.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_organization_that_is_gone_has_no_policy() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let nobody = OrganizationId::new(&SystemClock);
        for document in [PolicyDocument::default(), only("viewer")] {
            let gone = app.replaces(nobody, &document).await.unwrap_err();
            let expected = matches!(gone, EditError::Policy(PolicyError::OrganizationGone));
            assert!(expected, "{gone:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_rule_is_declared_changed_and_removed_by_itself() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let organization = app.organization("rows").await;
        let act = Act::on_command_line();
        let change = async |expected: Option<i64>, change: PartChange| {
            let policy = &app.policy;
            policy
                .change_part(&act, organization, expected, change)
                .await
        };
        let document = starter_policy();
        let policy = &app.policy;
        let replaced = policy.replace(&act, organization, None, document);
        let version = replaced.await.unwrap().version;
        let rule = |attribute: &str| -> PolicyPart {
            let rule: RowRule = serde_json::from_value(json!({
                "name": "own-orders", "table": "orders", "roles": ["viewer"],
                "where": {"column": "tenant", "operator": "=", "attribute": attribute},
            }))
            .unwrap();
            PolicyPart::RowRule(rule)
        };
        let name = PartName::RowRule(Identifier::parse("own-orders").unwrap());
        let missing = change(None, PartChange::Update(rule("tenant_id"))).await;
        assert!(matches!(missing, Err(EditError::NotFound)), "{missing:?}");
        let made = change(Some(version), PartChange::Create(rule("tenant_id"))).await;
        let made = made.unwrap();
        let path = &made.diff.changes()[0].path;
        assert_eq!(path, "row_rules/own-orders");
        let twice = change(None, PartChange::Create(rule("tenant_id"))).await;
        assert!(matches!(twice, Err(EditError::Exists)), "{twice:?}");
        let late = change(Some(version), PartChange::Delete(name.clone())).await;
        assert!(
            matches!(late, Err(EditError::Changed { current }) if current == made.version),
            "{late:?}"
        );
        let wrong = change(None, PartChange::Update(rule("ghost"))).await;
        let Err(EditError::Invalid(CompileError::Faults(faults))) = wrong else {
            panic!("{wrong:?}")
        };
        let place = faults[0].pointer(&rule("ghost").alone());
        assert_eq!(place.as_deref(), Some("/row_rules/0/where"));
        change(None, PartChange::Delete(name)).await.unwrap();
        let (document, _) = app.policy.document(organization).await.unwrap();
        assert!(document.row_rules.is_empty());
    })
    .await;
}
