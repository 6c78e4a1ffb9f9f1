//! The keys of an audience over HTTP. Their private halves come in, and never go out.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use policy::operations::markers;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use storage::AudienceId;
use token_issuer::signing_keys::{ImportedKey, ListedKey, PrivateJwk};
use utoipa::ToSchema;

use crate::caller::{Caller, RequestOrigin, act};
use crate::errors::ring;
use crate::json::{JsonBody, Object, present};
use crate::problem::Problem;
use crate::query::{PathId, PathPair, invalid};
use crate::routes::principals::optional_secret;
use crate::state::ApiState;

/// A signing key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub struct SigningKeyView {
    /// Its identifier, `kid` in the JWKS: the RFC 7638 thumbprint, or random for a shared secret.
    kid: String,
    /// Where it stands in its life: `active` signs, `next` will, `previous` did and still verifies.
    #[schema(value_type = KeyStateSchema)]
    state: &'static str,
    /// When it was made or imported.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it began to sign; `null` when it has not yet.
    #[schema(required = true, format = DateTime)]
    activated_at: Option<String>,
}

/// Where a signing key stands in its life.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SigningKeyState)]
pub enum KeyStateSchema {
    /// It signs.
    Active,
    /// Published, so that verifiers know it before it signs.
    Next,
    /// Published until the last token that it signed has ended.
    Previous,
}

/// The keys of an audience: the one that signs first, then the next, then those that signed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyList {
    /// The keys.
    data: Vec<SigningKeyView>,
}

/// A private key that was made elsewhere, in one of three forms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "secret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" }))]
pub struct ImportSigningKeyRequest {
    /// PEM text with one private key that is not encrypted: PKCS #8, SEC 1 or PKCS #1.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = String, required = false, format = Password, write_only)]
    pem: Option<SecretString>,
    /// A JWK (RFC 7517) with its private members; RSA keys with all of them. Its `kid` is not kept.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = PrivateJwkSchema, required = false, write_only)]
    jwk: Option<Object<PrivateJwk>>,
    /// For HS256: the shared secret in base64url without padding; 32 to 1024 bytes.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = String, required = false, format = Password, write_only, pattern = "^[A-Za-z0-9_-]{43,1366}$")]
    secret: Option<SecretString>,
}

/// A JWK with its private members (RFC 7517). Members that are not listed are not looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrivateJwk)]
pub struct PrivateJwkSchema {
    /// The type of key: `EC`, `OKP`, `RSA` or `oct`.
    kty: String,
    /// The curve, of `EC` and `OKP`.
    #[schema(required = false)]
    crv: String,
    /// The algorithm; that of the audience, if there.
    #[schema(required = false)]
    alg: String,
    /// What the key is for; `sig`, if there.
    #[serde(rename = "use")]
    #[schema(required = false)]
    purpose: String,
    /// The first coordinate, or the public key of `OKP`.
    #[schema(required = false)]
    x: String,
    /// The second coordinate.
    #[schema(required = false)]
    y: String,
    /// The modulus of `RSA`.
    #[schema(required = false)]
    n: String,
    /// The public exponent of `RSA`.
    #[schema(required = false)]
    e: String,
    /// The private key, or the private exponent of `RSA`.
    #[schema(required = false)]
    d: String,
    /// The first prime of `RSA`.
    #[schema(required = false)]
    p: String,
    /// The second prime of `RSA`.
    #[schema(required = false)]
    q: String,
    /// The first exponent of `RSA`.
    #[schema(required = false)]
    dp: String,
    /// The second exponent of `RSA`.
    #[schema(required = false)]
    dq: String,
    /// The coefficient of `RSA`.
    #[schema(required = false)]
    qi: String,
    /// The secret of `oct`.
    #[schema(required = false)]
    k: String,
}

impl ImportSigningKeyRequest {
    /// The key, and where in the request it stands.
    fn key(self) -> Result<(ImportedKey, &'static str), Problem> {
        match (self.pem, self.jwk, self.secret) {
            (Some(pem), None, None) => Ok((ImportedKey::Pem(pem), "/pem")),
            (None, Some(Object(jwk)), None) => Ok((ImportedKey::Jwk(Box::new(jwk)), "/jwk")),
            (None, None, Some(secret)) => {
                Ok((ImportedKey::Secret(secret_bytes(&secret)?), "/secret"))
            }
            _ => {
                let detail = "A key is one of `pem`, `jwk` and `secret`.";
                Err(invalid("", "conflicting_fields", detail))
            }
        }
    }
}

