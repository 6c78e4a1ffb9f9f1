//! For Prometheus and whatever reads its formats.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::caller::{ClientAddress, PeerAddress};
use crate::metrics::access::Origin;
use crate::metrics::exposed;
use crate::metrics::exposition::Format;
use crate::middleware::not_found;
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// Read this server's metrics
///
/// For operators: in Prometheus's text format, or OpenMetrics for those who accept it. It is answered on the server's own
/// machine, in the networks that the setting `metrics.allow` lists, and to whoever presents the token of `metrics.token`
/// as a bearer token. To others there is nothing here.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "Operation",
    responses(
        (status = 200, description = "All metrics of this server", content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = 401, description = "The server has a token for this, and this is not it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The address is not allowed to read them, and the server has no token for this", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("MetricsToken" = [])),
)]
pub async fn get_metrics(State(state): State<ApiState>, parts: Parts) -> Result<Response, Problem> {
    let extensions = &parts.extensions;
    let peer = extensions.get().map(|PeerAddress(peer)| *peer);
    let client = extensions.get().map(|ClientAddress(client)| *client);
    let (Some(peer), Some(client)) = (peer, client) else {
        return Err(Problem::internal(&"the client's address is not known"));
    };
    let (access, headers) = (&state.settings.metrics, &parts.headers);
    let origin = Origin {
        peer,
        client,
        headers,
    };
    if !access.admits(origin, &state.settings.trusted_proxies) {
        return Err(match access.token {
            Some(_) => metrics_token_required(),
            None => not_found(),
        });
    }
    let format = Format::accepted(headers);
    let content_type = [(header::CONTENT_TYPE, format.content_type())];
    Ok((content_type, exposed(&state, format)).into_response())
}

fn metrics_token_required() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "metrics_token_required",
        "Present the token that the operator has configured for this: `Authorization: Bearer …`.",
    )
    .wants_bearer_token()
}
