//! The keys, found, sorted and filtered.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::api_keys::KeyOrder;
use key_admin::{ApiKeyId, KeyFilter, KeyState, ListedKey, Permission};
use policy::operations::markers::ListApiKeys;
use serde::Deserialize;
use storage::Timestamp;
use url::form_urlencoded;

use super::PATH;
use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// Keys on one page.
const PAGE: u32 = 25;
/// How long before its end a key is warned of.
const WARNING_SECONDS: i64 = 7 * 86_400;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    pub(crate) search: String,
    /// `all`, or else only the person's own.
    pub(crate) whose: String,
    pub(crate) state: String,
    pub(crate) sort: String,
    pub(crate) page: u32,
    /// What a redirect tells; the frame shows it.
    pub(crate) done: String,
}

#[derive(Template)]
#[template(path = "api_keys/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    may_write: bool,
    filtered: bool,
    earlier: Option<String>,
    later: Option<String>,
}

/// A key as the list shows it.
struct Row {
    id: String,
    name: String,
    prefix: String,
    owner: String,
    permissions: String,
    created: When,
    expires: Option<When>,
    expires_soon: bool,
    last_used: Option<When>,
    issued: i64,
    spark: Spark,
    state: Badge,
}

/// A key's state in a word and a colour.
pub(crate) struct Badge {
    pub(crate) text: &'static str,
    pub(crate) class: &'static str,
}

/// Thirty days as bars.
#[derive(Template)]
#[template(path = "api_keys/spark.html")]
pub(crate) struct Spark {
    bars: Vec<Bar>,
    label: String,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for Spark {}

struct Bar {
    x: usize,
    y: i64,
    height: i64,
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListApiKeys>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let organization = person.organization_id();
    let keys = &state.services.keys;
    let offset = asked.page.min(10_000) * PAGE;
    let mut found = keys
        .list_keys_ordered(
            organization,
            &filter(&asked, &person),
            order(&asked),
            (offset, PAGE + 1),
        )
        .await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let ids: Vec<ApiKeyId> = found.iter().map(|listed| listed.key.id).collect();
    let mut usage = keys.usage_of_keys(organization, &ids, 30).await?;
    let now = state.services.clock.now();
    let rows = found
        .into_iter()
        .map(|listed| Row::new(listed, &mut usage, now));
    Ok(ok(&ListPage {
        frame: person.frame(Section::ApiKeys, "API keys"),
        rows: rows.collect(),
        may_write: person.may(Permission::KeysWrite),
        filtered: !(asked.search.is_empty() && asked.state.is_empty()),
        earlier: (asked.page > 0).then(|| address(&asked, asked.page - 1)),
        later: more.then(|| address(&asked, asked.page + 1)),
        asked,
    }))
}

fn filter(asked: &Asked, person: &Person<ListApiKeys>) -> KeyFilter {
    let search = asked.search.trim();
    let states = KeyState::ALL.iter().copied();
    KeyFilter {
        search: (!search.is_empty()).then(|| search.to_owned()),
        owner: (asked.whose != "all").then(|| person.user().id),
        state: states
            .into_iter()
            .find(|state| state.as_str() == asked.state),
    }
}

fn order(asked: &Asked) -> KeyOrder {
    match asked.sort.as_str() {
        "name" => KeyOrder::Name,
        "used" => KeyOrder::LastUsed,
        "expiry" => KeyOrder::Expiry,
        _ => KeyOrder::Newest,
    }
}

fn address(asked: &Asked, page: u32) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("search", &asked.search)
        .append_pair("whose", &asked.whose)
        .append_pair("state", &asked.state)
        .append_pair("sort", &asked.sort)
        .append_pair("page", &page.to_string())
        .finish();
    format!("{PATH}?{query}")
}

impl Row {
    fn new(listed: ListedKey, usage: &mut BTreeMap<ApiKeyId, Vec<i64>>, now: Timestamp) -> Self {
        let key = &listed.key;
        let soon = |at: Timestamp| at > now && at <= now.plus_seconds(WARNING_SECONDS);
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix(),
            owner: listed.owner_name,
            permissions: summary(&key.permissions),
            created: When::new(key.created_at, now),
            expires: key.expires_at.map(|at| When::new(at, now)),
            expires_soon: key.expires_at.is_some_and(soon),
            last_used: listed.last_used_at.map(|at| When::new(at, now)),
            issued: listed.tokens_issued.last_30_days,
            spark: Spark::new(&usage.remove(&key.id).unwrap_or_default()),
            state: Badge::of(listed.state),
        }
    }
}

/// The presets by their name, fewer permissions by theirs.
pub(crate) fn summary(held: &[Permission]) -> String {
    let is = |preset: &str| {
        let expanded = Permission::expand(preset).unwrap_or_default();
        expanded.len() == held.len() && expanded.iter().all(|one| held.contains(one))
    };
    if is("write") {
        return "read and write".into();
    }
    if is("read") {
        return "read".into();
    }
    match held {
        [] => "nothing".into(),
        [one] => one.to_string(),
        [one, another] => format!("{one}, {another}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

impl Badge {
    pub(crate) fn of(state: KeyState) -> Self {
        let (text, class) = match state {
            KeyState::Active => ("active", "good"),
            KeyState::Disabled => ("disabled", "warn"),
            KeyState::Expired => ("expired", "bad"),
            KeyState::Revoked => ("revoked", "bad"),
        };
        Self { text, class }
    }
}

impl Spark {
    /// The height of the drawing.
    const HEIGHT: i64 = 28;

    pub(crate) fn new(counts: &[i64]) -> Self {
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bars = counts.iter().enumerate().map(|(day, count)| {
            let height = match *count {
                0 => 1,
                count => (count * (Self::HEIGHT - 2) / most).max(3),
            };
            Bar {
                x: day * 4,
                y: Self::HEIGHT - height,
                height,
            }
        });
        let total: i64 = counts.iter().sum();
        let label = match counts.iter().copied().max() {
            Some(most) if most > 0 => {
                format!("{total} tokens in 30 days, at most {most} in one")
            }
            _ => "No tokens in 30 days".into(),
        };
        Self {
            bars: bars.collect(),
            label,
        }
    }
}
