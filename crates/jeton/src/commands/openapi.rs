use crate::cli::OpenapiVersion;
use crate::output;

pub(crate) fn run(version: OpenapiVersion) {
    output::data(match version {
        OpenapiVersion::V3_1 => http_api::openapi::json(),
        OpenapiVersion::V3_0 => http_api::openapi::json_3_0(),
    });
}
