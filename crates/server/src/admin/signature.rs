//! Signing a body, and checking the signatures of a webhook that was received. They need no database.

use std::path::Path;

use anyhow::Context;
use delivery::{
    sign,
    verify::{Finding, Received},
};
use serde_json::json;

use crate::{
    admin::read_secret,
    app::World,
    cli::SignatureCommand,
    output::{self, Shown},
};

/// How far a webhook's time may be from now for the libraries of Standard Webhooks, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

pub(crate) fn signature(world: &World, shown: Shown, command: SignatureCommand) -> anyhow::Result<()> {
    let now = world.clock.now().unix_seconds();
    match command {
        SignatureCommand::Sign { secret_file, body_file, id, timestamp } => {
            let (secret, body) = (read_secret(&secret_file)?, read_body(&body_file)?);
            sign_body(shown, &secret, &body, id, timestamp.unwrap_or(now))
        }
        SignatureCommand::Verify { secret_file, public_key, body_file, headers } => {
            let secret = secret_file.as_deref().map(read_secret).transpose()?;
            let body = read_body(&body_file)?;
            let received =
                Received { secret: secret.as_deref().unwrap_or_default(), headers: &headers, body: &body };
            let mut findings = if secret.is_some() { received.check() } else { Vec::new() };
            findings.extend(public_key.and_then(|key| received.check_public_key(&key)));
            verify(shown, &received, &findings, now)
        }
    }
}

fn read_body(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("--body-file: cannot read {}", path.display()))
}

fn sign_body(
    shown: Shown,
    secret: &str,
    body: &[u8],
    id: Option<String>,
    seconds: i64,
) -> anyhow::Result<()> {
    let in_body = || {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        body["delivery_id"].as_str().map(str::to_owned)
    };
    let id = id.or_else(in_body).context("--id: the body has no `delivery_id`, so it is needed")?;
    shown.record(&json!({
        "X-InboundFlow-Delivery-Id": id,
        "X-InboundFlow-Timestamp": seconds.to_string(),
        "X-InboundFlow-Signature": sign::hex_signature(secret, body),
        "webhook-id": id,
        "webhook-timestamp": seconds.to_string(),
        "webhook-signature": sign::standard_signature(secret, &id, seconds, body),
    }));
    Ok(())
}

fn verify(shown: Shown, received: &Received<'_>, findings: &[Finding], now: i64) -> anyhow::Result<()> {
    anyhow::ensure!(
        !findings.is_empty(),
        "--header: there is neither X-InboundFlow-Signature nor webhook-signature"
    );
    let away = received.signed_at().map(|signed_at| now.abs_diff(signed_at));
    if let Some(away) = away.filter(|away| *away > TOLERANCE_SECONDS) {
        // Not wrong in itself: whoever debugs looks at webhooks of yesterday.
        output::complain(&format!(
            "note: its time is {away} s from now; receivers refuse more than {TOLERANCE_SECONDS} s"
        ));
    }
    let lines = findings.iter().map(|finding| match &finding.wrong {
        None => format!("{}: right", finding.header),
        Some(why) => format!("{}: wrong: {why}", finding.header),
    });
    let signatures = findings.iter().map(
        |finding| json!({"header": finding.header, "right": finding.wrong.is_none(), "wrong": finding.wrong}),
    );
    let value = json!({"signatures": signatures.collect::<Vec<_>>()});
    shown.one(&value, &lines.collect::<Vec<_>>().join("\n"));
    let right = findings.iter().all(|finding| finding.wrong.is_none());
    anyhow::ensure!(right, "the webhook is not signed as it should be");
    Ok(())
}
