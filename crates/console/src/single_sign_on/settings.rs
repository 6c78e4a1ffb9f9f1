use std::collections::BTreeMap;

use key_admin::sign_in::ProviderRules;
use url::{Host, Url};

/// The longest text of a button, in characters.
const MAX_TITLE: usize = 60;
/// The longest name, in characters.
const MAX_NAME: usize = 40;

/// One provider, without the secret of Jeton's client there.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The text of its button.
    pub title: String,
    /// How it proves who somebody is.
    pub kind: ProviderKind,
    /// Who vouches: the issuer of OpenID Connect, where its discovery document is found. For the other kind a name that
    /// never changes, such as `https://github.com`; people are known by it and their subject.
    pub issuer: String,
    /// Jeton's client there.
    pub client_id: String,
    /// What is asked for; `None` for what the kind usually wants.
    pub scopes: Option<Vec<String>>,
    /// The claim with the groups of a person, in the ID token or the user information.
    pub groups_claim: Option<String>,
    /// Who is let in, and as what. The name is part of URLs.
    pub rules: ProviderRules,
}

/// How a provider proves who somebody is.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// With an ID token.
    OpenIdConnect,
    /// With what it answers to an access token, as GitHub does.
    OAuth2(OAuth2Settings),
}

/// A provider that says nothing about itself.
#[derive(Clone, Debug)]
pub struct OAuth2Settings {
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes become access tokens.
    pub token_endpoint: String,
    /// What tells whose access token it is: a JSON object.
    pub userinfo_endpoint: String,
    /// Where the addresses are, as GitHub lists them: objects with `email`, `primary` and `verified`. Without it, `email`
    /// and `email_verified` of the user information count.
    pub emails_endpoint: Option<String>,
    /// The claim with the identifier that never changes; `sub` when it is not set.
    pub subject_claim: Option<String>,
    /// The claim with the name for people; `name` when it is not set.
    pub name_claim: Option<String>,
}

impl ProviderSettings {
    /// Is the provider on this machine? Only then may it be reached without TLS.
    pub(super) fn is_plain(&self) -> bool {
        let address = match &self.kind {
            ProviderKind::OpenIdConnect => &self.issuer,
            ProviderKind::OAuth2(settings) => &settings.authorization_endpoint,
        };
        Url::parse(address).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url))
    }

    /// What is asked for. The client adds `openid` by itself.
    pub(super) fn scopes(&self) -> Vec<String> {
        let usual = match self.kind {
            ProviderKind::OpenIdConnect => &["email", "profile"][..],
            ProviderKind::OAuth2(_) => &[],
        };
        match &self.scopes {
            None => usual.iter().map(|&scope| scope.to_owned()).collect(),
            Some(scopes) => {
                let wanted = scopes.iter().filter(|scope| *scope != "openid");
                wanted.cloned().collect()
            }
        }
    }

    fn faults(&self) -> Vec<&'static str> {
        let rules = &self.rules;
        let wants_groups = !rules.allowed_groups.is_empty() || !rules.role_mapping.is_empty();
        let scopes = self.scopes.iter().flatten();
        let rules_of_text = [
            (
                !is_name(&rules.name),
                "`rules.name` is 1 to 40 of a-z, 0-9 and -",
            ),
            (
                !is_title(&self.title),
                "`title` is 1 to 60 characters, without control characters",
            ),
            (self.client_id.is_empty(), "`client_id` is empty"),
            (self.issuer.is_empty(), "`issuer` is empty"),
            (
                scopes.clone().any(|scope| !is_scope(scope)),
                "`scopes` are words without spaces",
            ),
            (
                rules.allowed_domains.is_empty() && rules.allowed_groups.is_empty(),
                "nobody is let in: set `rules.allowed_domains` or `rules.allowed_groups`",
            ),
            (
                wants_groups && self.groups_claim.is_none(),
                "the rules are about groups: set `groups_claim`",
            ),
        ];
        let mut faults: Vec<_> = rules_of_text
            .into_iter()
            .filter(|(wrong, _)| *wrong)
            .map(|(_, fault)| fault)
            .collect();
        faults.extend(self.faults_of_addresses());
        faults
    }

    fn faults_of_addresses(&self) -> Vec<&'static str> {
        let plain = self.is_plain();
        let wrong = |address: &str| !is_endpoint(address, plain);
        match &self.kind {
            ProviderKind::OpenIdConnect => {
                let issuer = Url::parse(&self.issuer).ok();
                let bare = issuer.is_some_and(|url| url.query().is_none());
                let fault =
                    "`issuer` is an https address without a query, or http on this machine alone";
                (wrong(&self.issuer) || !bare)
                    .then_some(fault)
                    .into_iter()
                    .collect()
            }
            ProviderKind::OAuth2(settings) => {
                let addresses = [
                    Some(&settings.authorization_endpoint),
                    Some(&settings.token_endpoint),
                    Some(&settings.userinfo_endpoint),
                    settings.emails_endpoint.as_ref(),
                ];
                let names = [
                    "`authorization_endpoint` is not an https address",
                    "`token_endpoint` is not an https address",
                    "`userinfo_endpoint` is not an https address",
                    "`emails_endpoint` is not an https address",
                ];
                let both = addresses.into_iter().zip(names);
                both.filter(|(address, _)| address.is_some_and(|it| wrong(it)))
                    .map(|(_, fault)| fault)
                    .collect()
            }
        }
    }
}

