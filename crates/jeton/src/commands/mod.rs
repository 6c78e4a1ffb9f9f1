//! The commands that end by themselves.

pub(crate) mod apikey;
pub(crate) mod audience;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod declarations;
pub(crate) mod duration;
pub(crate) mod installation;
pub(crate) mod issued;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod organization;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod rate;
pub(crate) mod reseal;
pub(crate) mod scan;
mod secret_input;
pub(crate) mod session;
pub(crate) mod token;

/// A change that changes nothing is a typing mistake.
fn nothing_to_change() -> crate::failure::Failure {
    crate::failure::Failure::input(anyhow::anyhow!(
        "there is nothing to change: say what shall be different, see --help"
    ))
}
