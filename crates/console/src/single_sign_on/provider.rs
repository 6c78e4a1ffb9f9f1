use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use key_admin::sign_in::{ProvenIdentity, ProviderAttempt, ProviderRules};
use openidconnect::core::CoreResponseType;
use openidconnect::{
    AsyncHttpClient, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, CsrfToken,
    HttpRequest, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, SignatureVerificationError, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;
use url::Url;

use super::SingleSignOnError;
use super::client::{Client, Registration, Tokens, not_exchanged};
use super::discovery::{Discovery, Metadata};
use super::failure::RoundTripFailure;
use super::fetch::Fetcher;
use super::identity::{Address, ClaimNames, ListedAddress, Said, primary};
use super::settings::{OAuth2Settings, ProviderKind, ProviderSettings};

/// How long a provider may take for all that one page asks of it.
const PATIENCE: Duration = Duration::from_secs(8);

/// One provider.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    settings: Arc<ProviderSettings>,
    registration: Registration,
    names: ClaimNames,
    source: Source,
    http: Fetcher,
}

/// Where it is known from how to talk to the provider.
#[derive(Clone, Debug)]
enum Source {
    OpenIdConnect(Arc<Discovery>),
    OAuth2(OAuth2Settings),
}

/// What a browser brings back.
pub(crate) struct Answer {
    /// What is exchanged for tokens.
    pub(crate) code: SecretString,
    /// The issuer that the answer names (RFC 9207).
    pub(crate) issuer: Option<String>,
}

/// The client, and what an OpenID Connect provider says about itself.
type Connected = (Client, Option<Arc<Metadata>>);

