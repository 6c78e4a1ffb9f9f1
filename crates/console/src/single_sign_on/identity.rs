use key_admin::sign_in::ProvenIdentity;
use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::failure::RoundTripFailure;

/// The longest subject that OpenID Connect allows, in characters.
const MAX_SUBJECT: usize = 255;
/// Google's claim of the domain whose owner manages the account.
const HOSTED_DOMAIN: &str = "hd";

/// All claims of an ID token that OpenID Connect does not name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl AdditionalClaims for Claims {}

/// Where things are in a provider's documents.
#[derive(Clone, Debug)]
pub(super) struct ClaimNames {
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) groups: Option<String>,
}

/// What one document says about a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) subject: Option<String>,
    pub(super) email: Option<Address>,
    pub(super) name: Option<String>,
    /// `None` when the document has nothing about groups.
    pub(super) groups: Option<Vec<String>>,
    pub(super) hosted_domain: Option<String>,
}

/// An address and whether it is verified belong together: one document says both.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Address {
    pub(super) email: String,
    pub(super) verified: bool,
}

/// One entry of GitHub's list.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ListedAddress {
    primary: bool,
    #[serde(flatten)]
    address: Address,
}

impl Said {
    /// By an ID token that was checked.
    pub(super) fn by_id_token(
        claims: &IdTokenClaims<Claims, CoreGenderClaim>,
        names: &ClaimNames,
    ) -> Self {
        let other = &claims.additional_claims().other;
        let email = claims.email().map(|email| Address {
            email: email.as_str().to_owned(),
            verified: claims.email_verified() == Some(true),
        });
        let name = claims.name().and_then(|names| names.get(None));
        let hosted_domain = other.get(HOSTED_DOMAIN).and_then(text);
        Self {
            subject: Some(claims.subject().as_str().to_owned()),
            email,
            name: name.map(|name| name.as_str().to_owned()),
            groups: groups(other, names),
            hosted_domain,
        }
    }

    /// By a document that was asked for with the person's access token.
    pub(super) fn by_document(document: &Map<String, Value>, names: &ClaimNames) -> Self {
        let email = document.get("email").and_then(text);
        let verified = document.get("email_verified").is_some_and(is_true);
        Self {
            subject: document.get(&names.subject).and_then(identifier),
            email: email.map(|email| Address { email, verified }),
            name: document.get(&names.name).and_then(text),
            groups: groups(document, names),
            hosted_domain: None,
        }
    }

    /// Takes from another document what this one does not say.
    pub(super) fn or(self, further: Self) -> Self {
        Self {
            subject: self.subject.or(further.subject),
            email: self.email.or(further.email),
            name: self.name.or(further.name),
            groups: self.groups.or(further.groups),
            hosted_domain: self.hosted_domain,
        }
    }

    /// Who that is, at this issuer.
    pub(super) fn at(self, issuer: &str) -> Result<ProvenIdentity, RoundTripFailure> {
        let fits = |subject: &String| (1..=MAX_SUBJECT).contains(&subject.chars().count());
        let subject = self.subject.filter(fits);
        let subject = subject.ok_or_else(|| RoundTripFailure::unproven("there is no subject"))?;
        let verified = self.email.as_ref().is_some_and(|it| it.verified);
        Ok(ProvenIdentity {
            issuer: issuer.to_owned(),
            subject,
            email: self.email.map(|it| it.email),
            email_verified: verified,
            name: self.name,
            groups: self.groups.unwrap_or_default(),
            hosted_domain: self.hosted_domain,
        })
    }
}

/// The primary address, verified or not. Another one that is verified does not stand in for it.
pub(super) fn primary(list: Vec<ListedAddress>) -> Option<Address> {
    let primary = list.into_iter().find(|it| it.primary);
    primary.map(|it| it.address)
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// GitHub's identifiers are whole numbers.
fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        value => text(value),
    }
}

/// Some providers write it as text.
fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true) || value.as_str() == Some("true")
}

/// A list of names, or one name. Whatever is none is in no group.
fn groups(document: &Map<String, Value>, names: &ClaimNames) -> Option<Vec<String>> {
    match document.get(names.groups.as_ref()?)? {
        Value::Array(values) => Some(values.iter().filter_map(text).collect()),
        value => text(value).map(|group| vec![group]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(document: &Value) -> Said {
        let names = ClaimNames {
            subject: "id".into(),
            name: "name".into(),
            groups: Some("teams".into()),
        };
        Said::by_document(document.as_object().unwrap(), &names)
    }

    #[test]
    fn documents_are_read_by_the_configured_names() {
        let all = said(&json!({
            "id": 583_231, "sub": "another", "name": "Octo", "email": "o@acme.example", "email_verified": "true",
            "teams": ["ops", 7, ""], "hd": "acme.example",
        }));
        let identity = all.at("https://github.com").unwrap();
        assert_eq!(identity.subject, "583231");
        assert_eq!(identity.groups, ["ops"]);
        assert!(identity.email_verified && identity.hosted_domain.is_none());
        assert_eq!(said(&json!({ "teams": "ops" })).groups.unwrap(), ["ops"]);
    }

    #[test]
    fn nothing_but_true_is_verified() {
        for verified in [
            json!(false),
            json!(null),
            json!(1),
            json!("yes"),
            json!("True"),
            json!([true]),
        ] {
            let document =
                json!({ "id": "1", "email": "o@acme.example", "email_verified": verified });
            assert!(!said(&document).at("i").unwrap().email_verified);
        }
        let document = json!({ "id": "1", "email": "o@acme.example" });
        assert!(!said(&document).at("i").unwrap().email_verified);
    }

    #[test]
    fn who_has_no_subject_is_nobody() {
        for subject in [
            json!(null),
            json!(""),
            json!(1.5),
            json!({}),
            json!("a".repeat(256)),
        ] {
            assert!(said(&json!({ "id": subject })).at("i").is_err());
        }
    }

    #[test]
    fn one_document_never_verifies_the_address_of_another() {
        let first = said(&json!({ "id": "1", "email": "a@acme.example" }));
        let second = said(&json!({ "id": "1", "email": "b@acme.example", "email_verified": true }));
        let both = first.or(second).at("i").unwrap();
        assert_eq!(both.email.as_deref(), Some("a@acme.example"));
        assert!(!both.email_verified);
    }

    #[test]
    fn the_primary_address_counts_alone() {
        let list = json!([
            { "email": "old@acme.example", "primary": false, "verified": true, "visibility": null },
            { "email": "new@acme.example", "primary": true, "verified": false, "visibility": "public" },
        ]);
        let address = primary(serde_json::from_value(list).unwrap()).unwrap();
        assert_eq!(address.email, "new@acme.example");
        assert!(!address.verified);
        assert!(primary(Vec::new()).is_none());
    }
}
