use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::users::Email;
use crate::{Slug, UserRole};

/// Google lets anybody have an account with an address of any domain; only `hd` says that the domain's owner made it.
const GOOGLE: &str = "https://accounts.google.com";

/// Who somebody is, as a provider has proven it: its answer was checked before.
#[derive(Clone, Debug)]
pub struct ProvenIdentity {
    /// The provider's own name for itself: `iss` of OpenID Connect, or the address of another kind of provider.
    pub issuer: String,
    /// Who it is there: `sub`. It never changes, unlike the address.
    pub subject: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Has the provider made sure that the address is this person's?
    pub email_verified: bool,
    /// The name for people.
    pub name: Option<String>,
    /// The groups that the provider says the person is in.
    pub groups: Vec<String>,
    /// Google's `hd`: the domain whose owner manages the account.
    pub hosted_domain: Option<String>,
}

/// Whom a provider may sign in, and as what.
///
/// An identity is let in when its verified address is of an allowed domain, or when it is in an allowed group. With
/// neither, nobody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRules {
    /// The provider's name here, in the audit trail and in lists of sessions.
    pub name: String,
    /// The organization that it signs people in to.
    pub organization: Slug,
    /// Are users made for identities that belong to nobody yet?
    #[serde(default)]
    pub create_users: bool,
    /// Domains of addresses, each as it stands: subdomains are others. Upper and lower case are alike.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Groups.
    #[serde(default)]
    pub allowed_groups: Vec<String>,
    /// The role of each group's members; the strongest counts. Users in none of these groups keep theirs.
    #[serde(default)]
    pub role_mapping: BTreeMap<String, UserRole>,
    /// The role of users that are made and in none of these groups; viewer when it is not set.
    #[serde(default)]
    pub default_role: Option<UserRole>,
    /// Does Jeton ask for its own second factor, too?
    #[serde(default)]
    pub second_factor: bool,
}

impl ProvenIdentity {
    /// The address, if the provider has verified it.
    pub(super) fn verified_email(&self) -> Option<Email> {
        let email = self.email.as_deref().filter(|_| self.email_verified)?;
        Email::parse(email).ok()
    }
}

impl ProviderRules {
    /// May this identity sign in at all?
    pub(super) fn admit(&self, identity: &ProvenIdentity) -> bool {
        let in_group = identity
            .groups
            .iter()
            .any(|group| self.allowed_groups.contains(group));
        in_group || self.admit_by_domain(identity)
    }

    fn admit_by_domain(&self, identity: &ProvenIdentity) -> bool {
        let allowed = |domain: &str| {
            let mut domains = self.allowed_domains.iter();
            domains.any(|it| it.to_lowercase() == domain.to_lowercase())
        };
        let of_domain = identity
            .verified_email()
            .is_some_and(|email| allowed(email.domain()));
        let hosted = match &identity.hosted_domain {
            Some(domain) => allowed(domain),
            None => identity.issuer != GOOGLE,
        };
        of_domain && hosted
    }

    /// The strongest role of the identity's groups; `None` when none of them has one.
    pub(super) fn mapped_role(&self, identity: &ProvenIdentity) -> Option<UserRole> {
        let groups = identity.groups.iter();
        // The strongest role is the least.
        groups
            .filter_map(|group| self.role_mapping.get(group))
            .min()
            .copied()
    }

    /// The role of a user that is made for the identity.
    pub(super) fn first_role(&self, identity: &ProvenIdentity) -> UserRole {
        self.mapped_role(identity)
            .or(self.default_role)
            .unwrap_or(UserRole::Viewer)
    }
}
