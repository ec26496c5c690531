//! Keys of platforms' APIs: we must be able to use them, and so cannot hash them. They are sealed before they are stored,
//! so that a copy of the database alone gives none of them away.
//!
//! XChaCha20-Poly1305 with a random nonce. What is sealed is bound to the record that it belongs to: moved to another
//! one, it does not open.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use model::{IdGen, SourceId};

/// The setting that holds the key; every refusal names it.
pub const SETTING: &str = "secret_key";

/// How long a key is, and a nonce, in bytes.
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The first byte of what is sealed: which way it was sealed.
const VERSION: u8 = 1;

/// The record that the key of a source's platform is sealed to: that it is such a key, and its source.
pub fn platform_key(source: SourceId) -> Vec<u8> {
    [b"source_keys", source.uuid().as_bytes().as_slice()].concat()
}

/// Seals secrets and opens them again.
#[derive(Clone)]
pub struct Sealer {
    key: Key,
    ids: Arc<dyn IdGen>,
}

/// Where the key is.
#[derive(Clone)]
enum Key {
    /// It was configured.
    Given([u8; KEY_BYTES]),
    /// In this file, which is made when a key is first needed.
    File(Arc<KeyFile>),
    /// There is none.
    Missing,
}

struct KeyFile {
    path: PathBuf,
    read: OnceLock<[u8; KEY_BYTES]>,
}

/// Why a secret cannot be sealed or opened. Never holds anything of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no key, and nowhere to make one.
    #[error(
        "this server has no key to seal secrets with: set `{SETTING}` (INBOUNDFLOW_SECRET_KEY) to 32 random bytes in \
         base64, the same for all server processes"
    )]
    NoKey,
    /// What is configured is no key.
    #[error("must be 32 bytes in base64, such as `head -c 32 /dev/urandom | base64` prints")]
    Malformed,
    /// The file with the key cannot be used.
    #[error("the key file {} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It was sealed with another key, or for another record, or is damaged.
    #[error("this secret was sealed with another `{SETTING}` than this server has: enter it again")]
    NotOurs,
}

impl Sealer {
    /// With a key in base64.
    pub fn with_key(text: &str, ids: Arc<dyn IdGen>) -> Result<Self, Error> {
        Ok(Self { key: Key::Given(decode(text).ok_or(Error::Malformed)?), ids })
    }

    /// Whether a text is a key.
    pub fn check(text: &str) -> Result<(), Error> {
        decode(text).map(drop).ok_or(Error::Malformed)
    }

    /// With the key in a file, which only its owner can read; it is made when it is first needed.
    pub fn with_file(path: PathBuf, ids: Arc<dyn IdGen>) -> Self {
        Self { key: Key::File(Arc::new(KeyFile { path, read: OnceLock::new() })), ids }
    }

    /// Without a key: sealing and opening fail, and say what is to be set.
    pub fn without_key(ids: Arc<dyn IdGen>) -> Self {
        Self { key: Key::Missing, ids }
    }

    /// Seals a secret for the record with this name.
    pub fn seal(&self, secret: &str, record: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        self.ids.fill(&mut nonce);
        let payload = Payload { msg: secret.as_bytes(), aad: record };
        let sealed = self.cipher()?.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::NotOurs)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the record with this name.
    pub fn open(&self, sealed: &[u8], record: &[u8]) -> Result<String, Error> {
        let cipher = self.cipher()?;
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(Error::NotOurs)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Error::NotOurs)?;
        let payload = Payload { msg: sealed, aad: record };
        let opened = cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Error::NotOurs)?;
        String::from_utf8(opened).map_err(|_| Error::NotOurs)
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, Error> {
        let key = match &self.key {
            Key::Given(key) => *key,
            Key::File(file) => file.key(&*self.ids)?,
            Key::Missing => return Err(Error::NoKey),
        };
        Ok(XChaCha20Poly1305::new(&key.into()))
    }
}

/// Never the key.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.key {
            Key::Given(_) => "Sealer(configured)",
            Key::File(_) => "Sealer(file)",
            Key::Missing => "Sealer(none)",
        })
    }
}

