//! What a page shows, to take along: a list as CSV, a person as JSON, written while they are read.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use model::Permission;
use serde::Deserialize;
use store::{
    ExportFilter, ExportKind, OrgStore,
    written::{CsvMode, Format},
};

use super::contact::find;
use crate::{error::PageError, extract::PathIds, person::Person, show};

/// For whom a CSV file is.
#[derive(Default, Deserialize)]
pub(crate) struct Mode {
    #[serde(default)]
    mode: String,
}

impl Mode {
    fn csv(&self) -> CsvMode {
        if self.mode == "raw" { CsvMode::Raw } else { CsvMode::Safe }
    }
}

/// Where a list is to be had as CSV, in both ways. `query` is what the list asks for.
pub(crate) struct Links {
    pub(crate) safe: String,
    pub(crate) raw: String,
}

impl Links {
    pub(crate) fn new(path: &str, query: &[(&str, &str)]) -> Self {
        let with = |mode| {
            let mut query = query.to_vec();
            query.push(("mode", mode));
            show::address(path, &query)
        };
        Self { safe: with("safe"), raw: with("raw") }
    }
}

/// A list as CSV: all that it asks for, and not a page of it.
pub(crate) async fn csv(
    store: &OrgStore,
    kind: ExportKind,
    filter: ExportFilter,
    mode: &Mode,
) -> Result<Response, PageError> {
    let format = Format::Csv(mode.csv());
    let export = store.export(kind, filter).await?;
    let pieces = futures_util::stream::try_unfold(export, move |mut export| async move {
        let written = export.next_written(format).await.map_err(|error| broken(&error))?;
        Ok::<_, std::io::Error>(written.map(|written| (written, export)))
    });
    let file = format!("{}.{}", kind.as_str(), format.extension());
    Ok(attachment(Body::from_stream(pieces), format.media_type(), &file))
}

/// All that there is of a person, as the API gives it.
pub(crate) async fn export_person(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::ReadRecords).await?;
    let export = store.export_person(contact.id).await?.ok_or_else(super::contact::missing)?;
    let pieces = futures_util::stream::try_unfold(export, |mut export| async move {
        let piece = export.next_piece().await.map_err(|error| broken(&error))?;
        Ok::<_, std::io::Error>(piece.map(|piece| (piece, export)))
    });
    let file = format!("contact-{}.json", contact.id);
    Ok(attachment(Body::from_stream(pieces), "application/json", &file))
}

/// The answer's status is long out: all that can be done is to break off, so that nobody takes a part for the whole.
fn broken(error: &store::Error) -> std::io::Error {
    tracing::error!(%error, "an export broke off");
    std::io::Error::other("the export broke off")
}

fn attachment(body: Body, media_type: &'static str, file: &str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
