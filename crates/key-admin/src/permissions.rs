//! What a caller may do, in the words of the API.

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One thing that an API key, or a user's role, allows. Which operations it opens is one table in the
        /// `policy` crate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Permission {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in requests and answers.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

permissions! {
    /// Exchange the key for session tokens.
    TokensIssue = "tokens:issue",
    /// Read API keys and their usage.
    KeysRead = "keys:read",
    /// Make, edit, rotate, revoke and delete API keys.
    KeysWrite = "keys:write",
    /// Read users and service accounts.
    UsersRead = "users:read",
    /// Make and change users and service accounts.
    UsersWrite = "users:write",
    /// Read the audit trail.
    AuditRead = "audit:read",
    /// Read the organization's settings.
    OrganizationRead = "organization:read",
    /// Change the organization's settings.
    OrganizationWrite = "organization:write",
    /// Read the policy, and try out requests and other policies.
    PolicyRead = "policy:read",
    /// Change the policy.
    PolicyWrite = "policy:write",
    /// Ask what a token allows.
    TokensIntrospect = "tokens:introspect",
    /// Revoke sessions, one or many.
    TokensRevoke = "tokens:revoke",
    /// Find and read sessions.
    SessionsRead = "sessions:read",
}

impl Permission {
    /// Does it only read?
    pub fn is_read(self) -> bool {
        self.as_str().ends_with(":read")
    }

    /// The permissions that a name stands for: its own, those that read for `read`, all for `write`.
    pub fn expand(name: &str) -> Result<Vec<Self>, UnknownPermission> {
        let all = Self::ALL.iter().copied();
        let found: Vec<Self> = match name {
            "read" => all.filter(|permission| permission.is_read()).collect(),
            "write" => all.collect(),
            name => all
                .filter(|permission| permission.as_str() == name)
                .collect(),
        };
        if found.is_empty() {
            Err(UnknownPermission)
        } else {
            Ok(found)
        }
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such permission; there are read, write, and {}", names())]
pub struct UnknownPermission;

fn names() -> String {
    let names: Vec<_> = Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_expand_to_fine_permissions() {
        assert_eq!(Permission::expand("write"), Ok(Permission::ALL.to_vec()));
        let read = Permission::expand("read").unwrap();
        assert!(read.contains(&Permission::KeysRead) && !read.contains(&Permission::TokensIssue));
        assert_eq!(
            Permission::expand("keys:write"),
            Ok(vec![Permission::KeysWrite])
        );
        assert_eq!(Permission::expand("everything"), Err(UnknownPermission));
    }
}
