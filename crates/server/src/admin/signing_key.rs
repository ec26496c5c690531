//! The operator's commands on the Ed25519 keys that organizations sign webhooks with.

use std::time::Duration;

use anyhow::bail;
use delivery::sign::SigningKey;
use model::OrgId;
use serde_json::{Value, json};
use store::{Rotation, SigningKeys, Written};

use super::webhooks::Desk;
use crate::admin::check_org;

pub(super) async fn show(desk: &Desk<'_>, org: OrgId) -> anyhow::Result<()> {
    check_org(&desk.store, org).await?;
    let keys = desk.store.org(org).signing_keys().await?;
    tell(desk, &keys);
    Ok(())
}

pub(super) async fn rotate(desk: &Desk<'_>, org: OrgId, overlap: Duration) -> anyhow::Result<()> {
    anyhow::ensure!(overlap <= Rotation::LONGEST_OVERLAP, "--overlap: 7d at most");
    check_org(&desk.store, org).await?;
    let records = desk.store.org(org);
    let Written::Done { .. } = records.rotate_signing_key(overlap, None, |_| String::new()).await? else {
        bail!("the key could not be rotated");
    };
    tell(desk, &records.signing_keys().await?);
    Ok(())
}

pub(super) async fn expire_previous(desk: &Desk<'_>, org: OrgId) -> anyhow::Result<()> {
    check_org(&desk.store, org).await?;
    let keys = desk.store.org(org).expire_previous_signing_key().await?;
    tell(desk, &keys);
    Ok(())
}

/// Tells the public keys, as `GET /v1/signing-key` has them.
fn tell(desk: &Desk<'_>, keys: &SigningKeys) {
    let public = |seed: &[u8; 32]| SigningKey::of(seed).public_key();
    let previous = keys.previous_at(desk.world.clock.now());
    let value: Value = json!({"public_key": public(&keys.seed),
        "previous_public_key": previous.map(|(seed, _)| public(&seed)),
        "previous_until": previous.map(|(_, until)| until), "created_at": keys.created_at});
    desk.shown.record(&value);
}