/// The bytes of a shared secret in base64url without padding.
pub fn secret_bytes(text: &SecretString) -> Result<SecretSlice<u8>, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.expose_secret());
    bytes.map(SecretSlice::from).map_err(|_| {
        let detail = "A secret is base64url without padding.";
        invalid("/secret", "unusable_key", detail)
    })
}

impl From<ListedKey> for SigningKeyView {
    fn from(key: ListedKey) -> Self {
        Self {
            kid: key.kid,
            state: key.state.as_str(),
            created_at: key.created_at.to_string(),
            activated_at: key.activated_at.map(|at| at.to_string()),
        }
    }
}

impl From<Vec<ListedKey>> for SigningKeyList {
    fn from(keys: Vec<ListedKey>) -> Self {
        Self {
            data: keys.into_iter().map(SigningKeyView::from).collect(),
        }
    }
}

/// List the keys of an audience
///
/// Those in use. A key that was retired is not among them.
#[utoipa::path(
    get,
    path = "/v1/audiences/{id}/signing-keys",
    operation_id = "listSigningKeys",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The keys", body = SigningKeyList),
        (status = 404, description = "The organization has no such audience: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_signing_keys(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListSigningKeys>,
    PathId(id): PathId<AudienceId>,
) -> Result<Json<SigningKeyList>, Problem> {
    let issuer = &state.services.issuer;
    let keys = issuer.signing_keys(caller.organization(), id).await?;
    Ok(Json(keys.into()))
}

/// Let the next key sign
///
/// From now on. The one that signed stays published until its last token has ended, and another next one is made. Refused
/// with 409 as long as verifiers may not know the next key yet. Of HS256 the next key is a secret that no consumer knows:
/// import the consumer's new one instead.
#[utoipa::path(
    post,
    path = "/v1/audiences/{id}/signing-keys/rotate",
    operation_id = "rotateSigningKey",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The keys as they are now", body = SigningKeyList),
        (status = 404, description = "The organization has no such audience: `not_found`"),
        (status = 409, description = "`next_key_too_new`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn rotate_signing_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::RotateSigningKey>,
    PathId(id): PathId<AudienceId>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<Json<SigningKeyList>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let issuer = &state.services.issuer;
    issuer.rotate_signing_key(&act, organization, id).await?;
    let keys = issuer.signing_keys(organization, id).await?;
    Ok(Json(keys.into()))
}

/// Import a key
///
/// It takes the place of the next key, and signs after a rotation. A shared secret, which nobody has to learn from a JWKS,
/// signs at once; tokens that the one before signed verify nowhere any more.
#[utoipa::path(
    post,
    path = "/v1/audiences/{id}/signing-keys/import",
    operation_id = "importSigningKey",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    request_body = ImportSigningKeyRequest,
    responses(
        (status = 201, description = "The key", body = SigningKeyView),
        (status = 404, description = "The organization has no such audience: `not_found`"),
        (status = 409, description = "`already_exists`"),
        (status = 422, description = "`unusable_key`, `conflicting_fields`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn import_signing_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ImportSigningKey>,
    PathId(id): PathId<AudienceId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<ImportSigningKeyRequest>,
) -> Result<(StatusCode, Json<SigningKeyView>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let (key, place) = body.key()?;
    let issuer = &state.services.issuer;
    let added = issuer.import_signing_key(&act, organization, id, key).await;
    let added = added.map_err(|error| ring(error, place))?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// Retire a key in an emergency
///
/// At once: its tokens verify nowhere any more where the JWKS is read anew. If it is the one that signs, the next does from
/// now on, even if some verifiers have to learn of it first.
#[utoipa::path(
    post,
    path = "/v1/audiences/{id}/signing-keys/{kid}/retire",
    operation_id = "retireSigningKey",
    tag = "Audiences",
    params(
        ("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$"),
        ("kid" = String, Path, description = "The key's identifier"),
    ),
    responses(
        (status = 200, description = "The keys as they are now", body = SigningKeyList),
        (status = 404, description = "The organization has no such audience, or that no such key in use: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn retire_signing_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::RetireSigningKey>,
    PathPair(id, kid): PathPair<AudienceId, String>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<Json<SigningKeyList>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let issuer = &state.services.issuer;
    issuer
        .retire_signing_key(&act, organization, id, &kid)
        .await?;
    let keys = issuer.signing_keys(organization, id).await?;
    Ok(Json(keys.into()))
}
