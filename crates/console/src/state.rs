use std::sync::Arc;

use token_issuer::Services;

use crate::pages::WhatIfs;
use crate::single_sign_on::SingleSignOn;

/// What every page can reach; cheap to clone.
#[derive(Clone, Debug)]
pub struct ConsoleState {
    /// The services.
    pub services: Arc<Services>,
    /// The providers through which people may sign in.
    pub single_sign_on: SingleSignOn,
    /// Policies that are being tried out.
    pub(crate) what_ifs: Arc<WhatIfs>,
}

impl ConsoleState {
    /// The state of a console over these services.
    pub fn new(services: Arc<Services>, single_sign_on: SingleSignOn) -> Self {
        Self {
            services,
            single_sign_on,
            what_ifs: Arc::default(),
        }
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