impl Provider {
    pub(super) fn new(
        settings: ProviderSettings,
        secret: SecretString,
    ) -> Result<Self, SingleSignOnError> {
        let http = Fetcher::new(settings.is_plain()).map_err(SingleSignOnError::Client)?;
        let (source, subject, name) = match &settings.kind {
            ProviderKind::OpenIdConnect => {
                let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| {
                    SingleSignOnError::Settings(vec!["`issuer` is no address".into()])
                })?;
                let discovery = Arc::new(Discovery::new(issuer));
                (Source::OpenIdConnect(discovery), None, None)
            }
            ProviderKind::OAuth2(own) => (
                Source::OAuth2(own.clone()),
                own.subject_claim.clone(),
                own.name_claim.clone(),
            ),
        };
        let names = ClaimNames {
            subject: subject.unwrap_or_else(|| "sub".into()),
            name: name.unwrap_or_else(|| "name".into()),
            groups: settings.groups_claim.clone(),
        };
        let registration = Registration {
            client_id: settings.client_id.clone(),
            secret,
        };
        Ok(Self {
            settings: Arc::new(settings),
            registration,
            names,
            source,
            http,
        })
    }

    /// Its name in URLs.
    pub(crate) fn name(&self) -> &str {
        &self.settings.rules.name
    }

    /// The text of its button.
    pub(crate) fn title(&self) -> &str {
        &self.settings.title
    }

    /// Who is let in, and as what.
    pub(crate) fn rules(&self) -> &ProviderRules {
        &self.settings.rules
    }

    /// The way to the provider for browsers that begin now.
    pub(crate) async fn departure(&self, public_url: &str) -> Result<Departure, RoundTripFailure> {
        let (client, _) = within_patience(self.connect(public_url)).await?;
        let scopes = self.settings.scopes();
        Ok(Departure { client, scopes })
    }

    /// Who the provider says it is, proven.
    pub(crate) async fn arrival(
        &self,
        public_url: &str,
        answer: Answer,
        attempt: &ProviderAttempt,
    ) -> Result<ProvenIdentity, RoundTripFailure> {
        within_patience(async {
            let (client, metadata) = self.connect(public_url).await?;
            if let Some(metadata) = &metadata {
                check_issuer(metadata, answer.issuer.as_deref())?;
            }
            let tokens = self.exchange(&client, answer.code, attempt).await?;
            let said = match (&self.source, metadata) {
                (Source::OpenIdConnect(discovery), Some(metadata)) => {
                    self.by_id_token(discovery, metadata, &tokens, attempt)
                        .await?
                }
                (Source::OAuth2(settings), _) => self.by_access_token(settings, &tokens).await?,
                (Source::OpenIdConnect(_), None) => Said::default(),
            };
            said.at(&self.settings.issuer)
        })
        .await
    }

    async fn connect(&self, public_url: &str) -> Result<Connected, RoundTripFailure> {
        let name = self.name();
        let no_address = |_| RoundTripFailure::Unavailable("an address is none".into());
        let callback = format!("{public_url}/console/sign-in/callback/{name}");
        let callback = RedirectUrl::new(callback).map_err(no_address)?;
        match &self.source {
            Source::OpenIdConnect(discovery) => {
                let metadata = discovery.current(&self.http).await?;
                let client = self.registration.at(&metadata, &self.http, callback)?;
                Ok((client, Some(metadata)))
            }
            Source::OAuth2(settings) => {
                let client = self.registration.with(settings, callback);
                Ok((client.map_err(no_address)?, None))
            }
        }
    }

    async fn exchange(
        &self,
        client: &Client,
        code: SecretString,
        attempt: &ProviderAttempt,
    ) -> Result<Tokens, RoundTripFailure> {
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let verifier = PkceCodeVerifier::new(attempt.pkce_verifier.expose_secret().to_owned());
        let request = client.exchange_code(code).set_pkce_verifier(verifier);
        let tokens = request.request_async(&self.http).await;
        tokens.map_err(not_exchanged)
    }

    /// The ID token is what proves; user information of the same subject completes it.
    async fn by_id_token(
        &self,
        discovery: &Discovery,
        mut metadata: Arc<Metadata>,
        tokens: &Tokens,
        attempt: &ProviderAttempt,
    ) -> Result<Said, RoundTripFailure> {
        let mut said = self.checked(&metadata, tokens, attempt);
        if matches!(said, Err(NotChecked::UnknownKey)) {
            metadata = discovery.after(&self.http, &metadata).await?;
            said = self.checked(&metadata, tokens, attempt);
        }
        let said = said?;
        let wants_groups = self.names.groups.is_some() && said.groups.is_none();
        let Some(endpoint) = metadata.userinfo_endpoint() else {
            return Ok(said);
        };
        if said.email.is_some() && !wants_groups {
            return Ok(said);
        }
        let document: Map<String, Value> = self.ask(endpoint.url(), tokens).await?;
        // The subject of OpenID Connect has this name in every document.
        let further = Said::by_document(&document, &self.names);
        if further.subject != said.subject {
            return Err(RoundTripFailure::unproven(
                "the user information is of another subject",
            ));
        }
        Ok(said.or(further))
    }

    /// Checks signature, issuer, audience, expiry, nonce and authorized party.
    fn checked(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        attempt: &ProviderAttempt,
    ) -> Result<Said, NotChecked> {
        let token = tokens.id_token();
        let token = token.ok_or_else(|| NotChecked::Wrong("there is no ID token".into()))?;
        let verifier = self.registration.verifier(metadata);
        let nonce = Nonce::new(attempt.nonce.expose_secret().to_owned());
        let claims = token.claims(&verifier, &nonce).map_err(NotChecked::from)?;
        let party = claims.authorized_party();
        if party.is_some_and(|party| **party != self.registration.client_id) {
            return Err(NotChecked::Wrong("it is for another client".into()));
        }
        Ok(Said::by_id_token(claims, &self.names))
    }

    async fn by_access_token(
        &self,
        settings: &OAuth2Settings,
        tokens: &Tokens,
    ) -> Result<Said, RoundTripFailure> {
        let document: Map<String, Value> = self.ask_at(&settings.userinfo_endpoint, tokens).await?;
        let said = Said::by_document(&document, &self.names);
        let Some(endpoint) = &settings.emails_endpoint else {
            return Ok(said);
        };
        let list: Vec<ListedAddress> = self.ask_at(endpoint, tokens).await?;
        let email: Option<Address> = primary(list);
        Ok(Said { email, ..said })
    }

    async fn ask_at<T: DeserializeOwned>(
        &self,
        address: &str,
        tokens: &Tokens,
    ) -> Result<T, RoundTripFailure> {
        let url = Url::parse(address);
        let url = url.map_err(|_| RoundTripFailure::Unavailable("an address is none".into()))?;
        self.ask(&url, tokens).await
    }

    /// A JSON document that the access token opens.
    async fn ask<T: DeserializeOwned>(
        &self,
        url: &Url,
        tokens: &Tokens,
    ) -> Result<T, RoundTripFailure> {
        let bearer = format!("Bearer {}", tokens.access_token().secret());
        let bearer = HeaderValue::try_from(bearer);
        let mut bearer =
            bearer.map_err(|_| RoundTripFailure::unproven("the access token is no token"))?;
        bearer.set_sensitive(true);
        let mut request = HttpRequest::new(Vec::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = url.as_str().parse().map_err(|_| {
            RoundTripFailure::Unavailable("an address of the provider is none".into())
        })?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.http.call(request).await;
        let answer = answer.map_err(|error| RoundTripFailure::Unavailable(error.to_string()))?;
        if answer.status() != StatusCode::OK {
            let reason = format!("user information is answered with {}", answer.status());
            return Err(RoundTripFailure::Unproven(reason));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| RoundTripFailure::unproven("the user information is not readable"))
    }
}

