use crate::failure::Failure;
use crate::output;

pub(crate) fn run() -> Result<(), Failure> {
    output::data(http_api::openapi::json());
    Ok(())
}
