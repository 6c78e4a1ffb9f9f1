//! Claim templates: the payload of a token in the form that its consumer reads.
//!
//! PostgREST wants `role`, Hasura strings under a URL, Superset `rls_rules`. A template is a JSON object in which
//! strings may name what the token says:
//!
//! ```text
//! { "role": "{{ role }}", "groups": "{{ roles }}", "regions": "{{ attributes.regions? | pg_array }}" }
//! ```
//!
//! A string that is one reference becomes the value with its type; in other text, scalars are written into it. There are
//! no conditions and no loops. What is missing refuses the token, unless the reference is marked with `?`: then the
//! member is left out. The language is described for its users in `docs/claim-templates.md`.
//!
//! ```text
//! JSON ──Template::compile──▶ Template     once per audience; every fault at once, with JSON pointers
//!                                │
//! TemplateContext ───render──▶ claims      once per token: no parsing, one pass
//!                                │
//! RegisteredClaims ─payload──▶ payload     `iss`, `aud`, `exp` …: never the template's
//! ```
//!
//! Values go into JSON values, never into JSON text, so no value can change the shape of the claims or add one.
//!
//! | module | holds |
//! |---|---|
//! | `syntax` | `{{ … }}` in a string, taken apart |
//! | `reference` | what can be named, and its value |
//! | `filter` | what can be done to a value |
//! | `compile`, `render` | a template from JSON, and back to JSON |
//! | `registered` | the claims that the issuer sets, and how far an audience may change them |
//! | `presets` | templates and settings for known consumers |
//! | `faults` | what can be wrong, in a template and with a token |

mod compile;
mod context;
mod faults;
mod filter;
mod presets;
mod reference;
mod registered;
mod render;
mod syntax;
#[cfg(test)]
mod tests;

use policy::AttributeName;
use serde_json::{Map, Value};

pub use context::{SupersetRule, TemplateContext};
pub use faults::{Problem, TemplateError, TemplateFault};
pub use presets::{Given, HeaderRules, KeyIdRule, PRESETS, Preset};
pub use registered::{
    InvalidClaimValue, IssuerClaim, MAX_GIVEN_BYTES, RegisteredClaims, SubjectClaim,
};

use compile::Member;
use reference::Source;

/// The longest template, in bytes of compact JSON.
pub const MAX_TEMPLATE_BYTES: usize = 16 * 1024;
/// The deepest nesting; the template itself is level 1.
pub const MAX_DEPTH: usize = 8;
/// The most JSON values and references in one template.
pub const MAX_NODES: usize = 200;
/// The most filters on one reference. Each `json` can double what the one before wrote.
pub const MAX_FILTERS: usize = 4;

/// Claims that no template may set: they say who issued the token, for whom, until when, and who may use it. The issuer
/// alone knows. How an audience may change some of them is [`RegisteredClaims`]'s matter.
pub const RESERVED_CLAIMS: &[&str] = &[
    "iss",
    "aud",
    "sub",
    "client_id",
    "jti",
    "iat",
    "nbf",
    "exp",
    // RFC 7800 and RFC 8693: to whom the token is bound, and who acts for whom
    "cnf",
    "act",
    "may_act",
];

/// A compiled claim template.
#[derive(Clone, Debug)]
pub struct Template {
    members: Vec<Member>,
}

impl Template {
    /// Checks a template and makes it ready to render. The faults are all there are, each with its place.
    pub fn compile(template: &Value) -> Result<Self, Vec<TemplateFault>> {
        compile::compile(template).map(|members| Self { members })
    }

    /// The claims that the template makes of one token. Their size is the caller's to check.
    pub fn render(
        &self,
        context: &TemplateContext<'_>,
    ) -> Result<Map<String, Value>, TemplateError> {
        let mut claims = Map::new();
        render::members(&self.members, context, &mut claims)?;
        Ok(claims)
    }

    /// The whole payload: the registered claims, then those of the template.
    pub fn payload(
        &self,
        registered: &RegisteredClaims,
        context: &TemplateContext<'_>,
    ) -> Result<Map<String, Value>, TemplateError> {
        let mut claims = registered.render(context)?;
        render::members(&self.members, context, &mut claims)?;
        Ok(claims)
    }

    /// The attributes that the template names, each with whether it is required. One that the policy does not declare
    /// is a mistake that would refuse every token, or always leave the claim out.
    pub fn attributes(&self) -> impl Iterator<Item = (&AttributeName, bool)> {
        let references = compile::references(&self.members).into_iter();
        references.filter_map(|reference| match &reference.source {
            Source::Attribute(name) => Some((name, !reference.optional)),
            _ => None,
        })
    }

    /// Whether [`TemplateContext::superset_rules`] are worth computing.
    pub fn names_superset_rules(&self) -> bool {
        self.names(|source| matches!(source, Source::SupersetRules))
    }

    /// Does it carry the scope?
    pub fn names_scope(&self) -> bool {
        self.names(|source| matches!(source, Source::Scope))
    }

    fn names(&self, is: impl Fn(&Source) -> bool) -> bool {
        let references = compile::references(&self.members);
        references.iter().any(|reference| is(&reference.source))
    }
}