/// The way to a provider.
pub(crate) struct Departure {
    client: Client,
    scopes: Vec<String>,
}

impl Departure {
    /// The address for the browser of this attempt.
    pub(crate) fn address(&self, state: &SecretString, attempt: &ProviderAttempt) -> Url {
        let state = CsrfToken::new(state.expose_secret().to_owned());
        let nonce = Nonce::new(attempt.nonce.expose_secret().to_owned());
        let verifier = PkceCodeVerifier::new(attempt.pkce_verifier.expose_secret().to_owned());
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = self.client.authorize_url(flow, || state, || nonce);
        let request = request
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        request.url().0
    }
}

/// Why an ID token proves nothing.
enum NotChecked {
    /// It names a key that the provider had not published when it was asked.
    UnknownKey,
    /// What is wrong with it.
    Wrong(String),
}

impl From<ClaimsVerificationError> for NotChecked {
    fn from(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as E;
        let wrong = match error {
            E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                return Self::UnknownKey;
            }
            E::SignatureVerification(SignatureVerificationError::NoSignature) => "no signature",
            E::SignatureVerification(
                SignatureVerificationError::DisallowedAlg(_)
                | SignatureVerificationError::UnsupportedAlg(_),
            ) => "a signature of a kind that is not taken",
            E::SignatureVerification(_) => "wrong signature",
            E::Expired(_) => "expired",
            E::InvalidAudience(_) => "wrong audience",
            E::InvalidIssuer(_) => "wrong issuer",
            E::InvalidNonce(_) => "wrong nonce",
            _ => "not usable",
        };
        Self::Wrong(wrong.into())
    }
}

impl From<NotChecked> for RoundTripFailure {
    fn from(error: NotChecked) -> Self {
        let reason = match error {
            NotChecked::UnknownKey => "unknown key".into(),
            NotChecked::Wrong(reason) => reason,
        };
        Self::Unproven(format!("ID token: {reason}"))
    }
}

/// RFC 9207: an answer of another provider is not taken to this one.
fn check_issuer(metadata: &Metadata, named: Option<&str>) -> Result<(), RoundTripFailure> {
    let promised = metadata
        .additional_metadata()
        .authorization_response_iss_parameter_supported;
    match named {
        None if promised => Err(RoundTripFailure::unproven("the answer names no issuer")),
        Some(named) if named != metadata.issuer().as_str() => Err(RoundTripFailure::unproven(
            "the answer is of another issuer",
        )),
        _ => Ok(()),
    }
}

async fn within_patience<T>(
    work: impl Future<Output = Result<T, RoundTripFailure>>,
) -> Result<T, RoundTripFailure> {
    let done = timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| Err(RoundTripFailure::Unavailable("it takes too long".into())))
}
