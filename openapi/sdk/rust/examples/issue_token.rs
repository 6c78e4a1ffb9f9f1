//! Issues a session token for a user, twice, and asks the server once.
//!
//! ```sh
//! JETON_URL=http://127.0.0.1:8080 JETON_API_KEY=jtn_… cargo run --example issue_token
//! ```

use std::collections::HashMap;
use std::process::ExitCode;

use jeton_client::TokenCache;
use jeton_client::models::{IssueSessionTokenRequest, TokenUser};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (url, key) = (std::env::var("JETON_URL")?, std::env::var("JETON_API_KEY")?);
    let tokens = TokenCache::new(jeton_client::connect(&url, &key)?);
    let mut user = TokenUser::new("user-42".to_owned(), vec!["viewer".to_owned()]);
    user.attributes = Some(HashMap::from([("tenant_id".to_owned(), "t-1".into())]));
    let request = IssueSessionTokenRequest::new(user);

    let session = match tokens.token(&request).await {
        Ok(session) => session,
        Err(error) => {
            eprintln!("{error}");
            for it in error.problem().iter().flat_map(|problem| &problem.errors) {
                eprintln!("{}: {}", it.pointer, it.detail);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let again = tokens.token(&request).await?;
    println!("{}", session.token);
    eprintln!(
        "for {} s; the next one after {} s",
        session.expires_in, session.refresh_in
    );
    Ok(if again.token == session.token {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
