//! The first page: what is issued and refused, by which keys, and on which servers.
//!
//! | file | what it gives |
//! |---|---|
//! | `chart` | counts over time as SVG and as a table |
//! | `reasons` | what the codes of refusals mean |

mod chart;
mod reasons;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use key_admin::{ActivitySeries, ExpiringKey, KeyActivity, KeyFilter, Permission, RefusalCount};
use storage::{Node, StorageError, Timestamp, list_nodes};

use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;
use chart::{Chart, Shape, grouped};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Keys that end within this many days are told.
const SOON_DAYS: i64 = 7;
/// Rows of each list.
const ROWS: u32 = 8;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/", get(page))
        .route("/reasons", get(reasons::page))
}

#[derive(Template)]
#[template(path = "overview/page.html")]
struct OverviewPage {
    frame: Frame,
    /// `None` for who may not read keys.
    activity: Option<ActivityView>,
    /// `None` for who does not look after the installation.
    nodes: Option<Vec<NodeView>>,
    may_make_keys: bool,
    may_try: bool,
}

struct ActivityView {
    has_keys: bool,
    has_issued: bool,
    hour: Chart,
    day: Chart,
    refusals: Vec<Bar>,
    busiest_day: Vec<Bar>,
    busiest_week: Vec<Bar>,
    expiring: Vec<Expiring>,
}

/// A line of a list with a bar.
struct Bar {
    name: String,
    note: String,
    link: Option<String>,
    count: String,
    /// Of the longest bar, in hundredths.
    length: i64,
}

struct Expiring {
    id: String,
    name: String,
    owner: String,
    expires: When,
}

struct NodeView {
    name: String,
    version: String,
    started: When,
    seen: When,
    silent: bool,
    versions_behind: i64,
    seconds_behind: i64,
}

async fn page(State(state): State<ConsoleState>, person: Person) -> Result<Response, Failure> {
    let activity = if person.may(Permission::KeysRead) {
        Some(activity(&state, &person).await?)
    } else {
        None
    };
    let services = &state.services;
    let now = services.clock.now();
    // Servers are no organization's own: their names are for those who run the place.
    let nodes = if person.may(Permission::OrganizationWrite) {
        Some(list_nodes(&services.database, now).await?)
    } else {
        None
    };
    let node = |node| NodeView::new(node, now);
    Ok(ok(&OverviewPage {
        frame: person.frame(Section::Overview, "Overview"),
        activity,
        nodes: nodes.map(|nodes| nodes.into_iter().map(node).collect()),
        may_make_keys: person.may(Permission::KeysWrite),
        may_try: person.may(Permission::PolicyRead),
    }))
}

async fn activity(state: &ConsoleState, person: &Person) -> Result<ActivityView, StorageError> {
    let (keys, organization) = (&state.services.keys, person.organization_id());
    let now = state.services.clock.now();
    let series = async |ago: i64, step: u32| {
        let time = (now.plus_seconds(-ago), now.plus_seconds(1));
        keys.activity(organization, time, step).await
    };
    let hour: ActivitySeries = series(HOUR - MINUTE, 1).await?;
    let day: ActivitySeries = series(DAY - HOUR / 2, 30).await?;
    let busiest = async |seconds: i64| {
        let since = now.plus_seconds(-seconds);
        keys.busiest_keys(organization, since, ROWS).await
    };
    let (busiest_day, busiest_week) = (busiest(DAY).await?, busiest(7 * DAY).await?);
    let until = now.plus_seconds(SOON_DAYS * DAY);
    let expiring = keys.expiring_keys(organization, until, ROWS).await?;
    let any = KeyFilter::default();
    let has_keys = !keys
        .list_keys(organization, &any, None, 1)
        .await?
        .is_empty();
    let expiring = expiring.into_iter().map(|key| Expiring::new(key, now));
    Ok(ActivityView {
        has_keys,
        has_issued: !busiest_week.is_empty() || !day.refusals.is_empty(),
        hour: Chart::new(
            "hour",
            "Tokens per minute, last hour",
            Shape::Bars,
            &hour.steps,
            1,
        ),
        day: Chart::new(
            "day",
            "Tokens per half hour, last 24 hours",
            Shape::Lines,
            &day.steps,
            24,
        ),
        refusals: refusals(&day.refusals),
        busiest_day: busy(busiest_day),
        busiest_week: busy(busiest_week),
        expiring: expiring.collect(),
    })
}

fn refusals(counts: &[RefusalCount]) -> Vec<Bar> {
    let most = counts.iter().map(|it| it.requests).max().unwrap_or(1);
    let bars = counts.iter().take(ROWS as usize).map(|count| Bar {
        name: count.code.clone(),
        note: String::new(),
        link: reasons::is_explained(&count.code)
            .then(|| format!("/console/reasons#{}", count.code)),
        count: grouped(count.requests),
        length: length(count.requests, most),
    });
    bars.collect()
}

fn busy(keys: Vec<KeyActivity>) -> Vec<Bar> {
    let most = keys.iter().map(|it| it.tokens_issued).max().unwrap_or(1);
    let bars = keys.into_iter().map(|key| {
        let exists = key.name.is_some();
        Bar {
            link: exists.then(|| format!("/console/profile/api-keys/{}", key.id)),
            note: key.owner_name.unwrap_or_else(|| "deleted".to_owned()),
            name: key.name.unwrap_or_else(|| key.id.to_string()),
            count: grouped(key.tokens_issued),
            length: length(key.tokens_issued, most),
        }
    });
    bars.collect()
}

/// What is not nothing can be seen.
fn length(count: i64, most: i64) -> i64 {
    (100 * count / most.max(1)).max(1)
}

impl Expiring {
    fn new(key: ExpiringKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            owner: key.owner_name,
            expires: When::new(key.expires_at, now),
        }
    }
}

impl NodeView {
    fn new(node: Node, now: Timestamp) -> Self {
        Self {
            name: node.name,
            version: node.version,
            started: When::new(node.started_at, now),
            seen: When::new(node.seen_at, now),
            silent: node.is_silent,
            versions_behind: node.versions_behind,
            seconds_behind: node.seconds_behind,
        }
    }
}
