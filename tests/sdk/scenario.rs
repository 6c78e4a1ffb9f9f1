//! What every client is put through: see tests/e2e/sdk.rs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jeton_client::apis::configuration::Configuration;
use jeton_client::apis::{
    account_api, api_keys_api, o_auth_api, policy_api, session_tokens_api, sessions_api,
};
use jeton_client::models::{
    Attribute, CreateApiKeyRequest, GivenPermission, IssueSessionTokenRequest, KeyRateLimit, Role,
    RolePermission, SessionList, TokenUser, ValueType,
};
use jeton_client::{Builder, Error, Problem, Retry, TokenCache, connect};

fn request_for(user: &str, attribute: (&str, &str)) -> IssueSessionTokenRequest {
    let mut user = TokenUser::new(user.to_owned(), vec!["analyst".to_owned()]);
    let attributes = [("tenant_id", "t-1"), attribute];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.into()));
    user.attributes = Some(HashMap::from(attributes));
    IssueSessionTokenRequest::new(user)
}

fn problem_of<T>(result: Result<T, impl Into<Error>>) -> Problem {
    match result.map_err(Into::into) {
        Err(Error::Problem(problem)) => *problem,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("this should have been refused"),
    }
}

async fn makes_a_key(owner: &Configuration, limit: Option<KeyRateLimit>) -> Result<String, Error> {
    let request = CreateApiKeyRequest {
        rate_limit: limit,
        ..CreateApiKeyRequest::new("sdk".to_owned(), vec![GivenPermission::Write])
    };
    let created = api_keys_api::create_api_key(owner, request).await?;
    assert!(created.secret.starts_with(&created.api_key.prefix));
    Ok(created.secret)
}

