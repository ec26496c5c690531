//! The keys of platforms' APIs, from whoever sets them up: looked at, and sealed for their source.

use std::sync::Arc;

use delivery::guard::{AllowList, Target};
use model::{Platform, SourceId, last4};
use seal::Sealer;
use store::{PlatformKey, SealedKey};

/// Checks, seals and opens keys.
#[derive(Clone)]
pub struct Keys {
    sealer: Sealer,
    allow: Arc<AllowList>,
}

/// Why a key cannot be kept. Never holds anything of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// What was written cannot be used, in words that follow the field's name.
    #[error("{field}: {why}")]
    Wrong {
        /// The field, as the API names it.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It could be used, but not be kept.
    #[error(transparent)]
    Seal(#[from] seal::Error),
}

impl Keys {
    /// Keys that are sealed so, for APIs at public addresses and those on the list.
    pub fn new(sealer: Sealer, allow: Arc<AllowList>) -> Self {
        Self { sealer, allow }
    }

    /// Seals a key for a source. `api_url` is where the platform's API is, if not at its usual address.
    pub fn seal(
        &self,
        platform: Platform,
        source: SourceId,
        key: &str,
        api_url: Option<String>,
    ) -> Result<SealedKey, KeyError> {
        let wrong = |field, why| KeyError::Wrong { field, why };
        let history = connectors::connector(platform).and_then(|connector| connector.history());
        let history = history.ok_or_else(|| {
            wrong("platform_api_key", format!("the calls of {} cannot be listed", platform.as_str()))
        })?;
        history.check_key(key).map_err(|why| wrong("platform_api_key", why))?;
        if let Some(url) = &api_url {
            let target = Target::parse(url, &self.allow);
            let target = target.map_err(|why| wrong("platform_api_url", why.to_string()))?;
            // What is asked for is put behind it.
            if target.url().query().is_some() || target.url().fragment().is_some() {
                return Err(wrong("platform_api_url", "must end with its path, without ? and #".into()));
            }
        }
        let sealed = self.sealer.seal(key, &seal::platform_key(source))?;
        Ok(SealedKey { sealed, last4: last4(key), api_url })
    }

    /// Opens a source's key.
    pub(crate) fn open(&self, source: SourceId, key: &PlatformKey) -> Result<String, seal::Error> {
        self.sealer.open(&key.sealed, &seal::platform_key(source))
    }

    /// The private places that may be asked.
    pub(crate) fn allow(&self) -> &AllowList {
        &self.allow
    }
}
