use crate::cli::{AuditAction, AuditCommand};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::time("AT", "/at"),
    Column::text("ACTION", "/action"),
    Column::text("BY", "/actor_id").otherwise("command line"),
    Column::text("TARGET", "/target_id"),
    Column::text("FROM", "/client_address"),
    Column::text("BY KIND", "/actor_kind").only_in_csv(),
    Column::text("TARGET KIND", "/target_kind").only_in_csv(),
    Column::text("REQUEST ID", "/request_id").only_in_csv(),
    Column::text("DETAIL", "/detail").only_in_csv(),
    Column::text("ID", "/id").only_in_csv(),
];

pub(crate) async fn run(command: AuditCommand) -> Result<(), Failure> {
    let AuditAction::List(args) = command.action;
    let query = [
        ("action", args.action),
        ("actor_id", args.actor),
        ("target_id", args.target),
    ];
    let events = Client::configured()?
        .list(&["v1", "audit-events"], &query, args.limit as usize)
        .await?;
    output::list(&events, COLUMNS, args.output)
}
