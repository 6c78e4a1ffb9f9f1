use std::net::IpAddr;

use storage::PrincipalId;

use crate::{Act, Actor};

/// The longest name of a browser that is kept, in characters.
const MAX_USER_AGENT: usize = 200;

/// Where somebody signs in from.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The client's address.
    pub address: IpAddr,
    /// What the browser calls itself: at most 200 characters, none of them control characters. It proves nothing.
    user_agent: String,
    /// The HTTP request, where there is one.
    pub request_id: Option<String>,
}

impl Browser {
    /// Takes what the request says. What does not fit of the browser's name is left out.
    pub fn new(address: IpAddr, user_agent: &str, request_id: Option<String>) -> Self {
        let shown = user_agent.chars().filter(|c| !c.is_control());
        Self {
            address,
            user_agent: shown.take(MAX_USER_AGENT).collect(),
            request_id,
        }
    }

    /// What the browser calls itself.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    pub(super) fn act_of(&self, user: PrincipalId) -> Act {
        self.act(Actor::User(user))
    }

    pub(super) fn act(&self, actor: Actor) -> Act {
        Act {
            actor,
            client: Some(self.address),
            request_id: self.request_id.clone(),
        }
    }
}
