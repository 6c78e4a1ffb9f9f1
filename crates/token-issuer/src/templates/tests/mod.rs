//! The language, its promises under hostile values, and the presets before their consumers.

mod consumers;
mod faults;
mod language;
mod postgres;
mod presets;
mod properties;
mod signer;

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use key_admin::KeyCeiling;
use policy::{
    AudienceLimits, CompiledCeiling, Decision, Grant, GrantRequest, PolicyDocument, PolicySnapshot,
    Resource, RoleName,
};
use serde_json::{Map, Value, json};

use super::*;

const LIMITS: AudienceLimits = AudienceLimits {
    default_ttl_seconds: 600,
    max_ttl_seconds: 3600,
};
const ISSUER: &str = "https://tokens.test/orgs/acme";
const SESSION: &str = "01a203ac-c363-7c44-b2d3-af39a2eae215";

/// A policy with attributes of all types, and a key that may grant everything.
fn policy() -> &'static (PolicySnapshot, CompiledCeiling) {
    static POLICY: OnceLock<(PolicySnapshot, CompiledCeiling)> = OnceLock::new();
    POLICY.get_or_init(|| {
        let compile = async {
            let roles = json!([
                { "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] },
                { "name": "editor", "permissions": [{ "resource": "dashboard", "action": "edit" }] },
                { "name": "guest" },
            ]);
            let attributes = json!([
                { "name": "tenant_id", "type": "string", "max_length": 4096 },
                { "name": "workspace_id", "type": "string" },
                { "name": "regions", "type": "string", "list": true, "max_length": 4096 },
                { "name": "levels", "type": "integer", "list": true },
                { "name": "level", "type": "integer" },
                { "name": "score", "type": "number" },
                { "name": "active", "type": "boolean" },
                { "name": "since", "type": "date" },
            ]);
            let roles = serde_json::from_value(roles).unwrap();
            let attributes = serde_json::from_value(attributes).unwrap();
            let document = PolicyDocument {
                roles,
                attributes,
                ..PolicyDocument::default()
            };
            let policy = document.compile(1).await.unwrap();
            let ceiling = policy.ceiling(&KeyCeiling::default()).unwrap();
            (policy, ceiling)
        };
        // Tests that run on a runtime of their own cannot start another on their thread.
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            scope.spawn(move || runtime.block_on(compile)).join().unwrap()
        })
    })
}

/// What a template sees, owned.
struct Token {
    grant: Grant,
    user_id: String,
    roles: Vec<RoleName>,
    resources: Vec<Resource>,
    aud: String,
    issued_at: i64,
    rules: Option<Vec<SupersetRule>>,
    hash_key: hmac::Key,
}

impl Token {
    fn new(roles: &[&str], attributes: &Value) -> Self {
        Self::granted(roles, attributes).unwrap()
    }

    /// `None`: the policy refuses such values, before any template sees them.
    fn granted(roles: &[&str], attributes: &Value) -> Option<Self> {
        let (policy, ceiling) = policy();
        let request = GrantRequest {
            subject: "user-42".to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            attributes: attributes.as_object().cloned().unwrap(),
            audience: "default".to_owned(),
            ttl_seconds: None,
            resources: Vec::new(),
        };
        let Decision::Granted(grant) = policy.decide(ceiling, Some(&LIMITS), request) else {
            return None;
        };
        Some(Self {
            user_id: grant.subject().to_owned(),
            roles: grant.roles().to_vec(),
            grant,
            resources: Vec::new(),
            aud: "analytics".to_owned(),
            issued_at: 1_767_225_600,
            rules: None,
            hash_key: hmac::Key::new(hmac::HMAC_SHA256, b"key of the organization acme"),
        })
    }

    fn viewer() -> Self {
        let attributes = json!({ "tenant_id": "t-1", "regions": ["eu", "us"], "levels": [1, 2], "level": 3,
                                 "score": 0.5, "active": true, "since": "2026-01-31" });
        Self::new(&["viewer"], &attributes)
    }

    fn with_resources(mut self, resources: &[(&str, &str)]) -> Self {
        let resources = resources.iter().map(|&(kind, id)| Resource {
            kind: kind.to_owned(),
            id: id.to_owned(),
        });
        self.resources = resources.collect();
        self
    }

    fn context(&self) -> TemplateContext<'_> {
        TemplateContext {
            issuer: ISSUER,
            audience: &self.aud,
            user_id: &self.user_id,
            roles: &self.roles,
            attributes: self.grant.attributes(),
            resources: &self.resources,
            scope: self.grant.scope(),
            session_id: SESSION.parse().unwrap(),
            client_id: "key_0Hq3VbN8tRzA".parse().unwrap(),
            organization_id: "org_01a203acc3637c44b2d3af39a2eae215".parse().unwrap(),
            organization_slug: "acme",
            not_before: self.issued_at - 10,
            issued_at: self.issued_at,
            expires_at: self.issued_at + 600,
            superset_rules: self.rules.as_deref(),
            hash_key: &self.hash_key,
        }
    }

    fn renders(&self, template: &Value) -> Result<Value, TemplateError> {
        let template = Template::compile(template).unwrap();
        template.render(&self.context()).map(Value::Object)
    }

    /// The payload that a preset makes of it.
    fn payload(&self, preset: &str) -> Result<Map<String, Value>, TemplateError> {
        let preset = Preset::named(preset).unwrap();
        preset
            .template()
            .unwrap()
            .payload(&preset.registered, &self.context())
    }
}
