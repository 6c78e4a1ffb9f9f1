use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, Shell};
use crate::output;

pub(crate) fn run(args: &CompletionsArgs) {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jeton", &mut script);
    output::data(String::from_utf8_lossy(&script).trim_end());
}
