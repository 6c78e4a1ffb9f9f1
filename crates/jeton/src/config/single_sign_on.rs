use std::path::PathBuf;

use console::single_sign_on::{OAuth2Settings, ProviderKind, ProviderSettings, SingleSignOn};
use key_admin::sign_in::ProviderRules;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::secret::{ConfiguredSecret, read_secret_file};

/// One `[[single_sign_on]]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfiguredProvider {
    /// The text of its button.
    title: String,
    #[serde(default)]
    kind: Kind,
    issuer: String,
    client_id: String,
    /// Masked in `config show`; better kept in a file.
    client_secret: Option<ConfiguredSecret>,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    groups_claim: Option<String>,
    // Of the kind `oauth2` only.
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    emails_endpoint: Option<String>,
    subject_claim: Option<String>,
    name_claim: Option<String>,
    rules: ProviderRules,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// OpenID Connect, which tells its endpoints itself.
    #[default]
    #[serde(rename = "oidc")]
    OpenIdConnect,
    /// OAuth 2.0 alone.
    #[serde(rename = "oauth2")]
    OAuth2,
}

/// Everything that is wrong with the tables, files aside.
pub(super) fn faults(tables: &[ConfiguredProvider]) -> Vec<String> {
    let own = tables.iter().enumerate().flat_map(|(index, table)| {
        let place = move |fault| format!("single_sign_on[{index}] ({}): {fault}", table.rules.name);
        table.faults().into_iter().map(place)
    });
    let settings: Vec<_> = tables.iter().map(ConfiguredProvider::settings).collect();
    own.chain(SingleSignOn::faults(&settings)).collect()
}

/// The providers, with their secrets.
pub(super) fn start(tables: &[ConfiguredProvider]) -> Result<SingleSignOn, String> {
    let secrets = tables
        .iter()
        .map(|table| (table, table.secret()))
        .collect::<Vec<_>>();
    let faults: Vec<String> = secrets
        .iter()
        .filter_map(|(table, secret)| Some((table, secret.as_ref().err()?)))
        .map(|(table, fault)| format!("single_sign_on ({}): {fault}", table.rules.name))
        .collect();
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    let providers = secrets
        .into_iter()
        .filter_map(|(table, secret)| Some((table.settings(), secret.ok()?)))
        .collect();
    SingleSignOn::new(providers).map_err(|error| error.to_string())
}

