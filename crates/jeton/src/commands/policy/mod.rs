//! The policy: in files without a server, and on a server.
//!
//! | module | holds |
//! |---|---|
//! | `file` | policies read from files |
//! | `offline` | `check`, `test` |
//! | `replace` | `export`, `diff`, `apply` |
//! | `ask` | `explain`, `simulate` |
//! | `rls` | row rules as SQL |

mod ask;
mod file;
mod offline;
mod replace;
mod rls;

use std::process::ExitCode;

use policy::PolicyDocument;

use crate::cli::{PolicyAction, PolicyCommand};
use crate::client::Client;
use crate::failure::Failure;

/// 1 also stands for "they differ" and "a case fails".
const DIFFERENT: u8 = 1;

pub(crate) async fn run(command: PolicyCommand) -> Result<ExitCode, Failure> {
    let done = match command.action {
        PolicyAction::Diff(args) => return replace::diff(args).await,
        PolicyAction::Test(args) => return offline::test(args).await,
        PolicyAction::Check(args) => offline::check(&args).await,
        PolicyAction::Export(args) => replace::export(&args).await,
        PolicyAction::Apply(args) => replace::apply(args).await,
        PolicyAction::Explain(args) => ask::explain(args).await,
        PolicyAction::Simulate(args) => ask::simulate(args).await,
        PolicyAction::Rls(args) => rls::run(args).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The policy that the server has.
async fn of_server(client: &Client) -> Result<PolicyDocument, Failure> {
    let json = client.get(&["v1", "policy"], &[]).await?;
    serde_json::from_value(json).map_err(Failure::server)
}
