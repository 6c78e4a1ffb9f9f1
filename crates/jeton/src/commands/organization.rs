//! Organizations: made and listed directly on a database, shown and changed over HTTP.

use key_admin::users::{CreateUserError, Email};
use key_admin::{Act, Organization, Slug};
use serde_json::{Map, Value};
use token_issuer::NewOrganization;
use token_issuer::services::NewOrganizationError;

use super::duration::Longest;
use super::{installation, nothing_to_change, secret_input};
use crate::cli::{
    CreateOrganizationArgs, InstallationArgs, OrganizationAction, OrganizationCommand,
    ShowOrganizationArgs, UpdateOrganizationArgs,
};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ORGANIZATION", "/slug"),
    Column::text("NAME", "/name"),
    Column::text("MAX KEY LIFETIME SECONDS", "/max_key_lifetime_seconds").otherwise("none"),
    Column::time("CREATED", "/created_at"),
    Column::text("ID", "/id").only_in_csv(),
];

const PATH: &[&str] = &["v1", "organization"];

pub(crate) async fn run(command: OrganizationCommand) -> Result<(), Failure> {
    match command.action {
        OrganizationAction::Create(args) => create(args).await,
        OrganizationAction::Get(args) => get(&args).await,
        OrganizationAction::Show(args) => show(&args).await,
        OrganizationAction::Update(args) => update(args).await,
    }
}

async fn create(args: CreateOrganizationArgs) -> Result<(), Failure> {
    let slug = Slug::parse(&args.slug).map_err(Failure::input)?;
    let owner_email = Email::parse(&args.owner_email).map_err(Failure::input)?;
    let owner_password = secret_input::read(
        args.owner_password_file.as_deref(),
        "Password of the first owner: ",
        "--owner-password-file",
    )?;
    let services = installation::open(&args.installation).await?;
    let name = args.name.unwrap_or_else(|| args.slug.clone());
    let new = NewOrganization {
        slug,
        name,
        owner_email,
        owner_password,
        starter_policy: args.starter_policy,
    };
    let (organization, owner) = services
        .create_organization(&Act::on_command_line(), new)
        .await
        .map_err(blame)?;
    services.database.close().await;
    output::data(&output::table(
        &["ORGANIZATION", "NAME", "OWNER"],
        &[vec![
            organization.slug.to_string(),
            organization.name,
            owner.to_string(),
        ]],
    ));
    Ok(())
}

async fn get(args: &InstallationArgs) -> Result<(), Failure> {
    let services = installation::open(args).await?;
    let rows: Vec<_> = Organization::list(&services.database)
        .await?
        .into_iter()
        .map(|organization| {
            vec![
                organization.slug.to_string(),
                organization.name,
                organization.created_at.to_string(),
            ]
        })
        .collect();
    output::data(&output::table(&["ORGANIZATION", "NAME", "CREATED"], &rows));
    Ok(())
}

async fn show(args: &ShowOrganizationArgs) -> Result<(), Failure> {
    let organization = Client::configured()?.get(PATH, &[]).await?;
    output::entry(&organization, COLUMNS, args.output)
}

async fn update(args: UpdateOrganizationArgs) -> Result<(), Failure> {
    let mut change = Map::new();
    if let Some(name) = args.name {
        change.insert("name".into(), name.into());
    }
    if let Some(longest) = args.max_lifetime {
        let seconds = match longest {
            Longest::Unlimited => Value::Null,
            Longest::Seconds(seconds) => seconds.into(),
        };
        change.insert("max_key_lifetime_seconds".into(), seconds);
    }
    if change.is_empty() {
        return Err(nothing_to_change());
    }
    let changed = Client::configured()?.patch(PATH, change.into()).await?;
    output::entry(&changed, COLUMNS, args.output)
}

fn blame(error: NewOrganizationError) -> Failure {
    use NewOrganizationError as E;
    match error {
        E::Storage(error) | E::Owner(CreateUserError::Storage(error)) => error.into(),
        E::Organization(_) | E::Owner(_) => Failure::input(error),
        E::SigningKeys(_) | E::Policy(_) => Failure::server(error),
    }
}
