//! Fills an SQLite database with calls faster than the ingest would, for benchmarks: the real tables, columns and
//! indexes, in large transactions that don't wait for the disk.
//!
//! What a call of the ingest has and these lack: the full-text index knows none of their words, no message is in the
//! inbox, and no lead, appointment or event comes of them.

mod backlog;

use std::path::Path;

use model::{CallId, ContactId, Message, OrgId, Role, SourceId, Stamp};
use rusqlite::{CachedStatement, Connection, params};

pub use self::backlog::{Backlog, fill_backlog};
use crate::{Error, Result, sqlite};

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whose calls. The organisation must have none.
    pub org: OrgId,
    /// Where they come from; a source of Vapi.
    pub source: SourceId,
    /// How many.
    pub calls: u64,
}

/// How many calls a transaction holds.
const GROUP: u64 = 50_000;

/// How many calls a contact has.
const CALLS_PER_CONTACT: u64 = 5;

/// The first call's stamp (2025-06-01), and from one to the next: a million calls are 116 days.
const FIRST_MICROS: i64 = 1_748_736_000_000_000;
const STEP_MICROS: i64 = 10_000_000;

/// How long a transcript is: with it a page of 50 calls is about 78 KB.
const TRANSCRIPT_BYTES: usize = 725;

/// How many turns a conversation has.
const TURNS: usize = 6;

/// The id of a seeded call.
pub fn call_id(number: u64) -> CallId {
    CallId::new(uuid(number, 1))
}

/// When a seeded call was created.
pub fn stamp(number: u64) -> Stamp {
    Stamp::from_micros(micros(number))
}

/// Writes the calls into a file whose schema is up to date and that no server has open.
pub fn fill(path: &Path, plan: &Plan) -> Result<()> {
    let mut connection = sqlite::open(path)?;
    // A benchmark's database that a crash destroys is made again.
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -512 * 1024)?;
    let mut begin = 0;
    while begin < plan.calls {
        let end = plan.calls.min(begin + GROUP);
        write_group(&mut connection, plan, begin, end)?;
        begin = end;
    }
    connection.execute(
        "UPDATE org_clocks SET last_stamp = ?2 WHERE org_id = ?1",
        params![plan.org.uuid().as_bytes(), micros(plan.calls)],
    )?;
    // One file that can be copied: nothing stays in the write-ahead log.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn write_group(connection: &mut Connection, plan: &Plan, begin: u64, end: u64) -> Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statements = Statements::prepare(&transaction)?;
        for number in begin..end {
            if number.is_multiple_of(CALLS_PER_CONTACT) {
                statements.write_contact(plan, number)?;
            }
            statements.write_call(plan, number)?;
        }
    }
    Ok(transaction.commit()?)
}

struct Statements<'a> {
    call: CachedStatement<'a>,
    messages: CachedStatement<'a>,
    contact: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    fn prepare(connection: &'a Connection) -> Result<Self> {
        let call = "INSERT INTO calls (id, org_id, source_id, source, external_id, created_at, updated_at, status, \
                        ended_reason, direction, caller_phone, caller_name, started_at, ended_at, duration_seconds, \
                        summary, transcript, recording_url, intent, urgency, captured, carrier_id, \
                        assistant_external_id, contact_id, spam, tags, ranks, completion, transfer, \
                        completed_fired_at) \
                    VALUES (?1, ?2, ?3, 'vapi', ?4, ?5, ?5, ?6, 'customer-ended-call', 'inbound', ?7, ?8, ?9, ?10, \
                        ?11, ?12, ?13, ?14, ?15, 'medium', ?16, ?17, 'bench-assistant', ?18, FALSE, '[]', \
                        '3:633b747057278:75de9f', 2, 0, ?5)";
        let messages = "INSERT INTO messages (seq, body) VALUES (last_insert_rowid(), ?1)";
        let contact = "INSERT INTO contacts (id, org_id, name, phone, tags, blocked, call_count, last_call_at, \
                           created_at, updated_at) \
                       VALUES (?1, ?2, ?3, ?4, '[]', FALSE, ?5, ?6, ?6, ?6)";
        Ok(Self {
            call: connection.prepare_cached(call)?,
            messages: connection.prepare_cached(messages)?,
            contact: connection.prepare_cached(contact)?,
        })
    }

    fn write_contact(&mut self, plan: &Plan, number: u64) -> Result<()> {
        let caller = Caller::of(number);
        let calls = CALLS_PER_CONTACT.cast_signed();
        self.contact.execute(params![
            caller.id.uuid().as_bytes(),
            plan.org.uuid().as_bytes(),
            caller.name,
            caller.phone,
            calls,
            // Beside the call's own stamp, as the record clock would give it.
            micros(number) + 1,
        ])?;
        Ok(())
    }

    fn write_call(&mut self, plan: &Plan, number: u64) -> Result<()> {
        let mut random = Random(number);
        let (caller, call) = (Caller::of(number), uuid(number, 1));
        let duration = 30 + random.below(240).cast_signed();
        let ended_at = micros(number) - 1_200_000;
        let status = if random.below(20) == 0 { "failed" } else { "completed" };
        let conversation = Conversation::make(&mut random);
        let intent = format!("{} {}", random.word(), random.word());
        self.call.execute(params![
            call.as_bytes(),
            plan.org.uuid().as_bytes(),
            plan.source.uuid().as_bytes(),
            uuid(number, 2).to_string(),
            micros(number),
            status,
            caller.phone,
            caller.name,
            ended_at - duration * 1_000_000,
            ended_at,
            duration,
            random.sentence(90),
            conversation.transcript,
            format!("https://storage.vapi.example/{}.wav", uuid(number, 2)),
            intent,
            format!("{{\"service_needed\":\"{intent}\"}}"),
            format!("CA{:032x}", random.next()),
            caller.id.uuid().as_bytes(),
        ])?;
        self.messages.execute(params![conversation.messages_json()?])?;
        Ok(())
    }
}

