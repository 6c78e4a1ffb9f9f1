//! Users and service accounts, over HTTP.

use anyhow::anyhow;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::PrincipalId;

use super::secret_input;
use crate::cli::{
    CreateServiceAccountArgs, CreateUserArgs, DeleteOwnerArgs, ListArgs, OneOwnerArgs,
    ServiceAccountAction, ServiceAccountCommand, UserAction, UserCommand,
};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

/// Users or service accounts.
struct Kind {
    path: &'static str,
    columns: &'static [Column],
}

const USERS: Kind = Kind {
    path: "users",
    columns: &[
        Column::text("ID", "/id"),
        Column::text("EMAIL", "/email"),
        Column::text("ROLE", "/role"),
        Column::text("STATE", "/state"),
        Column::text("NAME", "/name"),
        Column::time("CREATED", "/created_at").only_in_csv(),
    ],
};

const SERVICE_ACCOUNTS: Kind = Kind {
    path: "service-accounts",
    columns: &[
        Column::text("ID", "/id"),
        Column::text("NAME", "/name"),
        Column::text("STATE", "/state"),
        Column::time("CREATED", "/created_at"),
    ],
};

pub(crate) async fn user(command: UserCommand) -> Result<(), Failure> {
    match command.action {
        UserAction::Create(args) => create_user(args).await,
        UserAction::List(args) => USERS.list(args).await,
        UserAction::Suspend(args) => USERS.set_state(args, "suspended").await,
        UserAction::Activate(args) => USERS.set_state(args, "active").await,
        UserAction::Role(args) => {
            let owner = OneOwnerArgs {
                id: args.id,
                output: args.output,
            };
            USERS.change(owner, json!({ "role": args.role })).await
        }
        UserAction::Delete(args) => USERS.delete(args).await,
    }
}

pub(crate) async fn service_account(command: ServiceAccountCommand) -> Result<(), Failure> {
    match command.action {
        ServiceAccountAction::Create(args) => create_service_account(args).await,
        ServiceAccountAction::List(args) => SERVICE_ACCOUNTS.list(args).await,
        ServiceAccountAction::Suspend(args) => SERVICE_ACCOUNTS.set_state(args, "suspended").await,
        ServiceAccountAction::Activate(args) => SERVICE_ACCOUNTS.set_state(args, "active").await,
        ServiceAccountAction::Delete(args) => SERVICE_ACCOUNTS.delete(args).await,
    }
}

async fn create_user(args: CreateUserArgs) -> Result<(), Failure> {
    let client = Client::configured()?;
    let file = args.password_file.as_deref();
    let password = secret_input::read(file, "Password of the user: ", "--password-file")?;
    let mut body = json!({
        "email": args.email,
        "role": args.role,
        "password": password.expose_secret(),
    });
    if let Some(name) = args.name {
        body["name"] = name.into();
    }
    let user = client.post(&["v1", USERS.path], Some(body)).await?;
    output::entry(&user, USERS.columns, args.output)
}

async fn create_service_account(args: CreateServiceAccountArgs) -> Result<(), Failure> {
    let body = json!({ "name": args.name });
    let account = Client::configured()?
        .post(&["v1", SERVICE_ACCOUNTS.path], Some(body))
        .await?;
    output::entry(&account, SERVICE_ACCOUNTS.columns, args.output)
}

impl Kind {
    async fn list(&self, args: ListArgs) -> Result<(), Failure> {
        let all = Client::configured()?
            .list(&["v1", self.path], &[], usize::MAX)
            .await?;
        output::list(&all, self.columns, args.output)
    }

    async fn set_state(&self, args: OneOwnerArgs, state: &str) -> Result<(), Failure> {
        self.change(args, json!({ "state": state })).await
    }

    async fn change(&self, args: OneOwnerArgs, change: Value) -> Result<(), Failure> {
        let path = ["v1", self.path, &id(&args.id)?];
        let changed = Client::configured()?.patch(&path, change).await?;
        output::entry(&changed, self.columns, args.output)
    }

    async fn delete(&self, args: DeleteOwnerArgs) -> Result<(), Failure> {
        let path = ["v1", self.path, &id(&args.id)?];
        let revoke = args.revoke_keys.then(|| "true".to_owned());
        let client = Client::configured()?;
        client.delete(&path, &[("revoke_keys", revoke)]).await?;
        output::talk(&format!("{} is deleted", args.id));
        Ok(())
    }
}

fn id(text: &str) -> Result<String, Failure> {
    let id: Result<PrincipalId, _> = text.parse();
    id.map(|id| id.to_string())
        .map_err(|_| Failure::input(anyhow!("users and service accounts have ids such as own_…")))
}
