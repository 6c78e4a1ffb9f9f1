//! API keys: over HTTP with a profile, or directly on a database, which needs no key to begin with.

mod limits;
mod on_database;
mod over_http;
mod shared;
mod update;

pub(super) use limits::attributes_of;
pub(super) use shared::key_id;

use crate::cli::{ApikeyAction, ApikeyCommand, InstallationArgs};
use crate::client::{self, Client};
use crate::config::{Config, Profile};
use crate::failure::Failure;

/// What a command works on.
enum Target {
    Server(Box<Client>),
    Database,
}

pub(crate) async fn run(command: ApikeyCommand) -> Result<(), Failure> {
    match command.action {
        ApikeyAction::Create(args) => match target(&args.installation)? {
            Target::Server(client) => over_http::create(&client, args).await,
            Target::Database => on_database::create(args).await,
        },
        ApikeyAction::Get(args) => match target(&args.installation)? {
            Target::Server(client) => over_http::get(&client, args).await,
            Target::Database => on_database::get(args).await,
        },
        ApikeyAction::Update(args) => update::update(args).await,
        ApikeyAction::Rotate(args) => over_http::rotate(&Client::configured()?, args).await,
        ApikeyAction::Disable(args) => over_http::switch(args, "disable").await,
        ApikeyAction::Enable(args) => over_http::switch(args, "enable").await,
        ApikeyAction::Revoke(args) => over_http::revoke(args).await,
        ApikeyAction::Delete(args) => over_http::delete(args).await,
        ApikeyAction::Usage(args) => over_http::usage(args).await,
    }
}

/// A database that the command line names, else the server of the profile, else the configured database.
fn target(installation: &InstallationArgs) -> Result<Target, Failure> {
    if installation.is_named() {
        return Ok(Target::Database);
    }
    if let Some(profile) = Profile::find()? {
        return Ok(Target::Server(Box::new(Client::new(&profile)?)));
    }
    if Config::read(&installation.config)?.database_url.is_none() {
        return Err(client::no_profile());
    }
    Ok(Target::Database)
}
