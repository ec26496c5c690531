//! Messages that bring a recording: taken apart while they arrive, so that neither message nor recording is ever held
//! whole.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use ingest::{Answer, Large};
use recordings::{
    Upload, Vault, VaultError,
    sniff::{LOOKED_AT, sniff},
};
use store::{Outcome, Recordings, StoredObject};

use crate::{
    AppState,
    error::{ApiError, Code},
    extract::BODY_LIMIT,
};

/// The longest body with a recording that is taken, in bytes: 64 MB of sound as base64, and the rest.
const LIMIT: u64 = 96 << 20;

/// What came of a message.
pub(crate) enum Arrived {
    /// It is dealt with.
    Answered(Answer),
    /// It is short and brings no recording that could be kept: to be taken like any other, as it arrived.
    Whole(Bytes),
}

/// Takes a message with its recording.
pub(crate) async fn receive(state: &AppState, mut large: Large, body: Body) -> Result<Arrived, ApiError> {
    let upload = match large.recordings() {
        Recordings::Fetch => Putting::NotYet,
        Recordings::Leave => Putting::Never,
    };
    let mut arrival = Arrival { state, whole: Some(Vec::new()), sound: Vec::new(), upload };
    if let Err(error) = arrival.read(&mut large, body).await {
        arrival.give_up().await;
        return Err(error);
    }
    let (taken, whole) = (large.finish(&state.ingest), arrival.whole.take());
    let brings_recording = taken.is_good() && matches!(arrival.upload, Putting::Begun(_));
    if !brings_recording {
        arrival.give_up().await;
        return Ok(match whole {
            Some(whole) => Arrived::Whole(whole.into()),
            None => Arrived::Answered(state.ingest.receive_large(taken, None).await?),
        });
    }
    let object = arrival.finish().await?;
    let answer = state.ingest.receive_large(taken, object.clone()).await?;
    let is_used = match &answer {
        Answer::Kept(received) => received.outcome == Outcome::Accepted,
        Answer::Asked(_) => true,
        Answer::Rejected(_) | Answer::UnknownSource => false,
    };
    if let Some(object) = object.filter(|_| !is_used) {
        discard(state, object.key).await;
    }
    Ok(Arrived::Answered(answer))
}

/// A recording on its way into the object store.
struct Arrival<'a> {
    state: &'a AppState,
    /// The message as it arrived, while it is no longer than any other may be.
    whole: Option<Vec<u8>>,
    /// What was decoded and is not written yet.
    sound: Vec<u8>,
    upload: Putting,
}

enum Putting {
    /// Too little has come to know what it is.
    NotYet,
    Begun(Box<Upload>),
    /// It is no sound, or not wanted.
    Never,
}

impl Arrival<'_> {
    async fn read(&mut self, large: &mut Large, mut body: Body) -> Result<(), ApiError> {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ApiError::bad_request("The body ended before its time"))?;
            let Ok(piece) = frame.into_data() else { continue };
            length += piece.len() as u64;
            if length > LIMIT {
                let message = format!("The body is longer than {LIMIT} bytes");
                return Err(ApiError::new(Code::PayloadTooLarge, message));
            }
            self.whole = self.whole.take().filter(|_| length <= BODY_LIMIT as u64);
            if let Some(whole) = &mut self.whole {
                whole.extend_from_slice(&piece);
            }
            large.push(&piece, &mut self.sound);
            if self.sound.len() >= LOOKED_AT {
                self.write(large.org()).await?;
            }
        }
        if !self.sound.is_empty() {
            self.write(large.org()).await?;
        }
        Ok(())
    }

    async fn write(&mut self, org: model::OrgId) -> Result<(), ApiError> {
        if matches!(self.upload, Putting::NotYet) {
            self.upload = match sniff(&self.sound, Some("audio/mpeg")) {
                Ok(sound) => {
                    let key = self.state.store.org(org).begin_object().await?;
                    Putting::Begun(Box::new(self.state.vault.put(&key, sound)))
                }
                Err(_) => Putting::Never,
            };
        }
        let piece = Bytes::from(std::mem::take(&mut self.sound));
        match &mut self.upload {
            Putting::Begun(upload) => upload.write(piece).await.map_err(unwritable),
            Putting::NotYet | Putting::Never => Ok(()),
        }
    }

    async fn finish(self) -> Result<Option<StoredObject>, ApiError> {
        match self.upload {
            Putting::Begun(upload) => Ok(Some(upload.finish().await.map_err(unwritable)?)),
            Putting::NotYet | Putting::Never => Ok(None),
        }
    }

    /// Leaves nothing of it behind.
    async fn give_up(self) {
        if let Putting::Begun(upload) = self.upload {
            let key = upload.key().to_owned();
            upload.abort().await;
            discard(self.state, key).await;
        }
    }
}

fn unwritable(error: VaultError) -> ApiError {
    tracing::error!(error = ?error, "a recording could not be written to the object store");
    ApiError::unavailable("The recording cannot be stored for now; send it again")
}

/// What is not deleted here is within the hour, by who keeps recordings.
async fn discard(state: &AppState, key: String) {
    let vault: &Vault = &state.vault;
    let deleted =
        vault.delete(&key).await.map_err(|error| tracing::warn!(error = ?error, "an object is left behind"));
    if deleted.is_ok()
        && let Err(error) = state.store.forget_object(key).await
    {
        tracing::warn!(%error, "an object that is gone is still written down");
    }
}
