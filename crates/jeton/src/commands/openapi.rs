use crate::output;

pub(crate) fn run() {
    output::data(http_api::openapi::json());
}
