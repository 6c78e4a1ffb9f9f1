//! The OpenAPI 3.1 document. It is collected from the routes themselves: an operation that is not in it does not exist.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use crate::problem::ProblemBody;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Jeton",
        description = "Exchange an API key for short-lived signed session tokens that carry roles and row-level-security attributes.\n\nErrors are `application/problem+json` (RFC 9457): programs read `code`, people read `detail`, and `errors` points at what is wrong with the input. Every answer carries `x-request-id`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Session tokens", description = "The exchange: an API key for a session token"),
        (name = "Sessions", description = "What was issued: find, read, revoke"),
        (name = "OAuth", description = "Endpoints for standard clients; their errors are those of RFC 6749"),
        (name = "API keys", description = "Make, watch, rotate and take back API keys"),
        (name = "Policy", description = "Roles, attributes and row rules: what may be granted, and what it means"),
        (name = "Audiences", description = "Who tokens are for: what they look like, how long they live, and the keys that sign them"),
        (name = "Users", description = "People: who may log in, and what they may do"),
        (name = "Service accounts", description = "Programs that own API keys"),
        (name = "Organization", description = "The organization of the calling key, and its settings"),
        (name = "Audit", description = "What was changed, by whom, and when"),
        (name = "Policy", description = "Roles, attributes, and what they lead to"),
        (name = "Account", description = "Who is asking"),
        (name = "Verifiers", description = "Public keys and metadata for those who verify tokens"),
        (name = "Operation", description = "For load balancers, supervisors and monitoring"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&SecuritySchemes),
)]
pub(crate) struct ApiDocument;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                name,
                description,
            )))
        };
        components.add_security_scheme("ApiKeyHeader", header("x-api-key", "An API key, `jtn_…`."));
        components.add_security_scheme(
            "Bearer",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.description = Some("An API key, `jtn_…`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "SessionToken",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.bearer_format = Some("JWT".into());
                bearer.description = Some("A session token, `eyJ…`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "MetricsToken",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.description =
                    Some("The token of the setting `metrics.token`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "Basic",
            SecurityScheme::Http({
                let mut basic = Http::new(HttpAuthScheme::Basic);
                basic.description = Some(
                    "An API key, `jtn_…`, as the password; the user name does not matter.".into(),
                );
                basic
            }),
        );
        components.add_security_scheme(
            "ApiKeyAuthorization",
            header(
                "Authorization",
                "The word `ApiKey`, a space, and an API key: `ApiKey jtn_…`.",
            ),
        );
    }
}

/// The document of this version of Jeton.
pub fn document() -> OpenApi {
    let mut document = ApiDocument::openapi();
    document.merge(crate::router::routes().into_openapi());
    document
}

/// The document as indented JSON, as it is committed and served.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> =
        LazyLock::new(|| document().to_pretty_json().unwrap_or_default());
    &JSON
}

/// What any operation can answer that needs a caller.
pub(crate) struct CallerProblems;

impl IntoResponses for CallerProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("400", "The request has more than one API key"),
            (
                "401",
                "The API key is missing, not valid, expired, disabled or revoked",
            ),
            (
                "403",
                "The API key may not do this, or not from this address",
            ),
            (
                "429",
                "Too many requests, or too many API keys that were not valid; see `Retry-After`",
            ),
            ("500", "A fault in the server"),
            (
                "503",
                "The database cannot answer at the moment, and nothing was done; see `Retry-After`",
            ),
        ])
    }
}

/// What any operation can answer that reads a body.
pub(crate) struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (
                "400",
                "The body is not JSON, or has duplicate keys; or the request has more than one API key",
            ),
            ("408", "The body did not arrive in time"),
            ("413", "The body is longer than 64 KiB"),
            ("415", "The body is not `application/json`"),
            ("422", "A field is unknown, missing or wrong"),
        ])
    }
}

/// What the renewal of a token can answer.
pub(crate) struct RenewalProblems;

impl IntoResponses for RenewalProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("400", "The request has a body"),
            (
                "401",
                "`token_not_active`: this is no session token, or it ended too long ago",
            ),
            (
                "403",
                "`session_ended`: the session is over or was revoked, and a new one begins with the backend; `origin_not_authorized`; `not_renewable`",
            ),
            ("409", "`already_renewed`: the token was traded before"),
            (
                "422",
                "What the token grants would not be granted any more; `code` is one of those of issuing",
            ),
            (
                "429",
                "Too many tokens from this address that were not valid; see `Retry-After`",
            ),
            ("500", "A fault in the server"),
            (
                "503",
                "The database cannot answer at the moment, and nothing was done; see `Retry-After`",
            ),
        ])
    }
}

/// What an operation can answer that reads a policy.
pub(crate) struct PolicyBodyProblems;

impl IntoResponses for PolicyBodyProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (
                "400",
                "The body is not what its media type says, or has duplicate keys",
            ),
            ("408", "The body did not arrive in time"),
            ("413", "The body is longer than 32 MiB"),
            (
                "415",
                "The body is of a media type that no policy is read from",
            ),
            (
                "422",
                "A field is unknown, missing or of the wrong type, or the policy would be wrong: `invalid_policy`, with every fault in `errors`",
            ),
        ])
    }
}

fn problems(descriptions: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let problem = |description: &str| {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", Content::new(Some(schema)))
            .build()
    };
    descriptions
        .iter()
        .map(|(status, description)| ((*status).to_owned(), RefOr::T(problem(description))))
        .collect()
}
