//! A bad day of the server, as every client bears it: see tests/e2e/sdk.rs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jeton_client::apis::configuration::Configuration;
use jeton_client::apis::policy_api::delete_role;
use jeton_client::models::{IssueSessionTokenRequest, TokenUser};
use jeton_client::{Builder, Error, Problem, Retry, TokenCache, connect};

async fn deleted(jeton: &Configuration, role: &str) -> Result<(), Error> {
    Ok(delete_role(jeton, role).await?)
}

async fn problem_of(jeton: &Configuration, role: &str) -> Problem {
    let error = deleted(jeton, role).await.unwrap_err();
    error.problem().unwrap().clone()
}

fn request_for(user: &str) -> IssueSessionTokenRequest {
    let roles = vec!["viewer".to_owned()];
    IssueSessionTokenRequest::new(TokenUser::new(user.to_owned(), roles))
}

async fn requests(jeton: &Configuration) -> Result<(), Error> {
    deleted(jeton, "recovering").await?;
    let down = problem_of(jeton, "down").await;
    assert_eq!((down.status.as_u16(), &*down.code), (503, "unavailable"));
    let (hour, busy) = (
        Some(Duration::from_secs(3600)),
        problem_of(jeton, "busy").await,
    );
    assert_eq!((busy.status.as_u16(), busy.retry_after), (429, hour));
    assert!(problem_of(jeton, "later").await.retry_after > hour);
    let proxy = problem_of(jeton, "proxy").await;
    assert_eq!(
        (proxy.status.as_u16(), &*proxy.code),
        (502, "unexpected_answer")
    );
    assert!(deleted(jeton, "elsewhere").await.is_err());
    Ok(())
}

async fn tokens(jeton: &Configuration) -> Result<(), Arc<Error>> {
    let begin = Instant::now();
    let passed = Arc::new(Mutex::new(0));
    let clock = passed.clone();
    let clock = Arc::new(move || begin + Duration::from_secs(*clock.lock().unwrap()));
    let cache = TokenCache::with(jeton.clone(), 2, clock);
    let (fading, refused) = (request_for("fading"), request_for("refused"));
    let status = |error: Arc<Error>| error.problem().unwrap().status.as_u16();
    let first = cache.token(&fading).await?;
    cache.token(&refused).await?;
    *passed.lock().unwrap() = 675;
    assert!(Arc::ptr_eq(&first, &cache.token(&fading).await?));
    for now in [675, 0] {
        *passed.lock().unwrap() = now;
        assert_eq!(status(cache.token(&refused).await.unwrap_err()), 403);
    }
    *passed.lock().unwrap() = 900;
    assert_eq!(status(cache.token(&fading).await.unwrap_err()), 503);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, key) = (std::env::var("JETON_URL")?, std::env::var("JETON_API_KEY")?);
    let retry = Retry {
        base: Duration::from_millis(1),
        ..Retry::default()
    };
    let jeton = Builder {
        retry,
        ..Builder::default()
    }
    .connect(&url, &key)?;
    requests(&jeton).await?;
    tokens(&jeton).await?;
    let nobody = TokenCache::new(connect("http://127.0.0.1:1", "jtn_nobody")?);
    let error = nobody.token(&request_for("fading")).await.unwrap_err();
    assert!(matches!(*error, Error::Transport(_)), "{error:?}");
    Ok(())
}
