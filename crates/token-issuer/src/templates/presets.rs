//! Templates and settings for known consumers: where to start from, not what to end with.
//!
//! What each consumer checks, and where that is written, stands in `docs/claim-templates.md`; the tests feed each
//! preset's claims to the consumer's own library or to its rules.

use std::borrow::Cow;

use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::{IssuerClaim, RegisteredClaims, SubjectClaim, Template, TemplateFault};

/// A claim template and the settings that its consumer needs.
#[derive(Debug)]
pub struct Preset {
    /// What requests call it.
    pub name: &'static str,
    /// Who reads the tokens.
    pub consumer: &'static str,
    /// Where the consumer says what it wants.
    pub documentation: &'static str,
    /// The claim template, as JSON text.
    pub json: &'static str,
    /// The claims that the issuer sets.
    pub registered: RegisteredClaims,
    /// The `aud` that the consumer insists on, when it is always the same.
    pub aud: Option<&'static str>,
    /// What the consumer gives out, and the audience has to be set to.
    pub given: &'static [Given],
    /// The token's header.
    pub header: HeaderRules,
    /// Algorithms that the consumer verifies; the first is the one to use.
    pub algorithms: &'static [Algorithm],
    /// The longest life that the consumer accepts, in seconds.
    pub max_lifetime_seconds: Option<u32>,
    /// What to know before relying on it.
    pub notes: &'static [&'static str],
}

/// A setting that comes from the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// `aud`.
    Audience,
    /// `iss`.
    Issuer,
    /// `kid`, in the header.
    KeyId,
    /// The secret that signs.
    Secret,
}

/// The header of the tokens, beside `alg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    /// `typ`: `at+jwt` where RFC 9068's claims are all there, or `JWT`.
    pub typ: &'static str,
    /// `kid`.
    pub key_id: KeyIdRule,
    /// Whether `iss` stands in the header too.
    pub repeats_issuer: bool,
}

/// Whose name for the key the header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIdRule {
    /// The signing key's own. For a public key its thumbprint; a shared secret must not be hashed into one.
    Own,
    /// What the consumer calls the secret that it gave out.
    Given,
}

impl Given {
    /// Where a new audience has it, as a JSON pointer into the request that makes it.
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Audience => "/aud",
            Self::Issuer => "/claims/registered/issuer",
            Self::KeyId => "/claims/key_id",
            Self::Secret => "/secret",
        }
    }
}

impl Preset {
    /// The algorithms that the consumer verifies, as `alg` names them; the first is the one to use.
    pub fn algorithm_names(&self) -> Vec<String> {
        let names = self.algorithms.iter();
        names.map(|algorithm| format!("{algorithm:?}")).collect()
    }

    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The template as JSON, for an audience to start from.
    pub fn template_json(&self) -> Value {
        // The tests read them all; `null` would not compile.
        serde_json::from_str(self.json).unwrap_or_default()
    }

    /// The template, compiled.
    pub fn template(&self) -> Result<Template, Vec<TemplateFault>> {
        Template::compile(&self.template_json())
    }
}

const ACCESS_TOKEN: HeaderRules = HeaderRules {
    typ: "at+jwt",
    key_id: KeyIdRule::Own,
    repeats_issuer: false,
};
const PLAIN: HeaderRules = HeaderRules {
    typ: "JWT",
    ..ACCESS_TOKEN
};
/// For consumers that share a secret with the issuer, and have no use for the API key's id.
const WITHOUT_CLIENT: RegisteredClaims = RegisteredClaims {
    client_id: false,
    ..RegisteredClaims::ALL
};

