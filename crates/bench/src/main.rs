//! What the exchange costs, compared with the least that any program could spend on it; and what it costs to refuse
//! keys that are wrong.
//!
//! | module | what it does |
//! |---|---|
//! | [`exchange`] | runs limit program and product in turn, and prints one table |
//! | [`decide`] | what a decision costs, by the size of the policy |
//! | [`limit`] | the limit program: parse, sign, answer, and nothing else |
//! | [`product`] | starts `jeton dev`, counts its session rows |
//! | [`same_work`] | makes sure that both answer the same |
//! | [`failures`] | drives the product with wrong keys, and prints one table |
//! | [`flood`] | the exchange beside floods of wrong secrets and of logins |
//! | [`wrong_keys`] | well-formed keys that prove nothing |
//! | [`installation`] | an organization and a key of its own, and `jeton serve` with given settings |
//! | [`argon2_step`] | the slow step of refusing a key, in this process |
//! | [`failure_report`] | what is left between the kinds of refusal; the table of the failures |
//! | [`load`], [`http`] | the load driver and its HTTP client |
//! | [`server_process`], [`usage`] | a server as a child process, and what it used |
//! | [`report`] | medians, ratios, the table of the exchange |
//!
//! `docs/performance.md` says how to run it and how to read it.

mod argon2_step;
mod decide;
mod exchange;
mod failure_report;
mod failures;
mod flood;
mod http;
mod installation;
mod limit;
mod load;
mod output;
mod product;
mod report;
mod same_work;
mod scratch;
mod server_process;
mod usage;
mod wrong_keys;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::load::Load;

// The limit program gets what the product has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Jeton: its exchange against a program that only parses, signs and answers, and its refusals.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main exchange, `POST /v1/session-tokens`
    Exchange(LoadArgs),
    /// Wrong API keys at `POST /v1/session-tokens`
    Failures(LoadArgs),
    /// The main exchange at a fixed rate, beside floods of wrong secrets and of logins
    Flood(LoadArgs),
    /// One decision, in this process, by the size of the policy
    Decide {
        /// How often each size has its turn
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
    },
    /// The limit program; `exchange` starts it
    #[command(hide = true)]
    Limit,
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// How long each kind of load is kept up in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each kind of load has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Keep-alive connections, each with one request in flight
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// An empty database for the product; an embedded one when left out
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::talk(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Exchange(args) => print(exchange::measure(&args)),
        Command::Failures(args) => print(failures::measure(&args)),
        Command::Flood(args) => print(flood::measure(&args)),
        Command::Decide { rounds } => print(decide::measure(rounds)),
        // The runtime of the product.
        Command::Limit => Runtime::new()?.block_on(limit::run()),
    }
}

/// Fills caches and pools before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

impl LoadArgs {
    /// The warm-up, and what is counted.
    fn loads(&self) -> (Load, Load) {
        let load = Load {
            connections: self.connections,
            duration: Duration::from_secs(self.seconds),
        };
        let warm_up = Load {
            duration: WARM_UP,
            ..load
        };
        (warm_up, load)
    }
}

/// Measures and prints the result. One thread is enough to drive the servers, and leaves them the most of a small
/// machine.
fn print(measure: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        output::talk("warning: this is not a release build; its figures mean nothing");
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Giving up drops the servers, which kills them, and the directory.
        tokio::select! {
            text = measure => text,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    })?;
    output::data(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
