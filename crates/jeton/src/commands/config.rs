use crate::cli::{ConfigAction, ConfigCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(command: ConfigCommand) -> Result<(), Failure> {
    let ConfigAction::Show(args) = command.action;
    let config = Config::read(&args)?;
    output::data(
        toml::to_string(&config)
            .map_err(Failure::server)?
            .trim_end(),
    );
    Ok(())
}
