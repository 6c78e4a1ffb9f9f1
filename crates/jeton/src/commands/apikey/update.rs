//! Changing a key, over HTTP.

use anyhow::anyhow;
use serde_json::{Map, Value, json};
use storage::{Clock, SystemClock};

use super::limits::{self, Limits};
use super::shared::{COLUMNS, key_id, permissions};
use crate::cli::{LimitFlag, UpdateApikeyArgs};
use crate::client::Client;
use crate::commands::nothing_to_change;
use crate::failure::Failure;
use crate::output;

pub(super) async fn update(args: UpdateApikeyArgs) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let path = ["v1", "api-keys", &id];
    let limits = limits::with_lifted(limits::given(&args.limits)?, &args.lift)?;
    let output = args.output;
    let mut change = outside_the_ceiling(args, &limits);
    let touches_the_ceiling = limits::touch_the_ceiling(&limits);
    if change.is_empty() && !touches_the_ceiling {
        return Err(nothing_to_change());
    }
    let client = Client::configured()?;
    if touches_the_ceiling {
        // The API takes a ceiling as a whole; what is not spoken of has to stay as it is.
        let mut key = client.get(&path, &[]).await?;
        let Value::Object(ceiling) = key["ceiling"].take() else {
            return Err(Failure::server(anyhow!("the answer has no ceiling in it")));
        };
        let ceiling = limits::applied(&limits, ceiling);
        change.insert("ceiling".into(), ceiling.into());
    }
    let changed = client.patch(&path, change.into()).await?;
    output::entry(&changed, COLUMNS, output)
}

/// The members of `PATCH /v1/api-keys/{id}` that the flags speak of, but for the ceiling.
fn outside_the_ceiling(args: UpdateApikeyArgs, limits: &Limits) -> Map<String, Value> {
    let mut change = Map::new();
    if let Some(name) = args.name {
        change.insert("name".into(), name.into());
    }
    if let Some(expiry) = args.expires_in {
        change.insert("expires_at".into(), json!(expiry.from(SystemClock.now())));
    }
    if !args.permissions.is_empty() {
        let names = permissions(&args.permissions);
        change.insert("permissions".into(), json!(names));
    }
    if let Some(networks) = limits.get(&LimitFlag::Network) {
        let any = json!([]);
        let networks = if networks.is_null() { &any } else { networks };
        change.insert("allowed_networks".into(), networks.clone());
    }
    if let Some(limit) = limits.get(&LimitFlag::RateLimit) {
        change.insert("rate_limit".into(), limit.clone());
    }
    change
}
