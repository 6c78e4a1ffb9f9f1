//! What every page shows around its content.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_api::middleware::CompleteAnswer;
use http_api::problem::Problem;
use key_admin::Permission;

use crate::assets;

/// No script but our own files, no style but our own stylesheet, nothing from elsewhere; forms go nowhere else, no page
/// frames ours.
static CSP: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src {}; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        assets::style_source()
    );
    // Without a policy that can be sent, nothing may load.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// HTML that this program alone has made: it is shown as it is. Whatever else a template shows is escaped, and no template
/// says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Markup(pub(crate) Cow<'static, str>);

impl HtmlSafe for Markup {}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of the console, as the navigation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    ApiKeys,
    Playground,
    Tokens,
    Sessions,
    Policy,
    Audiences,
    Users,
    ServiceAccounts,
    Audit,
    Profile,
}

impl Section {
    const ALL: &[Self] = &[
        Self::Overview,
        Self::ApiKeys,
        Self::Playground,
        Self::Tokens,
        Self::Sessions,
        Self::Policy,
        Self::Audiences,
        Self::Users,
        Self::ServiceAccounts,
        Self::Audit,
        Self::Profile,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::ApiKeys => "API keys",
            Self::Playground => "Playground",
            Self::Tokens => "Token inspector",
            Self::Sessions => "Sessions",
            Self::Policy => "Policy",
            Self::Audiences => "Audiences",
            Self::Users => "Users",
            Self::ServiceAccounts => "Service accounts",
            Self::Audit => "Audit log",
            Self::Profile => "Profile",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::ApiKeys => "/console/profile/api-keys",
            Self::Playground => "/console/playground",
            Self::Tokens => "/console/tokens",
            Self::Sessions => "/console/sessions",
            Self::Policy => "/console/policy",
            Self::Audiences => "/console/audiences",
            Self::Users => "/console/users",
            Self::ServiceAccounts => "/console/service-accounts",
            Self::Audit => "/console/audit",
            Self::Profile => "/console/profile",
        }
    }

    /// What one needs to see it; `None` when everybody may.
    const fn permission(self) -> Option<Permission> {
        match self {
            Self::ApiKeys => Some(Permission::KeysRead),
            Self::Playground | Self::Policy => Some(Permission::PolicyRead),
            Self::Tokens | Self::Sessions => Some(Permission::SessionsRead),
            Self::Audiences => Some(Permission::AudiencesRead),
            Self::Users | Self::ServiceAccounts => Some(Permission::UsersRead),
            Self::Audit => Some(Permission::AuditRead),
            Self::Overview | Self::Profile => None,
        }
    }
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) title: &'static str,
    pub(crate) path: &'static str,
    pub(crate) current: bool,
}

/// Who looks at the page.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) role: &'static str,
}

/// What every page shows around its content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// The page's name, for the window's title.
    pub(crate) title: String,
    /// What was just done, told once.
    pub(crate) notice: Option<&'static str>,
    /// The token of the page's forms.
    pub(crate) csrf: String,
    /// `None` where nobody has signed in.
    pub(crate) viewer: Option<Viewer>,
    /// The navigation; empty where nobody has signed in.
    pub(crate) links: Vec<Link>,
}

impl Frame {
    pub(crate) fn asset(name: &str) -> String {
        assets::address(name)
    }

    pub(crate) fn style() -> Markup {
        Markup(assets::style().into())
    }

    /// The links of somebody who holds these permissions.
    pub(crate) fn links(current: Section, held: &[Permission]) -> Vec<Link> {
        let may = |section: &Section| {
            let needed = section.permission();
            needed.is_none_or(|permission| held.contains(&permission))
        };
        let sections = Section::ALL.iter().copied().filter(may);
        sections
            .map(|section| Link {
                title: section.title(),
                path: section.path(),
                current: section == current,
            })
            .collect()
    }
}

/// A page or a fragment of one, rendered.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    let body = match template.render() {
        Ok(body) => body,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let mut response = (status, Html(body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        // Nothing leaves for other sites. Under `no-referrer`, browsers would not say that our own forms are ours.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CSP.clone());
    response.extensions_mut().insert(CompleteAnswer);
    response
}

/// A page that was found.
pub(crate) fn ok(template: &impl Template) -> Response {
    html(StatusCode::OK, template)
}

/// The form again, with what is wrong with it.
pub(crate) fn again(template: &impl Template) -> Response {
    html(StatusCode::UNPROCESSABLE_ENTITY, template)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every file below a directory.
    fn texts(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| {
                if path.is_dir() {
                    texts(&path)
                } else {
                    vec![fs::read_to_string(path).unwrap()]
                }
            })
            .collect()
    }

    #[test]
    fn no_template_goes_around_escaping() {
        let all = texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"));
        assert!(all.len() > 40);
        for text in all {
            let plain: String = text.split_whitespace().collect();
            assert!(
                !plain.contains("|safe") && !plain.contains("|escape("),
                "{text}"
            );
            for inline in [" style=", " onclick=", " onload=", "javascript:"] {
                assert!(!text.contains(inline), "{inline} in {text}");
            }
        }
    }
}
