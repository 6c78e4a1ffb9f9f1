use key_admin::users::{CreateUserError, Email};
use key_admin::{Organization, Slug};
use token_issuer::NewOrganization;
use token_issuer::services::NewOrganizationError;

use super::{installation, secret_input};
use crate::cli::{
    CreateOrganizationArgs, InstallationArgs, OrganizationAction, OrganizationCommand,
};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(command: OrganizationCommand) -> Result<(), Failure> {
    match command.action {
        OrganizationAction::Create(args) => create(args).await,
        OrganizationAction::Get(args) => get(&args).await,
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
    let (organization, owner) = services.create_organization(new).await.map_err(blame)?;
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

fn blame(error: NewOrganizationError) -> Failure {
    use NewOrganizationError as E;
    match error {
        E::Storage(error) | E::Owner(CreateUserError::Storage(error)) => error.into(),
        E::Organization(_) | E::Owner(_) => Failure::input(error),
        E::SigningKeys(_) | E::Policy(_) => Failure::server(error),
    }
}
