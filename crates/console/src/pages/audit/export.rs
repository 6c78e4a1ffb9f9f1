//! All events of a filter as a file, sent as it is read.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header;
use http_api::problem::Problem;
use http_api::query::{Query, invalid};
use key_admin::audit::{AuditExport, ExportFormat};
use policy::operations::markers::ListAuditEvents;

use super::filter::Asked;
use crate::failure::Failure;
use crate::person::Person;
use crate::state::ConsoleState;

pub(super) async fn file(
    State(state): State<ConsoleState>,
    person: Person<ListAuditEvents>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (format, extension, content_type) = format(&asked.format)?;
    let detail = "This filter is not one that the page of the audit log makes.";
    let filter = asked.filter();
    let filter = filter.map_err(|_| invalid("", "invalid_filter", detail))?;
    let database = state.services.database.clone();
    let export = AuditExport::new(database, person.organization_id(), filter, format);
    // What fails on the way ends the answer before its end: nobody takes it for the whole.
    let parts = stream::try_unfold(export, |mut export| async {
        let part = export.next().await.inspect_err(|error| {
            tracing::error!(%error, "an export of the audit log was given up");
        })?;
        Ok::<_, storage::StorageError>(part.map(|part| (part, export)))
    });
    let today = state.services.clock.now().to_string();
    let today = today.get(..10).unwrap_or_default();
    let name = format!("audit-{}-{today}.{extension}", person.organization().slug);
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

fn format(asked: &str) -> Result<(ExportFormat, &'static str, &'static str), Problem> {
    match asked {
        "csv" => Ok((ExportFormat::Csv, "csv", "text/csv; charset=utf-8")),
        "jsonl" => Ok((ExportFormat::JsonLines, "jsonl", "application/jsonl")),
        _ => Err(invalid(
            "/format",
            "invalid_filter",
            "`format` is csv or jsonl.",
        )),
    }
}