/// Everything that is wrong with all of them.
pub(super) fn faults(all: &[&ProviderSettings]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, settings) in all.iter().enumerate() {
        let name = &settings.rules.name;
        let place = |fault: &str| format!("single_sign_on[{index}] ({name}): {fault}");
        faults.extend(settings.faults().into_iter().map(place));
        if let Some(first) = names.insert(name, index) {
            faults.push(place(&format!(
                "`rules.name` is that of single_sign_on[{first}], too"
            )));
        }
        // Subjects of one mean nothing for the other.
        let is_other_kind = |other: &&&ProviderSettings| {
            other.issuer == settings.issuer
                && matches!(other.kind, ProviderKind::OpenIdConnect)
                && matches!(settings.kind, ProviderKind::OAuth2(_))
        };
        if all.iter().any(|other| is_other_kind(&other)) {
            faults.push(place(
                "`issuer` is that of a provider of the other kind, too",
            ));
        }
    }
    faults
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits)
}

fn is_title(title: &str) -> bool {
    (1..=MAX_TITLE).contains(&title.chars().count())
        && !title.trim().is_empty()
        && !title.chars().any(char::is_control)
}

/// A scope token of RFC 6749.
fn is_scope(scope: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.bytes().all(fits)
}

/// May this address be asked? https, or plain http on this machine for providers that are there.
pub(super) fn is_usable(url: &Url, plain: bool) -> bool {
    let protected = url.scheme() == "https" && url.host().is_some();
    let local = plain && url.scheme() == "http" && is_loopback(url);
    (protected || local) && url.username().is_empty() && url.password().is_none()
}

fn is_endpoint(address: &str, plain: bool) -> bool {
    Url::parse(address).is_ok_and(|url| is_usable(&url, plain) && url.fragment().is_none())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use key_admin::Slug;

    use super::*;

    fn google() -> ProviderSettings {
        ProviderSettings {
            title: "Sign in with Google".into(),
            kind: ProviderKind::OpenIdConnect,
            issuer: "https://accounts.google.com".into(),
            client_id: "jeton".into(),
            scopes: None,
            groups_claim: None,
            rules: ProviderRules {
                name: "google".into(),
                organization: Slug::parse("acme").unwrap(),
                create_users: true,
                allowed_domains: vec!["acme.example".into()],
                allowed_groups: Vec::new(),
                role_mapping: BTreeMap::new(),
                default_role: None,
                second_factor: false,
            },
        }
    }

    fn github() -> ProviderSettings {
        ProviderSettings {
            kind: ProviderKind::OAuth2(OAuth2Settings {
                authorization_endpoint: "https://github.com/login/oauth/authorize".into(),
                token_endpoint: "https://github.com/login/oauth/access_token".into(),
                userinfo_endpoint: "https://api.github.com/user".into(),
                emails_endpoint: Some("https://api.github.com/user/emails".into()),
                subject_claim: Some("id".into()),
                name_claim: None,
            }),
            issuer: "https://github.com".into(),
            ..named("github")
        }
    }

    fn named(name: &str) -> ProviderSettings {
        let mut settings = google();
        settings.rules.name = name.into();
        settings
    }

    fn with(change: impl Fn(&mut ProviderSettings)) -> Vec<String> {
        let mut settings = google();
        change(&mut settings);
        faults(&[&settings])
    }

    #[test]
    fn providers_of_both_kinds_are_usable() {
        assert_eq!(faults(&[&google(), &github()]), Vec::<String>::new());
        assert_eq!(google().scopes(), ["email", "profile"]);
        assert!(github().scopes().is_empty() && !github().is_plain());
    }

    #[test]
    fn addresses_are_https_or_of_this_machine() {
        for good in [
            "https://id.example.com/realms/acme",
            "http://127.0.0.1:5",
            "http://localhost/x",
            "http://[::1]:1",
        ] {
            assert!(with(|it| it.issuer = good.into()).is_empty(), "{good}");
        }
        for bad in [
            "",
            "id.example.com",
            "http://id.example.com",
            "http://localhost.example.com",
            "https://user:word@id.example.com",
            "https://id.example.com?tenant=1",
            "https://id.example.com#top",
            "javascript:alert(1)",
            "ftp://127.0.0.1",
        ] {
            assert!(!with(|it| it.issuer = bad.into()).is_empty(), "{bad}");
        }
        // A provider elsewhere does not lead to this machine in plain text.
        assert!(!is_usable(
            &Url::parse("http://127.0.0.1/token").unwrap(),
            false
        ));
        let mut mixed = github();
        if let ProviderKind::OAuth2(settings) = &mut mixed.kind {
            settings.token_endpoint = "http://127.0.0.1/token".into();
        }
        assert_eq!(faults(&[&mixed]).len(), 1);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        for name in ["", "Google", "a b", "a/b", "ü", &"a".repeat(41)] {
            assert_eq!(with(|it| it.rules.name = name.into()).len(), 1, "{name}");
        }
        let all = with(|it| {
            it.title = " ".into();
            it.client_id = String::new();
            it.scopes = Some(vec!["email profile".into()]);
            it.rules.allowed_domains = Vec::new();
            it.rules
                .role_mapping
                .insert("ops".into(), key_admin::UserRole::Admin);
        });
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(
            all.iter()
                .all(|fault| fault.starts_with("single_sign_on[0] (google): "))
        );
    }

    #[test]
    fn names_are_of_one_provider_and_issuers_of_one_kind() {
        assert_eq!(faults(&[&google(), &google()]).len(), 1);
        let mut taken = github();
        taken.issuer = google().issuer;
        assert_eq!(faults(&[&google(), &taken]).len(), 1);
        assert!(faults(&[&google(), &named("google-2")]).is_empty());
    }
}
