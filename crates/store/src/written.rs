//! How exported records are written: JSON Lines, or CSV (RFC 4180) for spreadsheets and programs.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Error, Export, ExportKind, Result};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object on each line: the API's own record, with a `type` before its fields.
    Jsonl,
    /// A line of names, then a line for each record. What is no text or number is JSON in its cell.
    Csv(CsvMode),
}

impl Format {
    /// The ending of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv(_) => "csv",
        }
    }

    /// The type in `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv(_) => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// Whom a CSV file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CsvMode {
    /// For people: a text that a spreadsheet would run as a formula, such as a phone number with its `+`, gets a `'`
    /// before it.
    #[default]
    Safe,
    /// For programs: every text as it is.
    Raw,
}

/// The fields of a record, in the order of the columns of its CSV.
pub fn columns(kind: ExportKind) -> &'static [&'static str] {
    match kind {
        ExportKind::Assistants => &["id", "name", "source", "external_id", "call_count", "created_at"],
        ExportKind::Contacts => &CONTACT,
        ExportKind::Calls => &CALL,
        ExportKind::Leads => &LEAD,
        ExportKind::Appointments => &APPOINTMENT,
        ExportKind::Events => &["id", "event", "created_at", "call_id", "data"],
        ExportKind::Sources => &["id", "platform", "name", "settings", "created_at", "updated_at"],
        ExportKind::BlockedNumbers => &["id", "phone", "reason", "created_at"],
        ExportKind::Webhooks => &WEBHOOK,
        ExportKind::Messages => &MESSAGE,
        ExportKind::Gaps => &GAP,
    }
}

const CONTACT: [&str; 12] = [
    "id",
    "name",
    "phone",
    "other_phones",
    "email",
    "company",
    "notes",
    "tags",
    "call_count",
    "last_call_at",
    "created_at",
    "updated_at",
];

const CALL: [&str; 29] = [
    "id",
    "caller_phone",
    "caller_name",
    "status",
    "duration_seconds",
    "summary",
    "transcript",
    "recording_url",
    "transfer_status",
    "started_at",
    "ended_at",
    "assistant_id",
    "contact_id",
    "created_at",
    "caller_email",
    "intent",
    "urgency",
    "direction",
    "source",
    "external_id",
    "ended_reason",
    "recording_available",
    "updated_at",
    "reviewed",
    "spam",
    "tags",
    "notes",
    "messages",
    "recordings",
];

const LEAD: [&str; 13] = [
    "id",
    "call_id",
    "contact_id",
    "name",
    "phone",
    "email",
    "intent",
    "urgency",
    "summary",
    "status",
    "notes",
    "created_at",
    "updated_at",
];

const APPOINTMENT: [&str; 19] = [
    "id",
    "call_id",
    "contact_id",
    "lead_id",
    "assistant_id",
    "title",
    "attendee_name",
    "attendee_phone",
    "attendee_email",
    "starts_at",
    "ends_at",
    "time_zone",
    "location",
    "notes",
    "status",
    "source",
    "external_id",
    "created_at",
    "updated_at",
];

const WEBHOOK: [&str; 15] = [
    "id",
    "url",
    "description",
    "events",
    "status",
    "source_id",
    "rate",
    "ordering",
    "filters",
    "redact",
    "format",
    "header_names",
    "sign_v1a",
    "created_at",
    "updated_at",
];

const GAP: [&str; 8] =
    ["id", "source_id", "external_id", "call_id", "missing", "began_at", "found_at", "healed_at"];

const MESSAGE: [&str; 13] = [
    "id",
    "source_id",
    "received_at",
    "event",
    "external_id",
    "outcome",
    "reason",
    "call_id",
    "size",
    "headers",
    "body",
    "body_base64",
    "answer",
];

/// What stands before the first record.
pub fn head(kind: ExportKind, format: Format) -> Result<Vec<u8>, csv::Error> {
    match format {
        Format::Jsonl => Ok(Vec::new()),
        Format::Csv(_) => {
            lines(std::iter::once(columns(kind).iter().map(|name| (*name).to_owned()).collect()))
        }
    }
}

