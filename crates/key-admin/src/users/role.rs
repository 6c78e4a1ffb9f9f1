use serde::{Deserialize, Serialize};

use super::UserError;
use crate::{Act, Actor};

/// What a user may do in the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Everything, other owners included. An organization always has one.
    Owner,
    /// Everything but owners.
    Admin,
    /// Tokens, and own keys; reading those of others.
    Member,
    /// Reading.
    Viewer,
}

impl UserRole {
    /// All there are, from the strongest to the weakest.
    pub const ALL: &[Self] = &[Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// The name in requests, answers and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// May its bearer's keys make and change keys of others?
    pub(crate) fn manages_keys_of_others(self) -> bool {
        match self {
            Self::Owner | Self::Admin => true,
            Self::Member | Self::Viewer => false,
        }
    }

    /// Does it allow what the other one does not?
    pub fn is_stronger_than(self, other: Self) -> bool {
        self < other
    }
}

impl std::fmt::Display for UserRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The strongest role that an actor may hand out, take away, or change the bearer of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach(UserRole);

impl Reach {
    /// Of somebody with the role `by`. Without a role, the command line reaches everything; a key of a service account
    /// reaches what an admin does.
    pub(crate) fn of(act: &Act, by: Option<UserRole>) -> Self {
        Self(match (act.actor, by) {
            (_, Some(role)) => role,
            (Actor::CommandLine, None) => UserRole::Owner,
            (Actor::ApiKey(_) | Actor::User(_), None) => UserRole::Admin,
            // Whoever finds a key reports it and does nothing else; a stranger does nothing at all.
            (Actor::Finder | Actor::Stranger | Actor::Server, None) => UserRole::Viewer,
        })
    }

    pub(crate) fn check(self, role: UserRole) -> Result<(), UserError> {
        match role {
            role if !role.is_stronger_than(self.0) => Ok(()),
            UserRole::Owner => Err(UserError::OwnersOnly),
            UserRole::Admin | UserRole::Member | UserRole::Viewer => Err(UserError::StrongerRole),
        }
    }
}