/// All presets.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "standard",
        consumer: "Jeton's own form: RFC 9068 with roles, attributes, resources and scope",
        documentation: "https://www.rfc-editor.org/rfc/rfc9068",
        json: include_str!("presets/standard.json"),
        registered: RegisteredClaims::ALL,
        aud: None,
        given: &[],
        header: ACCESS_TOKEN,
        algorithms: &[
            Algorithm::ES256,
            Algorithm::EdDSA,
            Algorithm::RS256,
            Algorithm::PS256,
        ],
        max_lifetime_seconds: None,
        notes: &[],
    },
    Preset {
        name: "postgrest",
        consumer: "PostgREST",
        documentation: "https://docs.postgrest.org/en/stable/references/auth.html",
        json: include_str!("presets/postgrest.json"),
        registered: RegisteredClaims::ALL,
        aud: None,
        given: &[],
        header: ACCESS_TOKEN,
        algorithms: &[Algorithm::ES256, Algorithm::RS256],
        max_lifetime_seconds: None,
        notes: &[
            "The role becomes PostgreSQL's: declare only roles that `authenticator` may become. A token has one role.",
            "PostgREST reads keys from a file, not from a URL: write the JWKS there again before a new key signs.",
            "Set `jwt-aud`. Unset claims are '' after a transaction: compare with nullif(current_setting(…, true), '').",
        ],
    },
    Preset {
        name: "supabase",
        consumer: "Supabase (Data API, Realtime, Storage)",
        documentation: "https://supabase.com/docs/guides/auth/jwt-fields",
        json: include_str!("presets/supabase.json"),
        registered: RegisteredClaims {
            subject: SubjectClaim::UserUuid,
            ..RegisteredClaims::ALL
        },
        aud: Some("authenticated"),
        given: &[],
        header: PLAIN,
        algorithms: &[Algorithm::ES256, Algorithm::RS256],
        max_lifetime_seconds: None,
        notes: &[
            "Users must be identified by UUIDs: auth.uid() casts `sub` to one.",
            "Policies read auth.jwt()->'app_metadata'. Never trust `user_metadata`: users can change theirs.",
        ],
    },
    Preset {
        name: "hasura",
        consumer: "Hasura GraphQL Engine v2",
        documentation: "https://hasura.io/docs/2.0/auth/authentication/jwt/",
        json: include_str!("presets/hasura.json"),
        registered: RegisteredClaims::ALL,
        aud: None,
        given: &[],
        header: ACCESS_TOKEN,
        algorithms: &[Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA],
        max_lifetime_seconds: None,
        notes: &[
            "Session variables are strings: every attribute needs `string`, or `pg_array` for a list.",
            "Set `jwk_url`, `audience` and `issuer`, and `allowed_skew` to a few seconds.",
        ],
    },
    Preset {
        name: "cube",
        consumer: "Cube Core",
        documentation: "https://cube.dev/docs/product/auth",
        json: include_str!("presets/cube.json"),
        registered: RegisteredClaims::ALL,
        aud: None,
        given: &[],
        header: ACCESS_TOKEN,
        algorithms: &[Algorithm::RS256, Algorithm::ES256],
        max_lifetime_seconds: None,
        notes: &[
            "Set CUBEJS_JWK_URL, CUBEJS_JWT_AUDIENCE, CUBEJS_JWT_ISSUER and CUBEJS_JWT_ALGS.",
            "Make query_rewrite throw when securityContext.tenant_id is missing: an `if` around the filter shows all rows.",
        ],
    },
    Preset {
        name: "superset-guest",
        consumer: "Apache Superset, embedded dashboards (guest token)",
        documentation: "https://superset.apache.org/docs/configuration/networking-settings#embedding-superset",
        json: include_str!("presets/superset-guest.json"),
        registered: WITHOUT_CLIENT,
        aud: None,
        given: &[Given::Audience, Given::Secret],
        header: PLAIN,
        algorithms: &[Algorithm::HS256],
        max_lifetime_seconds: None,
        notes: &[
            "`aud` is GUEST_TOKEN_JWT_AUDIENCE, or else the address of Superset; the secret is GUEST_TOKEN_JWT_SECRET.",
            "Every token needs a resource of the type `dashboard` and a row filter. Superset's own mint, its validator hook \
             and its audit record are passed by.",
        ],
    },
    Preset {
        name: "metabase",
        consumer: "Metabase, guest embedding",
        documentation: "https://www.metabase.com/docs/latest/embedding/guest-embedding",
        json: include_str!("presets/metabase.json"),
        registered: RegisteredClaims {
            subject: SubjectClaim::Omitted,
            not_before: false,
            ..WITHOUT_CLIENT
        },
        aud: None,
        given: &[Given::Secret],
        header: PLAIN,
        algorithms: &[Algorithm::HS256],
        max_lifetime_seconds: None,
        notes: &[
            "Lock the parameter in Metabase: an editable one can be changed in the browser, and `[]` shows all rows.",
            "For a question, write `\"question\": \"{{ resource.question | integer }}\"`.",
            "The token stands in a URL; it does not name the user.",
        ],
    },
    Preset {
        name: "clickhouse",
        consumer: "ClickHouse Cloud, JWT authentication",
        documentation: "https://clickhouse.com/docs/operations/external-authenticators/jwt",
        json: include_str!("presets/clickhouse.json"),
        registered: RegisteredClaims::ALL,
        aud: None,
        given: &[],
        header: ACCESS_TOKEN,
        algorithms: &[Algorithm::RS256, Algorithm::ES256],
        max_lifetime_seconds: None,
        notes: &[
            "With a JWKS only RSA keys work; ES256 needs a static key.",
            "Rows follow roles: a table without a row policy shows all of them.",
            "A token older than another of the same user may be refused (`iat`).",
        ],
    },
    Preset {
        name: "tableau",
        consumer: "Tableau, connected app with direct trust",
        documentation: "https://help.tableau.com/current/online/en-us/connected_apps_direct.htm",
        json: include_str!("presets/tableau.json"),
        registered: RegisteredClaims {
            issuer: IssuerClaim::Organization,
            ..WITHOUT_CLIENT
        },
        aud: Some("tableau"),
        given: &[Given::Issuer, Given::KeyId, Given::Secret],
        header: HeaderRules {
            typ: "JWT",
            key_id: KeyIdRule::Given,
            repeats_issuer: true,
        },
        algorithms: &[Algorithm::HS256],
        max_lifetime_seconds: Some(600),
        notes: &[
            "`iss` is the app's client id, `kid` the secret's id; `user.id` must be the Tableau user's name.",
            "User attribute functions read the top-level claims, once the site allows it.",
            "With an external authorization server instead: RS256, the organization's own `iss`, and no `iss` in the header.",
        ],
    },
    Preset {
        name: "toucan-embed",
        consumer: "Toucan v3, embed (exchanged for an opaque token by your server)",
        documentation: "https://docs-v3.toucantoco.com/visualizations-and-layouts/embedding/authentication",
        json: include_str!("presets/toucan-embed.json"),
        registered: RegisteredClaims {
            subject: SubjectClaim::Given(Cow::Borrowed("toucan-embed-client")),
            ..WITHOUT_CLIENT
        },
        aud: None,
        given: &[Given::Audience, Given::Issuer],
        header: PLAIN,
        algorithms: &[Algorithm::RS512],
        max_lifetime_seconds: None,
        notes: &[
            "`iss`, `aud` and the workspace's id stand in Embed Manager; give the key's tokens the last as a fixed attribute.",
            "`sub` is the client's, the user stands in `embed_context`. At most 3.5 KB of it.",
            "Toucan AI makes its own tokens, which nobody else can read: it needs no template.",
        ],
    },
];
