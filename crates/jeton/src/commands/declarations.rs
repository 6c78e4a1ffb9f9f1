//! Roles and attributes one by one, over HTTP.

use anyhow::anyhow;
use policy::{AttributeName, RoleName};

use crate::cli::DeclarationAction;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

/// Roles or attributes.
struct Kind {
    path: &'static str,
    columns: &'static [Column],
}

const ROLES: Kind = Kind {
    path: "roles",
    columns: &[
        Column::text("NAME", "/name"),
        Column::text("INHERITS", "/inherits"),
        Column::text("REQUIRES", "/required_attributes"),
        Column::text("MAX TTL", "/max_ttl_seconds"),
        Column::text("DESCRIPTION", "/description"),
        Column::text("PERMISSIONS", "/permissions").only_in_csv(),
        Column::text("AUDIENCES", "/audiences").only_in_csv(),
        Column::text("DEFAULT TTL", "/default_ttl_seconds").only_in_csv(),
    ],
};

const ATTRIBUTES: Kind = Kind {
    path: "attributes",
    columns: &[
        Column::text("NAME", "/name"),
        Column::text("TYPE", "/type"),
        Column::text("LIST", "/list").otherwise("false"),
        Column::text("REQUIRED", "/required").otherwise("false"),
        Column::text("DESCRIPTION", "/description"),
        Column::text("SENSITIVE", "/sensitive").only_in_csv(),
        Column::text("ALLOWED VALUES", "/allowed_values").only_in_csv(),
        Column::text("PATTERN", "/pattern").only_in_csv(),
    ],
};

pub(crate) async fn roles(action: DeclarationAction) -> Result<(), Failure> {
    ROLES
        .run(action, |name| RoleName::parse(name).is_ok())
        .await
}

pub(crate) async fn attributes(action: DeclarationAction) -> Result<(), Failure> {
    ATTRIBUTES
        .run(action, |name| AttributeName::parse(name).is_ok())
        .await
}

impl Kind {
    /// A name that cannot be one is not sent: it would be another path.
    async fn run(
        &self,
        action: DeclarationAction,
        is_name: fn(&str) -> bool,
    ) -> Result<(), Failure> {
        let checked = |name: &str| {
            if is_name(name) {
                return Ok(());
            }
            Err(Failure::input(anyhow!(
                "a name has 1 to 64 characters: a lower-case letter, then lower-case letters, digits and `_`"
            )))
        };
        match action {
            DeclarationAction::List(args) => {
                let all = Client::configured()?
                    .list(&["v1", self.path], &[], usize::MAX)
                    .await?;
                output::list(&all, self.columns, args.output)
            }
            DeclarationAction::Get(args) => {
                checked(&args.name)?;
                let path = ["v1", self.path, &args.name];
                let one = Client::configured()?.get(&path, &[]).await?;
                output::entry(&one, self.columns, args.output)
            }
            DeclarationAction::Delete(args) => {
                checked(&args.name)?;
                let path = ["v1", self.path, &args.name];
                Client::configured()?.delete(&path, &[]).await?;
                output::talk(&format!("{} is deleted", args.name));
                Ok(())
            }
        }
    }
}
