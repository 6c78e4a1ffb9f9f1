//! The fields of a key as a form holds them, and back.

use std::collections::{BTreeMap, BTreeSet};

use http_api::problem::Problem;
use ipnet::IpNet;
use key_admin::rate_limit::RateLimit;
use key_admin::{ApiKey, ApiKeyPatch, Edit, KeyCeiling, NewApiKey, Permission};
use policy::{AttributeDeclaration, PolicyDocument};
use serde::Deserialize;
use storage::{OrganizationId, PrincipalId, Timestamp};

use crate::failure::Failure;
use crate::field::FormErrors;
use crate::person::Person;
use crate::state::ConsoleState;
use crate::typed;

/// Which field stands for which part of a key.
pub(super) const FIELDS: &[(&str, &str)] = &[
    ("/name", "name"),
    ("/owner_id", "owner"),
    ("/expires_at", "expires"),
    ("/permissions", "permissions"),
    ("/ceiling/roles", "roles"),
    ("/ceiling/audiences", "audiences"),
    ("/ceiling/max_ttl_seconds", "max_ttl"),
    ("/ceiling", "attributes"),
    ("/allowed_networks", "networks"),
    ("/rate_limit", "per_minute"),
];

/// The form as it was sent, or as it is shown. Each attribute has one entry in each of the three lists, in the same order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyForm {
    pub(crate) name: String,
    pub(crate) owner: String,
    /// A number of days, `never`, `date`, or `keep`.
    pub(crate) expires: String,
    pub(crate) expires_on: String,
    /// `issue`, `read`, `write` or `custom`.
    pub(crate) preset: String,
    pub(crate) permission: BTreeSet<String>,
    pub(crate) limit_roles: bool,
    pub(crate) role: BTreeSet<String>,
    pub(crate) limit_audiences: bool,
    pub(crate) audience: BTreeSet<String>,
    pub(crate) attribute: Vec<String>,
    /// `free`, `fixed` or `allowed`.
    pub(crate) attribute_mode: Vec<String>,
    pub(crate) attribute_values: Vec<String>,
    pub(crate) max_ttl: String,
    pub(crate) networks: String,
    pub(crate) per_minute: String,
    pub(crate) burst: String,
}

/// What there is to choose from.
pub(crate) struct Choices {
    pub(crate) permissions: Vec<Permission>,
    pub(crate) roles: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) attributes: Vec<AttributeDeclaration>,
    /// Service accounts, for those who may make keys for them.
    pub(crate) owners: Vec<(String, String)>,
}

/// The limit of one attribute, as the form shows it.
pub(crate) struct AttributeLimit {
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) mode: String,
    pub(crate) values: String,
}

impl Choices {
    pub(super) async fn of<M>(state: &ConsoleState, person: &Person<M>) -> Result<Self, Failure> {
        let services = &state.services;
        let organization = person.organization_id();
        let (document, _) = services.policy.document(organization).await?;
        let PolicyDocument {
            roles, attributes, ..
        } = document;
        let audiences = services.issuer.audiences(organization).await?;
        Ok(Self {
            permissions: person.permissions().to_vec(),
            roles: roles.iter().map(|role| role.name.to_string()).collect(),
            audiences: audiences.iter().map(|it| it.name.to_string()).collect(),
            attributes,
            owners: owners(state, person).await?,
        })
    }
}

/// Whoever may change service accounts may make keys for them.
async fn owners<M>(
    state: &ConsoleState,
    person: &Person<M>,
) -> Result<Vec<(String, String)>, Failure> {
    if !person.may(Permission::UsersWrite) {
        return Ok(Vec::new());
    }
    let page = key_admin::PrincipalPage {
        after: None,
        limit: 200,
    };
    let keys = &state.services.keys;
    let accounts = keys
        .list_service_accounts(person.organization_id(), page)
        .await?;
    let accounts = accounts.into_iter();
    Ok(accounts
        .map(|account| (account.id.to_string(), account.name))
        .collect())
}

impl KeyForm {
    /// A new key as most people want it.
    pub(super) fn fresh() -> Self {
        Self {
            expires: "90".into(),
            preset: "issue".into(),
            ..Self::default()
        }
    }