/// Records as the store read them, in their format.
pub fn page(kind: ExportKind, format: Format, records: &[Vec<u8>]) -> Result<Vec<u8>, csv::Error> {
    match format {
        Format::Jsonl => Ok(jsonl(kind, records)),
        Format::Csv(mode) => lines(records.iter().map(|record| cells(kind, mode, record))),
    }
}

fn jsonl(kind: ExportKind, records: &[Vec<u8>]) -> Vec<u8> {
    let begin = format!("{{\"type\":\"{}\",", kind.singular());
    let mut out = Vec::with_capacity(records.iter().map(|record| record.len() + begin.len() + 1).sum());
    for record in records {
        out.extend_from_slice(begin.as_bytes());
        out.extend_from_slice(record.strip_prefix(b"{").unwrap_or(record));
        out.push(b'\n');
    }
    out
}

fn lines(rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn cells(kind: ExportKind, mode: CsvMode, record: &[u8]) -> Vec<String> {
    let record: Map<String, Value> = serde_json::from_slice(record).unwrap_or_default();
    columns(kind).iter().map(|name| cell(record.get(*name), mode)).collect()
}

fn cell(value: Option<&Value>, mode: CsvMode) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if mode == CsvMode::Safe => neutralized(text),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Spreadsheets take a text for a formula by its first character, also where it is quoted (OWASP, "CSV Injection").
fn neutralized(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

impl Export {
    /// The next piece of the whole in a format, from what stands before the first record on; `None` when all was given.
    pub async fn next_written(&mut self, format: Format) -> Result<Option<Vec<u8>>> {
        let kind = self.kind();
        let unwritten = |error: csv::Error| Error::Stored { what: "record", why: error.to_string() };
        if self.begins() {
            let head = head(kind, format).map_err(unwritten)?;
            if !head.is_empty() {
                return Ok(Some(head));
            }
        }
        let Some(records) = self.next_page().await? else { return Ok(None) };
        page(kind, format, &records).map_err(unwritten).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = br#"{"id":"1","name":"=cmd|'/c calc'!A1","phone":"+14155550142",
        "other_phones":["+14155550143"],"email":null,"company":"Smith, \"Sons\"\nand","notes":"-1","tags":["vip","@home"],"call_count":-2}"#;

    fn csv_of(mode: CsvMode) -> String {
        let page = page(ExportKind::Contacts, Format::Csv(mode), &[RECORD.to_vec()]).expect("CSV");
        String::from_utf8(page).expect("UTF-8")
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_neutralized_for_people() {
        assert_eq!(
            csv_of(CsvMode::Safe),
            "1,'=cmd|'/c calc'!A1,'+14155550142,\"[\"\"+14155550143\"\"]\",,\"Smith, \"\"Sons\"\"\nand\",'-1,\"[\"\"vip\"\",\"\"@home\"\"]\",-2,,,\r\n"
        );
        for begin in ['=', '+', '-', '@', '\t', '\r'] {
            assert_eq!(neutralized(&format!("{begin}x")), format!("'{begin}x"));
        }
        assert_eq!((neutralized("a=b"), neutralized("")), ("a=b".to_owned(), String::new()));
    }

    #[test]
    fn programs_read_back_what_was_written() {
        let csv = csv_of(CsvMode::Raw);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let read: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
        let expected = [
            "1",
            "=cmd|'/c calc'!A1",
            "+14155550142",
            "[\"+14155550143\"]",
            "",
            "Smith, \"Sons\"\nand",
            "-1",
            "[\"vip\",\"@home\"]",
            "-2",
        ];
        assert_eq!(read[0].iter().take(9).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_line_is_the_record_with_its_type() {
        let page = page(ExportKind::Calls, Format::Jsonl, &[br#"{"id":"1"}"#.to_vec()]).expect("JSONL");
        assert_eq!(page, b"{\"type\":\"call\",\"id\":\"1\"}\n");
    }
}
