//! A resource server on axum: `GET /sales` shows the rows of the tenant that the session token names.
//!
//! `cargo run -p jeton-verifier --example axum -- http://127.0.0.1:8080/orgs/demo default` beside a running `jeton dev`,
//! whose organization is named in `jeton-data/dev-credentials.json`.

use axum::extract::Extension;
use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use jeton_verifier::{Algorithm, BearerLayer, Claims, RemoteVerifier, Rules};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(audience)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are ISSUER AUDIENCE".into());
    };
    let verifier =
        RemoteVerifier::builder(Rules::new(issuer, audience), Algorithm::Es256).build()?;
    // Optional: better not to start than to answer 503.
    verifier.refresh().await?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router(BearerLayer::new(verifier))).await?;
    Ok(())
}

fn router(bearer: BearerLayer<RemoteVerifier>) -> Router {
    Router::new().route("/sales", get(sales)).layer(bearer)
}

/// The handler runs only with verified claims; the attribute is still the handler's to ask for.
async fn sales(Extension(claims): Extension<Claims>) -> Result<Json<Vec<String>>, StatusCode> {
    let tenant = claims
        .attributes()
        .string("tenant_id")
        .map_err(|_| StatusCode::FORBIDDEN)?;
    Ok(Json(rows_of(tenant)))
}

/// Stands for `select … from sales where tenant_id = $1`, with the tenant as a bound parameter.
fn rows_of(tenant: &str) -> Vec<String> {
    [("t-1", "coffee"), ("t-1", "tea"), ("t-2", "milk")]
        .into_iter()
        .filter(|(owner, _)| *owner == tenant)
        .map(|(_, row)| row.to_owned())
        .collect()
}