async fn declares_a_policy(jeton: &Configuration) -> Result<(), Error> {
    let attribute = Attribute::new("project".to_owned(), ValueType::String);
    let attribute = policy_api::create_attribute(jeton, attribute).await?;
    assert_eq!(attribute.r#type, ValueType::String);
    let permission = RolePermission::new("report".to_owned(), "view".to_owned());
    let role = Role {
        permissions: Some(vec![permission]),
        required_attributes: Some(vec!["project".to_owned()]),
        ..Role::new("analyst".to_owned())
    };
    let role = policy_api::create_role(jeton, role).await?;
    assert_eq!(role.required_attributes, Some(vec!["project".to_owned()]));
    Ok(())
}

async fn sessions_of(jeton: &Configuration, user: &str) -> Result<SessionList, Error> {
    let (limit, cursor, key, audience) = (None, None, None, None);
    let (attribute, active, since, until) = (None, None, None, None);
    let subject = Some(user);
    let listed = sessions_api::list_sessions(
        jeton, limit, cursor, subject, key, audience, attribute, active, since, until,
    );
    Ok(listed.await?)
}

async fn issues_and_revokes(jeton: &Configuration) -> Result<String, Error> {
    let request = request_for("user-7", ("project", "p-1"));
    let issued = session_tokens_api::issue_session_token(jeton, request).await?;
    let active = o_auth_api::introspect_token(jeton, &issued.token, None).await?;
    assert_eq!(
        (active.active, active.sub.as_deref()),
        (true, Some("user-7"))
    );
    assert_eq!(active.roles, Some(vec!["analyst".to_owned()]));
    let [session] = &sessions_of(jeton, "user-7").await?.data[..] else {
        panic!("one session was issued");
    };
    assert_eq!(
        (session.id, session.expires_at),
        (issued.session_id, issued.expires_at)
    );
    assert_eq!(session.attributes["project"], "p-1");
    sessions_api::delete_session(jeton, &session.id.to_string()).await?;
    assert!(
        !o_auth_api::introspect_token(jeton, &issued.token, None)
            .await?
            .active
    );
    Ok(issued.session_id.to_string())
}

async fn sees_what_is_wrong(jeton: &Configuration) {
    let request = request_for("user-7", ("unknown", "x"));
    let problem = problem_of(session_tokens_api::issue_session_token(jeton, request).await);
    assert_eq!(
        (problem.status.as_u16(), problem.is_retriable()),
        (422, false)
    );
    assert!(problem.request_id.is_some() && problem.errors.iter().all(|it| !it.detail.is_empty()));
    for wanted in [
        ("/user/attributes/project", "missing_attribute"),
        ("/user/attributes/unknown", "undeclared_attribute"),
    ] {
        let mut found = problem.errors.iter().map(|it| (&*it.pointer, &*it.code));
        assert!(found.any(|it| it == wanted), "{problem:?}");
    }
}

async fn is_not_let_in(url: &str) -> Result<(), Error> {
    let nobody = connect(url, "jtn_nobody")?;
    let account = problem_of(account_api::get_account(&nobody).await);
    let introspection = problem_of(o_auth_api::introspect_token(&nobody, "x", None).await);
    for (problem, code) in [
        (account, "invalid_api_key"),
        (introspection, "invalid_client"),
    ] {
        assert_eq!((problem.status.as_u16(), &*problem.code), (401, code));
        assert!(
            !problem.detail.is_empty() && problem.request_id.is_some() && problem.errors.is_empty()
        );
    }
    Ok(())
}

async fn is_limited_and_recovers(url: &str, key: &str) -> Result<(), Error> {
    let retry = Retry::none();
    let hasty = Builder {
        retry,
        ..Builder::default()
    }
    .connect(url, key)?;
    let mut answers = 0;
    let refused = loop {
        let answer = account_api::get_account(&hasty).await;
        if answer.is_err() {
            break problem_of(answer);
        }
        answers += 1;
        assert!(answers < 100);
    };
    assert_eq!(
        (refused.status.as_u16(), &*refused.code),
        (429, "rate_limited")
    );
    assert!(refused.is_retriable() && refused.retry_after >= Some(Duration::from_secs(1)));

    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = waits.clone();
    let retry = Retry {
        sleep: Arc::new(move |wait| {
            seen.lock().unwrap().push(wait);
            Box::pin(tokio::time::sleep(wait))
        }),
        ..Retry::default()
    };
    let patient = Builder {
        retry,
        ..Builder::default()
    }
    .connect(url, key)?;
    while waits.lock().unwrap().is_empty() {
        let account = account_api::get_account(&patient).await?;
        assert!(!account.api_key.permissions.is_empty());
    }
    assert!(waits.lock().unwrap()[0] >= Duration::from_secs(1));
    Ok(())
}

async fn keeps_tokens(jeton: &Configuration) -> Result<Vec<String>, Arc<Error>> {
    let begin = Instant::now();
    let passed = Arc::new(Mutex::new(Duration::ZERO));
    let clock = passed.clone();
    let clock = Arc::new(move || begin + *clock.lock().unwrap());
    let tokens = TokenCache::with(jeton.clone(), 100, clock);
    let request = request_for("user-8", ("project", "p-1"));
    let issued = join_all((0..8).map(|_| tokens.token(&request))).await;
    let first = issued[0].clone()?;
    for other in issued {
        assert!(Arc::ptr_eq(&first, &other?));
    }
    assert!(first.refresh_in < first.expires_in);
    *passed.lock().unwrap() = Duration::from_secs(first.refresh_in.unsigned_abs());
    let renewed = tokens.token(&request).await?;
    assert_ne!(renewed.token, first.token);
    assert!(Arc::ptr_eq(&renewed, &tokens.token(&request).await?));
    let sessions = sessions_of(jeton, "user-8").await?.data;
    let mut found: Vec<_> = sessions.iter().map(|it| it.id).collect();
    found.sort();
    assert_eq!(found, [first.session_id, renewed.session_id]);
    let refused = tokens
        .token(&request_for("user-8", ("unknown", "x")))
        .await
        .unwrap_err();
    assert_eq!(refused.problem().unwrap().status.as_u16(), 422);
    Ok(vec![
        first.session_id.to_string(),
        renewed.session_id.to_string(),
    ])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, key) = (std::env::var("JETON_URL")?, std::env::var("JETON_API_KEY")?);
    let owner = connect(&url, &key)?;
    let limited = makes_a_key(&owner, Some(KeyRateLimit::new(60, 1))).await?;
    let jeton = connect(&url, &makes_a_key(&owner, None).await?)?;
    declares_a_policy(&jeton).await?;
    let mut sessions = vec![issues_and_revokes(&jeton).await?];
    sees_what_is_wrong(&jeton).await;
    is_not_let_in(&url).await?;
    is_limited_and_recovers(&url, &limited).await?;
    sessions.extend(keeps_tokens(&jeton).await?);
    println!("{}", serde_json::to_string(&sessions)?);
    Ok(())
}