    /// A key as it is.
    pub(super) fn of(key: &ApiKey) -> Self {
        let ceiling = &key.ceiling;
        let fixed = ceiling.fixed_attributes.iter();
        let fixed = fixed.map(|(name, value)| (name, "fixed", typed::text(value)));
        let allowed = ceiling.allowed_attributes.iter();
        let allowed =
            allowed.map(|(name, values)| (name, "allowed", typed::text(&values.clone().into())));
        let limited: Vec<_> = fixed.chain(allowed).collect();
        Self {
            name: key.name.clone(),
            owner: key.owner.to_string(),
            expires: "keep".into(),
            preset: preset(&key.permissions).into(),
            permission: key.permissions.iter().map(ToString::to_string).collect(),
            limit_roles: ceiling.roles.is_some(),
            role: ceiling.roles.clone().unwrap_or_default(),
            limit_audiences: ceiling.audiences.is_some(),
            audience: ceiling.audiences.clone().unwrap_or_default(),
            attribute: limited.iter().map(|(name, ..)| (*name).clone()).collect(),
            attribute_mode: limited.iter().map(|(_, mode, _)| (*mode).into()).collect(),
            attribute_values: limited.into_iter().map(|(.., values)| values).collect(),
            max_ttl: number(ceiling.max_ttl_seconds),
            networks: lines(&key.allowed_networks),
            per_minute: number(key.rate_limit.map(|limit| limit.per_minute)),
            burst: number(key.rate_limit.map(|limit| limit.burst)),
            ..Self::default()
        }
    }

    /// Each declared attribute with its limit.
    pub(crate) fn attribute_limits(&self, choices: &Choices) -> Vec<AttributeLimit> {
        let limits = choices.attributes.iter().map(|declaration| {
            let name = declaration.name.to_string();
            let place = self.attribute.iter().position(|it| *it == name);
            let at = |list: &[String]| place.and_then(|place| list.get(place).cloned());
            AttributeLimit {
                mode: at(&self.attribute_mode).unwrap_or_else(|| "free".into()),
                values: at(&self.attribute_values).unwrap_or_default(),
                hint: declaration.description.clone(),
                name,
            }
        });
        limits.collect()
    }

    /// Are there limits to show at once?
    pub(crate) fn has_limits(&self) -> bool {
        self.limit_roles
            || self.limit_audiences
            || self.attribute_mode.iter().any(|mode| mode != "free")
            || [&self.max_ttl, &self.networks, &self.per_minute, &self.burst]
                .iter()
                .any(|text| !text.trim().is_empty())
    }

    /// The key that the form asks for.
    pub(super) fn new_key(
        &self,
        choices: &Choices,
        (organization, person): (OrganizationId, PrincipalId),
        now: Timestamp,
    ) -> Result<NewApiKey, FormErrors> {
        let read = self.read(choices, now)?;
        let Edit::Set(expires_at) = read.expires_at else {
            return Err(FormErrors::of("expires", "Choose when the key ends."));
        };
        let owner = match self.owner.as_str() {
            "" => person,
            text => text
                .parse()
                .map_err(|_| FormErrors::of("owner", "There is no such owner."))?,
        };
        Ok(NewApiKey {
            organization,
            owner,
            created_by: Some(person),
            name: self.name.clone(),
            expires_at,
            permissions: read.permissions,
            ceiling: read.ceiling,
            allowed_networks: read.networks,
            rate_limit: read.rate_limit,
        })
    }

    /// What the form changes about a key.
    pub(super) fn patch(
        &self,
        choices: &Choices,
        now: Timestamp,
    ) -> Result<ApiKeyPatch, FormErrors> {
        let read = self.read(choices, now)?;
        Ok(ApiKeyPatch {
            name: Edit::Set(self.name.clone()),
            permissions: Edit::Set(read.permissions),
            ceiling: Edit::Set(read.ceiling),
            expires_at: read.expires_at,
            allowed_networks: Edit::Set(read.networks),
            rate_limit: Edit::Set(read.rate_limit),
        })
    }

    fn read(&self, choices: &Choices, now: Timestamp) -> Result<Read, FormErrors> {
        let mut errors = FormErrors::default();
        let mut note = |field: &str, detail: String| {
            errors = std::mem::take(&mut errors).and(field, detail);
        };
        let expires_at = self.expiry(now).unwrap_or_else(|detail| {
            note("expires", detail.into());
            Edit::Keep
        });
        let permissions = self.permissions().unwrap_or_else(|error| {
            note("permissions", error);
            Vec::new()
        });
        let max_ttl_seconds = whole(&self.max_ttl).unwrap_or_else(|detail| {
            note("max_ttl", detail);
            None
        });
        let networks = self.networks().unwrap_or_else(|detail| {
            note("networks", detail);
            Vec::new()
        });
        let rate_limit = self.rate_limit().unwrap_or_else(|detail| {
            note("per_minute", detail);
            None
        });
        if errors.any() {
            return Err(errors);
        }
        let (fixed_attributes, allowed_attributes) = self.attributes(choices);
        Ok(Read {
            expires_at,
            permissions,
            ceiling: KeyCeiling {
                roles: self.limit_roles.then(|| self.role.clone()),
                audiences: self.limit_audiences.then(|| self.audience.clone()),
                fixed_attributes,
                allowed_attributes,
                max_ttl_seconds,
            },
            networks,
            rate_limit,
        })
    }