impl ConfiguredProvider {
    fn faults(&self) -> Vec<&'static str> {
        let needed = [
            &self.authorization_endpoint,
            &self.token_endpoint,
            &self.userinfo_endpoint,
        ];
        let further = [&self.emails_endpoint, &self.subject_claim, &self.name_claim];
        let of_oauth2 = self.kind == Kind::OAuth2;
        let is_set = |setting: &&Option<String>| setting.is_some();
        let checks = [
            (
                self.client_secret.is_some() == self.client_secret_file.is_some(),
                "set client_secret_file or client_secret, one of the two",
            ),
            (
                of_oauth2 && !needed.iter().all(is_set),
                "the kind oauth2 needs authorization_endpoint, token_endpoint and userinfo_endpoint",
            ),
            (
                !of_oauth2 && needed.iter().chain(&further).any(is_set),
                "endpoints and names of claims are for the kind oauth2: the other finds them itself",
            ),
        ];
        let wrong = checks.into_iter().filter(|(wrong, _)| *wrong);
        wrong.map(|(_, fault)| fault).collect()
    }

    fn settings(&self) -> ProviderSettings {
        let text = |setting: &Option<String>| setting.clone().unwrap_or_default();
        let kind = match self.kind {
            Kind::OpenIdConnect => ProviderKind::OpenIdConnect,
            Kind::OAuth2 => ProviderKind::OAuth2(OAuth2Settings {
                authorization_endpoint: text(&self.authorization_endpoint),
                token_endpoint: text(&self.token_endpoint),
                userinfo_endpoint: text(&self.userinfo_endpoint),
                emails_endpoint: self.emails_endpoint.clone(),
                subject_claim: self.subject_claim.clone(),
                name_claim: self.name_claim.clone(),
            }),
        };
        ProviderSettings {
            title: self.title.clone(),
            kind,
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            scopes: self.scopes.clone(),
            groups_claim: self.groups_claim.clone(),
            rules: self.rules.clone(),
        }
    }

    fn secret(&self) -> Result<SecretString, String> {
        let secret = match (&self.client_secret, &self.client_secret_file) {
            (Some(secret), None) => secret.to_secret(),
            (None, Some(file)) => read_secret_file(file)?,
            _ => return Err("set client_secret_file or client_secret, one of the two".into()),
        };
        if secret.expose_secret().is_empty() {
            return Err("the client's secret is empty".into());
        }
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Serialized, Toml};

    use super::super::Config;

    const GOOGLE: &str = r#"
        [[single_sign_on]]
        title = "Sign in with Google"
        issuer = "https://accounts.google.com"
        client_id = "jeton"
        client_secret = "of-google"
        [single_sign_on.rules]
        name = "google"
        organization = "acme"
        allowed_domains = ["acme.example"]
        role_mapping = {}
    "#;

    const GITHUB: &str = r#"
        [[single_sign_on]]
        title = "Sign in with GitHub"
        kind = "oauth2"
        issuer = "https://github.com"
        client_id = "jeton"
        client_secret_file = "/run/secrets/github"
        authorization_endpoint = "https://github.com/login/oauth/authorize"
        token_endpoint = "https://github.com/login/oauth/access_token"
        userinfo_endpoint = "https://api.github.com/user"
        emails_endpoint = "https://api.github.com/user/emails"
        subject_claim = "id"
        scopes = ["read:user", "user:email"]
        [single_sign_on.rules]
        name = "github"
        organization = "acme"
        allowed_domains = ["acme.example"]
    "#;

    fn read(text: &str) -> Config {
        let defaults = Figment::from(Serialized::defaults(Config::default()));
        defaults.merge(Toml::string(text)).extract().unwrap()
    }

    fn told(text: &str) -> String {
        read(text).check().unwrap_err().to_string()
    }

    #[test]
    fn tables_of_both_kinds_are_read_and_shown_without_secrets() {
        let config = read(&format!("{GOOGLE}{GITHUB}"));
        assert!(config.check().is_ok());
        let shown = toml::to_string(&config).unwrap();
        assert!(!shown.contains("of-google"), "{shown}");
        assert!(shown.contains("client_secret = \"***\""), "{shown}");
        assert_eq!(toml::to_string(&read(&shown)).unwrap(), shown);
        assert!(read(GOOGLE).single_sign_on().is_ok());
    }

    #[test]
    fn all_faults_of_all_tables_are_told_at_once() {
        let google = GOOGLE
            .replace("client_secret = \"of-google\"", "name_claim = \"nick\"")
            .replace("https://accounts", "http://accounts")
            .replace("\"google\"", "\"Google!\"");
        let github = GITHUB.replace("token_endpoint", "#");
        let told = told(&format!("{google}{github}"));
        for fault in [
            "single_sign_on[0] (Google!): set client_secret_file or client_secret",
            "names of claims are for the kind oauth2",
            "`issuer` is an https address",
            "`rules.name` is",
            "single_sign_on[1] (github): the kind oauth2 needs",
        ] {
            assert!(told.contains(fault), "{fault} in {told}");
        }
        assert!(!told.contains("of-google"));
    }

    #[test]
    fn a_secret_is_there_once_and_not_empty() {
        let both = format!(
            "{}\n",
            GOOGLE.replace("client_id", "client_secret_file = \"x\"\nclient_id")
        );
        assert!(told(&both).contains("one of the two"));
        let empty = read(&GOOGLE.replace("of-google", ""));
        let fault = empty.single_sign_on().unwrap_err();
        assert!(
            fault.contains("(google)") && fault.contains("empty"),
            "{fault}"
        );
        let missing = read(GITHUB).single_sign_on().unwrap_err();
        assert!(missing.contains("(github)"), "{missing}");
    }
}
