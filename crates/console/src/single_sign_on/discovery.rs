use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DiscoveryError, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::failure::RoundTripFailure;
use super::fetch::{FetchError, Fetcher};

/// How long what a provider says about itself, keys included, is used.
const KEPT: Duration = Duration::from_hours(1);

/// What the crate does not know of a discovery document.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Promises {
    /// Every authorization answer names its issuer (RFC 9207).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Promises {}

/// A discovery document and the keys that it leads to.
pub(super) type Metadata = ProviderMetadata<
    Promises,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What a provider says about itself, asked when somebody first wants it. One request at a time asks; those that have
/// waited for it take its outcome, also when it has failed.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: IssuerUrl,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    failed: Option<(String, Instant)>,
}

impl Discovery {
    pub(super) fn new(issuer: IssuerUrl) -> Self {
        Self {
            issuer,
            known: Mutex::default(),
        }
    }

    /// What is known and not too old, or what the provider says now.
    pub(super) async fn current(&self, http: &Fetcher) -> Result<Arc<Metadata>, RoundTripFailure> {
        self.unless(http, |_, fetched| fetched.elapsed() < KEPT)
            .await
    }

    /// What the provider says after `seen`, which lacks a key.
    pub(super) async fn after(
        &self,
        http: &Fetcher,
        seen: &Arc<Metadata>,
    ) -> Result<Arc<Metadata>, RoundTripFailure> {
        self.unless(http, |known, _| !Arc::ptr_eq(known, seen))
            .await
    }

    async fn unless(
        &self,
        http: &Fetcher,
        is_enough: impl Fn(&Arc<Metadata>, &Instant) -> bool,
    ) -> Result<Arc<Metadata>, RoundTripFailure> {
        let wanted = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((metadata, fetched)) = &known.metadata
            && is_enough(metadata, fetched)
        {
            return Ok(metadata.clone());
        }
        if let Some((reason, failed)) = &known.failed
            && *failed >= wanted
        {
            return Err(RoundTripFailure::Unavailable(reason.clone()));
        }
        match Metadata::discover_async(self.issuer.clone(), http).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((metadata.clone(), Instant::now()));
                Ok(metadata)
            }
            Err(error) => {
                let reason = described(&error);
                known.failed = Some((reason.clone(), Instant::now()));
                Err(RoundTripFailure::Unavailable(reason))
            }
        }
    }
}

/// Without the provider's own words.
fn described(error: &DiscoveryError<FetchError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => format!("discovery is answered with {status}"),
        DiscoveryError::Parse(error) => {
            format!("the discovery document is wrong at `{}`", error.path())
        }
        DiscoveryError::Validation(_) => "the discovery document is of another issuer".into(),
        _ => "discovery has failed".into(),
    }
}
