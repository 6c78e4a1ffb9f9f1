//! Single sign-on: the round trip through a provider, up to who somebody is. Who is let in and as what is for
//! `key_admin::sign_in` to say.
//!
//! | file | what it gives |
//! |---|---|
//! | `settings` | what an operator configures, and what is wrong with it |
//! | `provider` | one provider: where to send the browser, and what its answer proves |
//! | `discovery` | what an OpenID Connect provider says about itself, kept for an hour |
//! | `client` | the protocol's client, put together from the crate `openidconnect` |
//! | `identity` | claims, read into an identity |
//! | `fetch` | HTTP to providers: https only, no redirects, bounded in time and size |
//! | `failure` | why a round trip failed: a page for the person, a reason for the log |
//!
//! Both kinds of provider go the way of the authorization code ([OpenID Connect
//! Core](https://openid.net/specs/openid-connect-core-1_0.html), [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749)) with
//! PKCE ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636), S256).

mod client;
mod discovery;
mod failure;
mod fetch;
mod identity;
mod provider;
mod settings;

use std::sync::Arc;

use secrecy::SecretString;

pub(crate) use failure::RoundTripFailure;
pub(crate) use provider::{Answer, Provider};
pub use settings::{OAuth2Settings, ProviderKind, ProviderSettings};

/// The configured providers; none by default.
#[derive(Clone, Debug, Default)]
pub struct SingleSignOn {
    providers: Arc<[Provider]>,
}

/// The providers are not usable as they are configured.
#[derive(Debug, thiserror::Error)]
pub enum SingleSignOnError {
    /// Settings that cannot work, one text each.
    #[error("{}", .0.join("; "))]
    Settings(Vec<String>),
    /// No HTTP client could be made.
    #[error("no HTTP client for single sign-on: {0}")]
    Client(#[source] reqwest::Error),
}

impl SingleSignOn {
    /// Providers with the secrets of Jeton's clients there. Asks none of them anything yet.
    pub fn new(
        providers: Vec<(ProviderSettings, SecretString)>,
    ) -> Result<Self, SingleSignOnError> {
        let faults = Self::faults(providers.iter().map(|(settings, _)| settings));
        if !faults.is_empty() {
            return Err(SingleSignOnError::Settings(faults));
        }
        let providers = providers.into_iter();
        let providers: Result<Vec<Provider>, _> = providers
            .map(|(settings, secret)| Provider::new(settings, secret))
            .collect();
        Ok(Self {
            providers: providers?.into(),
        })
    }

    /// Everything that is wrong with these settings.
    pub fn faults<'a>(settings: impl IntoIterator<Item = &'a ProviderSettings>) -> Vec<String> {
        settings::faults(&settings.into_iter().collect::<Vec<_>>())
    }

    /// The provider of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|it| it.name() == name)
    }

    /// All of them, in the order of the configuration.
    pub(crate) fn providers(&self) -> &[Provider] {
        &self.providers
    }
}
