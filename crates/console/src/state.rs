use std::sync::Arc;

use token_issuer::Services;

/// What every page can reach; cheap to clone.
#[derive(Clone, Debug)]
pub struct ConsoleState {
    /// The services.
    pub services: Arc<Services>,
}

impl ConsoleState {
    /// The state of a console over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    /// The address that people and programs use.
    pub(crate) fn url(&self) -> &str {
        self.services.issuer.public_url().as_str()
    }

    /// Is the console reached without TLS? Only `jeton dev`, and servers on the same machine, are.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.services.issuer.public_url().is_plain_http()
    }
}
