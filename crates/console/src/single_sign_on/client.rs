use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthUrl, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointNotSet, EndpointSet,
    IdTokenFields, IdTokenVerifier, IssuerUrl, RedirectUrl, RequestTokenError,
    StandardErrorResponse, StandardTokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use url::ParseError;

use super::discovery::Metadata;
use super::failure::{RoundTripFailure, known};
use super::fetch::{FetchError, Fetcher};
use super::identity::Claims;
use super::settings::OAuth2Settings;

/// The signatures that an ID token may have: of keys that only the provider holds. Neither `none` nor those made with the
/// client's own secret.
const SIGNATURES: &[CoreJwsSigningAlgorithm] = &[
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// What a code is exchanged for.
pub(super) type Tokens = StandardTokenResponse<Fields, CoreTokenType>;

type ErrorAnswer = StandardErrorResponse<CoreErrorResponseType>;

/// A client, by whether it knows where to send browsers, and where codes.
type ClientThat<Authorizes, Exchanges> = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    ErrorAnswer,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    Authorizes,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Exchanges,
    EndpointNotSet,
>;

type Unconnected = ClientThat<EndpointNotSet, EndpointNotSet>;

/// Jeton's client at a provider, knowing where to send browsers and codes.
pub(super) type Client = ClientThat<EndpointSet, EndpointSet>;

/// Who Jeton is at a provider.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub(super) client_id: String,
    pub(super) secret: SecretString,
}

impl Registration {
    /// The client at a provider that has told where its endpoints are.
    pub(super) fn at(
        &self,
        metadata: &Metadata,
        http: &Fetcher,
        callback: RedirectUrl,
    ) -> Result<Client, RoundTripFailure> {
        let authorization = metadata.authorization_endpoint().clone();
        let token = metadata.token_endpoint().cloned();
        let token = token.filter(|url| http.may_ask(url.url()));
        let (Some(token), true) = (token, http.may_ask(authorization.url())) else {
            let reason = "the discovery document has no https endpoints";
            return Err(RoundTripFailure::Unavailable(reason.into()));
        };
        let client = Unconnected::new(
            ClientId::new(self.client_id.clone()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        );
        let client = client
            .set_auth_uri(authorization)
            .set_token_uri(token)
            .set_redirect_uri(callback)
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            .set_auth_type(authentication(metadata));
        Ok(client)
    }

    /// The client at a provider whose endpoints are configured.
    pub(super) fn with(
        &self,
        settings: &OAuth2Settings,
        callback: RedirectUrl,
    ) -> Result<Client, ParseError> {
        let client = Unconnected::new(
            ClientId::new(self.client_id.clone()),
            // Nothing is checked against it: there are no ID tokens.
            IssuerUrl::new(settings.authorization_endpoint.clone())?,
            CoreJsonWebKeySet::default(),
        );
        let client = client
            .disable_openid_scope()
            .set_auth_uri(AuthUrl::new(settings.authorization_endpoint.clone())?)
            .set_token_uri(TokenUrl::new(settings.token_endpoint.clone())?)
            .set_redirect_uri(callback)
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            // What GitHub documents, and others take as well.
            .set_auth_type(AuthType::RequestBody);
        Ok(client)
    }

    /// What checks the provider's ID tokens. It does not know the client's secret, so that none signed with it is taken.
    pub(super) fn verifier(&self, metadata: &Metadata) -> IdTokenVerifier<'static, CoreJsonWebKey> {
        let promised = metadata.id_token_signing_alg_values_supported();
        let usable = promised.iter().filter(|it| SIGNATURES.contains(it));
        let verifier = IdTokenVerifier::new_public_client(
            ClientId::new(self.client_id.clone()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        );
        verifier.set_allowed_algs(usable.cloned().collect::<Vec<_>>())
    }
}

/// HTTP Basic unless the provider takes the secret in the body alone.
fn authentication(metadata: &Metadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported();
    let has = |method| methods.is_some_and(|methods| methods.contains(&method));
    if has(CoreClientAuthMethod::ClientSecretPost) && !has(CoreClientAuthMethod::ClientSecretBasic)
    {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

/// Why no tokens came for a code, without the provider's own words.
pub(super) fn not_exchanged(error: RequestTokenError<FetchError, ErrorAnswer>) -> RoundTripFailure {
    match error {
        RequestTokenError::Request(error) => RoundTripFailure::Unavailable(error.to_string()),
        RequestTokenError::ServerResponse(answer) => {
            let code = known(answer.error().as_ref());
            RoundTripFailure::Unproven(format!("the code is not exchanged: {code}"))
        }
        RequestTokenError::Parse(error, _) => RoundTripFailure::Unproven(format!(
            "the token endpoint's answer is wrong at `{}`",
            error.path()
        )),
        RequestTokenError::Other(_) => {
            RoundTripFailure::unproven("the token endpoint's answer is not JSON")
        }
    }
}
