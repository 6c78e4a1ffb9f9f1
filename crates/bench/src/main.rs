//! What the exchange costs, compared with the least that any program could spend on it.
//!
//! | module | what it does |
//! |---|---|
//! | [`exchange`] | runs limit program and product in turn, and prints one table |
//! | [`limit`] | the limit program: parse, sign, answer, and nothing else |
//! | [`product`] | starts `jeton dev`, counts its session rows |
//! | [`same_work`] | makes sure that both answer the same |
//! | [`load`], [`http`] | the load driver and its HTTP client |
//! | [`server_process`], [`usage`] | a server as a child process, and what it used |
//! | [`report`] | medians, ratios, the table |
//!
//! `docs/performance.md` says how to run it and how to read it.

mod exchange;
mod http;
mod limit;
mod load;
mod output;
mod product;
mod report;
mod same_work;
mod scratch;
mod server_process;
mod usage;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

// The limit program gets what the product has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Jeton against a program that only parses, signs and answers.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main exchange, `POST /v1/session-tokens`
    Exchange(ExchangeArgs),
    /// The limit program; `exchange` starts it
    #[command(hide = true)]
    Limit,
}

#[derive(Debug, Args)]
struct ExchangeArgs {
    /// How long each server is driven in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each server is driven
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
        // One thread is enough to drive both servers, and leaves them the most of a small machine.
        Command::Exchange(args) => Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(exchange::run(&args)),
        // The runtime of the product.
        Command::Limit => Runtime::new()?.block_on(limit::run()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
