//! The whole service.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::middleware::{not_found, surround};
use crate::routes::{
    account, api_keys, audiences, audit_events, authorize, docs, embed, embed_tokens, health,
    metrics, oauth, organization, policy, policy_explain, policy_simulate, renewals, revocations,
    service_accounts, session_token_batch, session_tokens, sessions, users, verifiers,
};
use crate::state::ApiState;

/// The API. The OpenAPI document is made of these routes and nothing else; beside them there are only the document
/// itself, its explorer and the script for pages that embed.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(session_tokens::issue_session_token))
        .routes(routes!(renewals::renew_session_token))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::revoke_sessions))
        .routes(routes!(sessions::get_session, sessions::delete_session))
        .routes(routes!(oauth::introspect::introspect_token))
        .routes(routes!(oauth::revoke::revoke_token))
        .routes(routes!(session_token_batch::issue_session_token_batch))
        .routes(routes!(embed_tokens::generate_embed_token))
        .routes(routes!(oauth::token::exchange_token))
        .routes(routes!(account::get_account))
        .routes(routes!(
            organization::get_organization,
            organization::update_organization
        ))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(
            api_keys::get_api_key,
            api_keys::update_api_key,
            api_keys::revocation::delete_api_key
        ))
        .routes(routes!(api_keys::usage::get_api_key_usage))
        .routes(routes!(api_keys::leaks::report_leaked_api_key))
        .routes(routes!(api_keys::rotate_api_key))
        .routes(routes!(api_keys::disable_api_key))
        .routes(routes!(api_keys::enable_api_key))
        .routes(routes!(api_keys::revocation::revoke_api_key))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(
            users::get_user,
            users::update_user,
            users::delete_user
        ))
        .routes(routes!(
            service_accounts::list_service_accounts,
            service_accounts::create_service_account
        ))
        .routes(routes!(
            service_accounts::get_service_account,
            service_accounts::update_service_account,
            service_accounts::delete_service_account
        ))
        .routes(routes!(audit_events::list_audit_events))
        .routes(routes!(policy::get_policy, policy::replace_policy))
        .routes(routes!(policy::row_filters::get_row_filters))
        .routes(routes!(
            policy::roles::list_roles,
            policy::roles::create_role
        ))
        .routes(routes!(
            policy::roles::get_role,
            policy::roles::replace_role,
            policy::roles::delete_role
        ))
        .routes(routes!(
            policy::attributes::list_attributes,
            policy::attributes::create_attribute
        ))
        .routes(routes!(
            policy::attributes::get_attribute,
            policy::attributes::replace_attribute,
            policy::attributes::delete_attribute
        ))
        .routes(routes!(
            audiences::list_audiences,
            audiences::create_audience
        ))
        .routes(routes!(
            audiences::get_audience,
            audiences::update_audience,
            audiences::delete_audience
        ))
        .routes(routes!(audiences::presets::list_audience_presets))
        .routes(routes!(audiences::signing_keys::list_signing_keys))
        .routes(routes!(audiences::signing_keys::rotate_signing_key))
        .routes(routes!(audiences::signing_keys::import_signing_key))
        .routes(routes!(audiences::signing_keys::retire_signing_key))
        .routes(routes!(authorize::authorize))
        .routes(routes!(policy_explain::explain_policy))
        .routes(routes!(policy_simulate::simulate_policy))
        .routes(routes!(verifiers::get_jwks))
        .routes(routes!(verifiers::get_audience_jwks))
        .routes(routes!(revocations::get_revocations))
        .routes(routes!(verifiers::get_openid_configuration))
        .routes(routes!(verifiers::get_authorization_server_metadata))
        .routes(routes!(
            verifiers::get_authorization_server_metadata_at_root
        ))
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_readiness))
        .routes(routes!(metrics::get_metrics))
}

/// The router with everything around it, the API's own routes and those of `pages`.
pub fn service(state: &ApiState, pages: Router) -> Router {
    let (api, _) = routes().split_for_parts();
    let router = api
        .route("/openapi.json", get(docs::openapi_json))
        .route("/openapi-3.0.json", get(docs::openapi_3_0_json))
        .route("/embed/session.js", get(embed::session_script))
        .merge(docs::pages())
        .merge(pages.with_state(()));
    surrounded(router, state)
}

/// Puts the middleware around any router; tests put it around handlers that misbehave.
pub(crate) fn surrounded(router: Router<ApiState>, state: &ApiState) -> Router {
    router
        .fallback(|| async { not_found() })
        .layer(from_fn_with_state(state.clone(), surround))
        .with_state(state.clone())
}