    fn expiry(&self, now: Timestamp) -> Result<Edit<Option<Timestamp>>, &'static str> {
        match self.expires.as_str() {
            "keep" => Ok(Edit::Keep),
            "never" => Ok(Edit::Set(None)),
            "date" => {
                let end = format!("{}T23:59:59Z", self.expires_on.trim());
                let end =
                    Timestamp::parse(&end).map_err(|_| "Choose a day, such as 2027-01-31.")?;
                Ok(Edit::Set(Some(end)))
            }
            days => match days.parse::<u32>() {
                Ok(days) => Ok(Edit::Set(Some(now.plus_seconds(i64::from(days) * 86_400)))),
                Err(_) => Err("Choose when the key ends."),
            },
        }
    }

    fn permissions(&self) -> Result<Vec<Permission>, String> {
        let names: Vec<&str> = match self.preset.as_str() {
            "issue" => vec![Permission::TokensIssue.as_str()],
            "custom" => self.permission.iter().map(String::as_str).collect(),
            preset => vec![preset],
        };
        if names.is_empty() {
            return Err("Choose at least one permission.".into());
        }
        let mut all = BTreeSet::new();
        for name in names {
            all.extend(
                Permission::expand(name).map_err(|_| format!("There is no permission {name}."))?,
            );
        }
        Ok(all.into_iter().collect())
    }

    fn networks(&self) -> Result<Vec<IpNet>, String> {
        let texts = self.networks.split([',', '\n', ' ']);
        let texts = texts.map(str::trim).filter(|text| !text.is_empty());
        texts.map(network).collect()
    }

    fn rate_limit(&self) -> Result<Option<RateLimit>, String> {
        match (whole(&self.per_minute)?, whole(&self.burst)?) {
            (None, None) => Ok(None),
            (Some(per_minute), burst) => Ok(Some(RateLimit {
                per_minute,
                burst: burst.unwrap_or(per_minute),
            })),
            (None, Some(_)) => Err("Say how many uses a minute, too.".into()),
        }
    }

    fn attributes(&self, choices: &Choices) -> Limits {
        let (mut fixed, mut allowed) = Limits::default();
        let limits = self.attribute_limits(choices);
        for (declaration, limit) in choices.attributes.iter().zip(limits) {
            match limit.mode.as_str() {
                "fixed" => {
                    // Nothing is a value, too: the ceiling's check says that it is none of its type.
                    let value = typed::value(declaration, &limit.values);
                    fixed.insert(limit.name, value.unwrap_or_default());
                }
                "allowed" => {
                    allowed.insert(limit.name, typed::items(declaration, &limit.values));
                }
                _ => {}
            }
        }
        (fixed, allowed)
    }
}

/// What the form calls these permissions.
fn preset(held: &[Permission]) -> &'static str {
    let held: BTreeSet<Permission> = held.iter().copied().collect();
    let is = |name: &str| {
        let expanded = Permission::expand(name).unwrap_or_default();
        held == expanded.into_iter().collect()
    };
    let presets = [
        ("issue", Permission::TokensIssue.as_str()),
        ("read", "read"),
        ("write", "write"),
    ];
    let found = presets.into_iter().find(|(_, name)| is(name));
    found.map_or("custom", |(preset, _)| preset)
}

type Limits = (
    BTreeMap<String, serde_json::Value>,
    BTreeMap<String, Vec<serde_json::Value>>,
);

struct Read {
    expires_at: Edit<Option<Timestamp>>,
    permissions: Vec<Permission>,
    ceiling: KeyCeiling,
    networks: Vec<IpNet>,
    rate_limit: Option<RateLimit>,
}

/// What is wrong with a key, beside its fields.
pub(super) fn errors(problem: impl Into<Problem>) -> Result<FormErrors, Failure> {
    FormErrors::of_problem(problem.into(), FIELDS)
}

/// An address alone is a network of one.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or(address)
        .map_err(|_| format!("{text} is no network such as 10.0.0.0/8, and no address."))
}

fn whole(text: &str) -> Result<Option<u32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{text} is no whole number.")),
    }
}

fn number(value: Option<u32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn lines(networks: &[IpNet]) -> String {
    let texts: Vec<_> = networks.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
