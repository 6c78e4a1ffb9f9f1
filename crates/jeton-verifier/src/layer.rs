//! A [`tower`] layer that lets a request through only with a good token, for axum and everything else on tower.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::claims::Claims;
use crate::clock;
use crate::verifier::{Verifier, VerifyError};

/// What a [`BearerLayer`] asks about a token.
pub trait VerifyToken: Send + Sync + 'static {
    /// Verifies a token now.
    fn verify_token(&self, token: &str)
    -> impl Future<Output = Result<Claims, VerifyError>> + Send;
}

impl VerifyToken for Verifier {
    async fn verify_token(&self, token: &str) -> Result<Claims, VerifyError> {
        self.verify(token, clock::unix_seconds())
    }
}

#[cfg(feature = "client")]
impl VerifyToken for crate::RemoteVerifier {
    async fn verify_token(&self, token: &str) -> Result<Claims, VerifyError> {
        self.verify(token).await
    }
}

/// A scope with characters that [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3) does not
/// allow in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one scope of RFC 6749")]
pub struct InvalidScope;

/// Takes the token from `Authorization: Bearer …`, verifies it and puts its [`Claims`] into the request's extensions.
///
/// Otherwise it answers by itself, with an empty body and, as
/// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3) says, `WWW-Authenticate`: 401 without a token, 401
/// `invalid_token` with a bad one, 400 `invalid_request` with two, 403 `insufficient_scope` if it lacks a required
/// scope; and 503 if keys or revocations cannot be had. The answer never says what is wrong with a token.
pub struct BearerLayer<V> {
    verifier: Arc<V>,
    scopes: Arc<[String]>,
}

/// The service that [`BearerLayer`] makes.
pub struct BearerService<S, V> {
    inner: S,
    layer: BearerLayer<V>,
}

/// Why a request is answered here.
enum Refusal {
    NoToken,
    BadRequest,
    BadToken,
    Scope(String),
    Unavailable,
}

impl<V: VerifyToken> BearerLayer<V> {
    /// Lets a request through if its token is good.
    pub fn new(verifier: V) -> Self {
        Self {
            verifier: Arc::new(verifier),
            scopes: Arc::default(),
        }
    }

    /// Lets a request through only if its token carries this scope as well.
    pub fn require_scope(mut self, scope: impl Into<String>) -> Result<Self, InvalidScope> {
        let scope = scope.into();
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if scope.is_empty() || !scope.bytes().all(allowed) {
            return Err(InvalidScope);
        }
        self.scopes = self.scopes.iter().cloned().chain([scope]).collect();
        Ok(self)
    }

    async fn claims(&self, headers: &HeaderMap) -> Result<Claims, Refusal> {
        let token = bearer(headers)?;
        let claims = self.verifier.verify_token(token).await.map_err(|error| {
            if error.is_unavailable() {
                Refusal::Unavailable
            } else {
                Refusal::BadToken
            }
        })?;
        match self.scopes.iter().find(|scope| !claims.has_scope(scope)) {
            Some(missing) => Err(Refusal::Scope(missing.clone())),
            None => Ok(claims),
        }
    }
}

/// RFC 6750 section 2.1; the scheme is case-insensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Refusal::NoToken),
        (Some(_), Some(_)) => return Err(Refusal::BadRequest),
        (Some(value), None) => value.to_str().map_err(|_| Refusal::BadToken)?,
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        None if value.eq_ignore_ascii_case("bearer") => Err(Refusal::BadToken),
        _ => Err(Refusal::NoToken),
    }
}

impl Refusal {
    fn response<B: Default>(self) -> Response<B> {
        let (status, challenge) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, Some("Bearer".to_owned())),
            Self::BadRequest => (StatusCode::BAD_REQUEST, Some(error("invalid_request"))),
            Self::BadToken => (StatusCode::UNAUTHORIZED, Some(error("invalid_token"))),
            Self::Scope(scope) => {
                let challenge = format!("{}, scope=\"{scope}\"", error("insufficient_scope"));
                (StatusCode::FORBIDDEN, Some(challenge))
            }
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = Response::new(B::default());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(Ok(challenge)) = challenge.map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn error(code: &str) -> String {
    format!("Bearer error=\"{code}\"")
}

impl<V> Clone for BearerLayer<V> {
    fn clone(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
            scopes: Arc::clone(&self.scopes),
        }
    }
}

impl<S: Clone, V> Clone for BearerService<S, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S, V> Layer<S> for BearerLayer<V> {
    type Service = BearerService<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, V, B, R> Service<Request<B>> for BearerService<S, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    V: VerifyToken,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready is used; its clone may not be ready.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.claims(&parts.headers).await {
                Ok(claims) => {
                    parts.extensions.insert(claims);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refusal) => Ok(refusal.response()),
            }
        })
    }
}