impl KeyFile {
    fn key(&self, ids: &dyn IdGen) -> Result<[u8; KEY_BYTES], Error> {
        if let Some(key) = self.read.get() {
            return Ok(*key);
        }
        let failed = |source| Error::File { path: self.path.clone(), source };
        let key = self.read_or_make(ids).map_err(failed)?;
        Ok(*self.read.get_or_init(|| key))
    }

    fn read_or_make(&self, ids: &dyn IdGen) -> io::Result<[u8; KEY_BYTES]> {
        match fs::read_to_string(&self.path) {
            Ok(text) => decode(&text).ok_or_else(|| io::Error::other("it does not hold 32 bytes in base64")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(ids),
            Err(error) => Err(error),
        }
    }

    /// Under its name the file is whole or not there: it is written under another, and linked. Where another process
    /// was quicker, its key is the key.
    fn make(&self, ids: &dyn IdGen) -> io::Result<[u8; KEY_BYTES]> {
        let mut key = [0; KEY_BYTES];
        ids.fill(&mut key);
        let mut draft = self.path.clone().into_os_string();
        draft.push(format!(".{}", ids.uuid().simple()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = writeln!(file, "{}", BASE64.encode(key)).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&draft, &self.path));
        fs::remove_file(&draft)?;
        match linked {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.read_or_make(ids),
            Err(error) => Err(error),
        }
    }
}

fn decode(text: &str) -> Option<[u8; KEY_BYTES]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use model::testing::CountedIds;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn sealer() -> Sealer {
        Sealer::with_key(KEY, Arc::new(CountedIds::default())).expect("a key")
    }

    #[test]
    fn what_is_sealed_opens_for_its_record_and_for_no_other() {
        let sealed = sealer().seal("a platform's key", b"source 1").expect("sealed");
        assert!(!sealed.windows(8).any(|window| window == b"platform"), "the secret is not in it");
        assert_eq!(sealer().open(&sealed, b"source 1").expect("opened"), "a platform's key");
        assert!(matches!(sealer().open(&sealed, b"source 2"), Err(Error::NotOurs)));
    }

    #[test]
    fn the_same_secret_is_sealed_otherwise_each_time() {
        let sealer = sealer();
        assert_ne!(sealer.seal("same", b"").expect("sealed"), sealer.seal("same", b"").expect("sealed"));
    }

    #[test]
    fn what_was_tampered_with_or_cut_short_does_not_open() {
        let sealed = sealer().seal("secret", b"").expect("sealed");
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert!(sealer().open(&other, b"").is_err(), "byte {place}");
            assert!(sealer().open(&sealed[..place], b"").is_err(), "{place} bytes");
        }
    }

    #[test]
    fn another_key_does_not_open_it() {
        let sealed = sealer().seal("secret", b"").expect("sealed");
        let other =
            Sealer::with_key(&BASE64.encode([9; 32]), Arc::new(CountedIds::default())).expect("a key");
        assert!(matches!(other.open(&sealed, b""), Err(Error::NotOurs)));
    }

    #[test]
    fn without_a_key_the_error_names_the_setting_and_never_the_secret() {
        let none = Sealer::without_key(Arc::new(CountedIds::default()));
        let error = none.seal("hush", b"").expect_err("no key").to_string();
        assert!(error.contains("secret_key") && !error.contains("hush"), "{error}");
        for text in ["", "short", "AAAA", KEY.trim_start_matches('A')] {
            assert!(Sealer::with_key(text, Arc::new(CountedIds::default())).is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", sealer()), "Sealer(configured)");
    }

    #[test]
    fn the_key_file_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        let sealer = |ids| Sealer::with_file(path.clone(), ids);
        let first = sealer(Arc::new(CountedIds::default()));
        assert!(!path.exists(), "not before it is needed");
        let sealed = first.seal("secret", b"").expect("sealed");
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let later = sealer(Arc::new(CountedIds::default()));
        assert_eq!(later.open(&sealed, b"").expect("opened"), "secret");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left");
        fs::write(&path, "no key").expect("written");
        let broken = sealer(Arc::new(CountedIds::default())).seal("secret", b"").expect_err("a broken file");
        assert!(broken.to_string().contains("secret.key"), "{broken}");
    }
}
