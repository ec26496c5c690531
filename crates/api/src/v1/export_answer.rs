//! The answers of `/v1/export`: written while the records are read.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Deserialize;
use store::{Export, ExportFilter, ExportKind};
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    error::ApiError,
    export::{CsvMode, Format},
};

/// In which format records are exported.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatParam {
    /// JSON Lines: on each line a record, with a `type` before its fields.
    #[default]
    Jsonl,
    /// CSV, with a line of names.
    Csv,
}

pub(crate) fn format(format: Option<FormatParam>, mode: Option<CsvMode>) -> Format {
    match format.unwrap_or_default() {
        FormatParam::Jsonl => Format::Jsonl,
        FormatParam::Csv => Format::Csv(mode.unwrap_or_default()),
    }
}

pub(crate) async fn answer(
    caller: &Caller,
    kind: ExportKind,
    filter: ExportFilter,
    format: Format,
) -> Result<Response, ApiError> {
    let export = caller.store.export(kind, filter).await?;
    let mut response = Body::from_stream(stream(export, format)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let file = format!("attachment; filename=\"{}.{}\"", kind.as_str(), format.extension());
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

/// A page is read when the one before it has gone out, so a slow client holds one page and nothing in the database.
fn stream(
    export: Export,
    format: Format,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    futures_util::stream::try_unfold(export, move |mut export| async move {
        let written = export.next_written(format).await.map_err(|error| broken(&error))?;
        Ok(written.map(|written| (written, export)))
    })
}

/// The answer's status is long out: all that can be done is to break off, so that nobody takes a part for the whole.
pub(crate) fn broken(error: &dyn std::error::Error) -> std::io::Error {
    tracing::error!(%error, "an export broke off");
    std::io::Error::other("the export broke off")
}
