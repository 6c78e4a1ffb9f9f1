//! What the exchange costs, compared with the least that any program could spend on it; what it costs to refuse keys that
//! are wrong, to decide, to verify, to restart, and to grow.
//!
//! | module | what it does |
//! |---|---|
//! | [`exchange`] | runs limit program and product in turn, and prints one table |
//! | [`rate`] | latencies at a share of the highest rate |
//! | [`peers`] | limit program, product, and the one-pager that users would write instead |
//! | [`decide`] | what a decision costs, by the size of the policy |
//! | [`verify`] | one verification, beside a plain JWT library |
//! | [`scale`] | the exchange in installations of very different sizes |
//! | [`cold`] | what a restart costs |
//! | [`limit`] | the limit program: parse, sign, answer, and nothing else |
//! | [`product`] | starts `jeton dev`, counts its session rows |
//! | [`same_work`] | makes sure that both answer the same |
//! | [`failures`] | drives the product with wrong keys, and prints one table |
//! | [`flood`] | the exchange beside floods of wrong secrets and of logins |
//! | [`wrong_keys`] | well-formed keys that prove nothing |
//! | [`installation`] | an organization and a key of its own, and `jeton serve` with given settings |
//! | [`argon2_step`] | the slow step of refusing a key, in this process |
//! | [`failure_report`] | what is left between the kinds of refusal; the table of the failures |
//! | [`count`], [`counted`] | instructions of an issuance, step by step |
//! | [`crowd`] | many keys and organizations, fast |
//! | [`in_process`] | the product's services in this process |
//! | [`load`], [`http`] | the load driver and its HTTP client |
//! | [`server_process`], [`usage`] | a server as a child process, and what it used |
//! | [`report`] | medians, ratios, the table of the exchange |
//!
//! `docs/performance.md` says how to run it and how to read it.

mod argon2_step;
mod cold;
mod count;
mod counted;
mod crowd;
mod decide;
mod exchange;
mod failure_report;
mod failures;
mod flood;
mod http;
mod in_process;
mod installation;
mod limit;
mod load;
mod output;
mod peers;
mod product;
mod rate;
mod report;
mod same_work;
mod scale;
mod scratch;
mod server_process;
mod usage;
mod verify;
mod wrong_keys;

use std::path::PathBuf;
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
    /// How long the exchange takes at a share of the highest rate
    Rate {
        #[command(flatten)]
        load: LoadArgs,
        /// That share
        #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: u8,
    },
    /// The exchange beside a page of Node.js that does what teams write instead, `examples/home-made`
    Peers {
        #[command(flatten)]
        load: LoadArgs,
        /// The Node.js to run it with
        #[arg(long, default_value = "node", value_name = "PROGRAM")]
        node: PathBuf,
    },
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
    /// One verification, in this process, beside a plain JWT library
    Verify {
        /// How often each way has its turn
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
    },
    /// A restart: its own time, and the first request of each API key
    Cold {
        /// Numbers of API keys that are in use, separated by commas
        #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
        keys: Vec<u32>,
        /// Numbers of organizations with a key each
        #[arg(long, value_delimiter = ',', default_value = "1,1000,10000")]
        organizations: Vec<u32>,
        /// Restarts of each
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
        /// Keep-alive connections, each with one request in flight
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
        connections: u16,
    },
    /// The exchange in installations of very different sizes
    Scale {
        /// What grows; all of it when left out
        #[arg(long, value_delimiter = ',')]
        axis: Vec<scale::Axis>,
        /// Its sizes in place of the usual ones, the one to compare with first
        #[arg(long, value_delimiter = ',', requires = "axis")]
        sizes: Vec<u32>,
        /// How long each size is driven in each round
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// How often each size has its turn
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
        /// Keep-alive connections, each with one request in flight
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
        connections: u16,
    },
    /// Instructions of an issuance, counted by valgrind, against those that were accepted
    Count {
        /// Take these counts as those to compare with from now on
        #[arg(long)]
        accept: bool,
    },
    /// The steps that `count` counts
    #[command(hide = true)]
    Counted,
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
        Command::Rate { load, percent } => print(rate::measure(&load, percent)),
        Command::Peers { load, node } => print(peers::measure(&load, &node)),
        Command::Failures(args) => print(failures::measure(&args)),
        Command::Flood(args) => print(flood::measure(&args)),
        Command::Decide { rounds } => print(decide::measure(rounds)),
        Command::Verify { rounds } => print(async { verify::measure(rounds) }),
        Command::Cold {
            keys,
            organizations,
            rounds,
            connections,
        } => print(cold::measure(&keys, &organizations, rounds, connections)),
        Command::Scale {
            axis,
            sizes,
            seconds,
            rounds,
            connections,
        } => {
            let load = Load {
                connections,
                duration: Duration::from_secs(seconds),
            };
            print(scale::measure(&axis, &sizes, rounds, load))
        }
        Command::Count { accept } => count::print(accept),
        Command::Counted => counted::run(),
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
