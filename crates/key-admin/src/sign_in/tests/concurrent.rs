//! Sixteen at once, one winner.

use std::sync::Arc;

use storage::testing::on_both_engines;

use super::*;

const AT_ONCE: usize = 16;

/// Runs it sixteen times at once and counts those that came through.
async fn winners<F>(app: &Arc<App>, each: impl Fn(Arc<App>, usize) -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let all: Vec<_> = (0..AT_ONCE)
        .map(|number| tokio::spawn(each(app.clone(), number)))
        .collect();
    let mut won = 0;
    for one in all {
        won += usize::from(one.await.unwrap());
    }
    won
}

/// Ada with a second factor, and sixteen sign-ins of hers that wait for a code.
async fn waiting(app: &App) -> (SecondFactorSetup, Vec<SecretString>, Arc<Vec<SecretString>>) {
    adds(app, ADA, UserRole::Owner).await;
    let session = signs_in(app, ADA).await;
    let (setup, codes) = enables(app, &session.person).await;
    app.clock.advance_seconds(30);
    let mut waits = Vec::new();
    for _ in 0..AT_ONCE {
        waits.push(pending(tries(app, ADA, PASSWORD).await.unwrap()));
    }
    (setup, codes, Arc::new(waits))
}

async fn enters(app: &App, number: usize, pending: &SecretString, code: &SecretString) -> bool {
    let browser = browser_at(&format!("192.0.2.{number}"));
    let keys = &app.node.keys;
    match keys.sign_in_with_code(&browser, pending, code).await {
        Ok(_) => true,
        Err(SignInError::Wrong | SignInError::Limited(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_uses_a_recovery_code() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let (_, codes, waits) = waiting(&app).await;
        let won = winners(&app, |app, number| {
            let (waits, code) = (waits.clone(), codes[0].clone());
            async move { enters(&app, number, &waits[number], &code).await }
        });
        assert_eq!(won.await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_uses_a_step() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let (setup, _, waits) = waiting(&app).await;
        let shown = code(&app, &setup);
        let won = winners(&app, |app, number| {
            let (waits, code) = (waits.clone(), shown.clone());
            async move { enters(&app, number, &waits[number], &code).await }
        });
        assert_eq!(won.await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_sign_in_gives_one_session_whatever_codes_come_at_once() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let (_, codes, waits) = waiting(&app).await;
        let won = winners(&app, |app, number| {
            let (waits, code) = (waits.clone(), codes[number % 10].clone());
            async move { enters(&app, number, &waits[0], &code).await }
        });
        assert_eq!(won.await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_takes_a_round_trip() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let attempt = ProviderAttempt {
            provider: "okta".into(),
            nonce: "nonce".into(),
            pkce_verifier: "verifier".into(),
            next: "/".into(),
        };
        let keys = &app.node.keys;
        let state = keys.begin_provider_sign_in(&browser(), &attempt).await;
        let state = state.unwrap();
        let won = winners(&app, |app, _| {
            let state = state.clone();
            async move {
                let taken = app.node.keys.take_provider_attempt(&state).await;
                taken.unwrap().is_some()
            }
        });
        assert_eq!(won.await, 1);
    })
    .await;
}

async fn comes_through_a_provider(app: Arc<App>, number: usize) -> bool {
    let rules = ProviderRules {
        name: "okta".into(),
        organization: crate::Slug::parse("acme").unwrap(),
        create_users: true,
        allowed_domains: vec!["example.com".into()],
        allowed_groups: Vec::new(),
        role_mapping: std::collections::BTreeMap::new(),
        default_role: None,
        second_factor: false,
    };
    let identity = ProvenIdentity {
        issuer: "https://okta.example".into(),
        subject: "1".into(),
        email: Some(ADA.into()),
        email_verified: true,
        name: None,
        groups: Vec::new(),
        hosted_domain: None,
    };
    let browser = browser_at(&format!("192.0.2.{number}"));
    let keys = &app.node.keys;
    let answer = keys.sign_in_through_provider(&browser, &rules, identity);
    answer.await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_who_comes_sixteen_times_at_once_is_one_user() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        assert_eq!(winners(&app, comes_through_a_provider).await, AT_ONCE);
        assert_eq!(events(&app, "user.create").await.len(), 1);
        assert_eq!(events(&app, "user.identity.link").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_is_linked_once_by_sixteen_sign_ins() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        adds(&app, ADA, UserRole::Owner).await;
        assert_eq!(winners(&app, comes_through_a_provider).await, AT_ONCE);
        assert_eq!(events(&app, "user.identity.link").await.len(), 1);
    })
    .await;
}