struct Caller {
    id: ContactId,
    name: String,
    phone: String,
}

impl Caller {
    fn of(number: u64) -> Self {
        let first = number - number % CALLS_PER_CONTACT;
        let mut random = Random(first ^ 0x5eed);
        Self {
            id: ContactId::new(uuid(first, 3)),
            name: format!("{} {}", capitalized(random.word()), capitalized(random.word())),
            // Spread over the numbering plan, so that the index by number is written all over, as in life.
            phone: format!("+1212{:07}", 2_000_000 + (first / CALLS_PER_CONTACT * 7_368_787) % 8_000_000),
        }
    }
}

struct Conversation {
    transcript: String,
    messages: Vec<Message>,
}

impl Conversation {
    fn make(random: &mut Random) -> Self {
        let mut transcript = String::with_capacity(TRANSCRIPT_BYTES + 64);
        let mut messages = Vec::with_capacity(TURNS);
        for turn in 0..TURNS {
            let (role, speaker) =
                if turn % 2 == 0 { (Role::Assistant, "AI: ") } else { (Role::User, "User: ") };
            let said = random.sentence(TRANSCRIPT_BYTES / TURNS - speaker.len() - 1);
            transcript.push_str(speaker);
            transcript.push_str(&said);
            transcript.push('\n');
            let offset_seconds = Some(turn as f64 * 4.5 + 0.25);
            messages.push(Message { role, content: Some(said), offset_seconds, tool: None });
        }
        Self { transcript, messages }
    }

    fn messages_json(&self) -> Result<String> {
        serde_json::to_string(&self.messages)
            .map_err(|error| Error::Stored { what: "messages", why: error.to_string() })
    }
}

/// The numbers of SplitMix64 (Steele, Lea, Flood 2014): the same calls at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }

    /// Words of about so many bytes, with a capital and a full stop.
    fn sentence(&mut self, bytes: usize) -> String {
        let mut text = capitalized(self.word());
        while text.len() + 5 < bytes {
            text.push(' ');
            text.push_str(self.word());
        }
        text.push('.');
        text
    }
}

fn capitalized(word: &str) -> String {
    let (head, rest) = word.split_at(1);
    head.to_ascii_uppercase() + rest
}

fn micros(number: u64) -> i64 {
    FIRST_MICROS + number.cast_signed() * STEP_MICROS
}

/// A UUID v7 from the call's time, as the product makes them: neighbours in time are neighbours in the index.
fn uuid(number: u64, kind: u64) -> uuid::Uuid {
    let mut random = Random(number.rotate_left(8) ^ kind);
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.next().to_le_bytes());
    bytes[8..].copy_from_slice(&random.next().to_le_bytes()[..2]);
    let millis = (micros(number) / 1000).cast_unsigned();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

const WORDS: [&str; 96] = [
    "about",
    "address",
    "after",
    "afternoon",
    "again",
    "agree",
    "answer",
    "appointment",
    "around",
    "available",
    "basement",
    "bathroom",
    "before",
    "boiler",
    "book",
    "booking",
    "bring",
    "broken",
    "building",
    "call",
    "cancel",
    "change",
    "check",
    "clean",
    "cold",
    "come",
    "confirm",
    "cost",
    "could",
    "customer",
    "dentist",
    "does",
    "door",
    "doctor",
    "early",
    "email",
    "evening",
    "exactly",
    "family",
    "first",
    "floor",
    "friday",
    "garage",
    "garden",
    "heating",
    "help",
    "holiday",
    "house",
    "insurance",
    "invoice",
    "kitchen",
    "know",
    "later",
    "leak",
    "leaking",
    "little",
    "lunch",
    "manager",
    "minute",
    "monday",
    "morning",
    "name",
    "need",
    "next",
    "nobody",
    "noon",
    "number",
    "office",
    "people",
    "phone",
    "pipe",
    "please",
    "plumber",
    "possible",
    "price",
    "problem",
    "quarter",
    "question",
    "repair",
    "right",
    "room",
    "second",
    "service",
    "somebody",
    "sorry",
    "street",
    "sure",
    "thank",
    "thursday",
    "today",
    "tomorrow",
    "tooth",
    "visit",
    "water",
    "week",
    "yesterday",
];
