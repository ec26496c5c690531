//! Where recordings are kept: a folder of this machine, or a bucket of S3, Google Cloud Storage or Azure.

use std::{
    fs, io,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt,
    buffered::BufWriter,
    local::LocalFileSystem,
    parse_url_opts,
    path::{Path, PathPart},
    prefix::PrefixStore,
};
use sha2::{Digest, Sha256};
use store::StoredObject;
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::sniff::{Head, Sound};

/// An object store for recordings.
#[derive(Clone, Debug)]
pub struct Vault {
    objects: Arc<dyn ObjectStore>,
    place: Place,
}

/// What kind of store it is.
#[derive(Clone, Debug)]
enum Place {
    Folder(PathBuf),
    Bucket,
}

/// Why recordings cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The address of the store cannot be used.
    #[error("{0}")]
    Address(String),
    /// The folder cannot be made.
    #[error("the folder of the recordings cannot be made")]
    Folder(#[from] std::io::Error),
    /// The store says no, or nothing.
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
}

impl VaultError {
    /// Whether the object is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Store(object_store::Error::NotFound { .. }))
    }
}

/// How much is gathered before it is written: for a bucket the least that S3 takes as a part.
const FOLDER_PART_BYTES: usize = 256 << 10;
const BUCKET_PART_BYTES: usize = 5 << 20;

impl Vault {
    /// A folder, made where it is not there. What is written is on the disk when it counts as written.
    pub fn folder(path: &FilePath) -> Result<Self, VaultError> {
        fs::create_dir_all(path)?;
        // An emptied folder stays: removing it could race with who writes into it.
        let objects = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects), place: Place::Folder(path.to_owned()) })
    }

    /// A bucket, and a prefix in it: `s3://bucket/prefix`, `gs://…`, `az://…`; or a folder: `file:///…`. The options
    /// are those of the `object_store` crate, such as `aws_region`; unknown ones say nothing.
    pub fn open(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self, VaultError> {
        let unusable = |why: String| VaultError::Address(format!("{url} cannot be used: {why}"));
        let url: Url = url.parse().map_err(|error: url::ParseError| unusable(error.to_string()))?;
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| unusable("not a path of this machine".into()))?;
            return Self::folder(&path);
        }
        // Nothing that is not kept somewhere: not memory, and not whatever answers to HTTP.
        if !["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https"].contains(&url.scheme()) {
            return Err(unusable("it must begin with s3://, gs://, az:// or file:///".into()));
        }
        delivery::client::install_crypto();
        // We delete one at a time, and some that speak S3 cannot delete several at once.
        let usual = [("aws_disable_bulk_delete".to_owned(), "true".to_owned())];
        let options = usual.into_iter().chain(options);
        let (objects, prefix) = parse_url_opts(&url, options).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { objects: Arc::new(PrefixStore::new(objects, prefix)), place: Place::Bucket })
    }

    /// Begins an object that holds such sound. Until [`Upload::finish`] it is not there.
    pub fn put(&self, key: &str, sound: Sound) -> Upload {
        let part = match self.place {
            Place::Folder(_) => FOLDER_PART_BYTES,
            Place::Bucket => BUCKET_PART_BYTES,
        };
        let writer = BufWriter::with_capacity(self.objects.clone(), path(key), part).with_max_concurrency(1);
        let writer = match self.place {
            Place::Folder(_) => writer,
            Place::Bucket => {
                writer.with_attributes(Attributes::from_iter([(Attribute::ContentType, sound.content_type)]))
            }
        };
        Upload { key: key.to_owned(), writer, sound, head: Head::default(), size: 0, hash: Sha256::new() }
    }

    /// The bytes of an object within a range, piece by piece.
    pub async fn get(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, VaultError>> + Send + 'static, VaultError> {
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&path(key), options).await?;
        let pieces: BoxStream<'static, _> =
            found.into_stream().map(|piece| piece.map_err(VaultError::from)).boxed();
        Ok(pieces)
    }

    /// Deletes an object, and what a process that was killed had written of it. One that is not there is deleted
    /// already.
    pub async fn delete(&self, key: &str) -> Result<(), VaultError> {
        match self.objects.delete(&path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        match tokio::fs::remove_file(folder.join(format!("{key}{UNFINISHED}"))).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What the `object_store` crate calls a file until it is finished: nobody else writes under its key, so it is the first.
const UNFINISHED: &str = "#1";

/// Keys are ours: an organization's id and a fresh one.
fn path(key: &str) -> Path {
    key.split('/').map(PathPart::from).collect()
}

/// An object that is being written. Dropped, it was never there.
pub struct Upload {
    key: String,
    writer: BufWriter,
    sound: Sound,
    head: Head,
    size: u64,
    hash: Sha256,
}

impl Upload {
    /// Writes the next piece.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), VaultError> {
        self.size += piece.len() as u64;
        self.head.push(&piece);
        self.hash.update(&piece);
        // In small steps, so that what is gathered never grows by one large piece.
        let mut rest = piece;
        while !rest.is_empty() {
            let step = rest.split_to(rest.len().min(FOLDER_PART_BYTES));
            self.writer.put(step).await?;
        }
        Ok(())
    }

    /// Where it will be.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends the object. It is there, durably, when this returns `Ok`.
    pub async fn finish(mut self) -> Result<StoredObject, VaultError> {
        self.writer.shutdown().await.map_err(|error| match error.downcast::<object_store::Error>() {
            Ok(error) => VaultError::Store(error),
            Err(error) => VaultError::Folder(error),
        })?;
        let Self { key, sound, head, size, hash, .. } = self;
        Ok(StoredObject {
            key,
            content_type: sound.content_type.to_owned(),
            size,
            sha256: hash.finalize().into(),
            duration_seconds: head.duration_seconds(size),
        })
    }

    /// Gives the object up.
    pub async fn abort(mut self) {
        if let Err(error) = self.writer.abort().await {
            tracing::warn!(%error, "an object that was begun could not be given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sniff::sniff;

    #[tokio::test]
    async fn an_object_is_there_when_it_is_finished_and_not_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Vault::folder(folder.path()).expect("a vault");
        let sound = sniff(b"ID3\x04", None).expect("sound");
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| n as u8).collect();

        let mut upload = vault.put("org/a", sound);
        upload.write(Bytes::copy_from_slice(&bytes)).await.expect("written");
        assert!(vault.get("org/a", 0..10).await.err().is_some_and(|error| error.is_missing()));
        let object = upload.finish().await.expect("finished");
        assert_eq!((object.size, object.content_type.as_str()), (700_000, "audio/mpeg"));
        assert_eq!(object.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        let read = read(&vault, "org/a", 5..699_999).await;
        assert!(read == bytes[5..699_999], "{} bytes", read.len());

        let mut upload = vault.put("org/b", sound);
        upload.write(Bytes::copy_from_slice(&bytes)).await.expect("written");
        upload.abort().await;
        assert!(vault.get("org/b", 0..10).await.is_err());

        // What a process leaves behind that is killed: it cannot give up what it had begun.
        let mut upload = vault.put("org/c", sound);
        upload.write(Bytes::copy_from_slice(&bytes)).await.expect("written");
        let unfinished = folder.path().join("org/c#1");
        assert!(unfinished.exists());
        vault.delete("org/c").await.expect("deleted");
        assert!(!unfinished.exists());
        drop(upload);

        vault.delete("org/a").await.expect("deleted");
        vault.delete("org/a").await.expect("deleted already");
        assert!(vault.get("org/a", 0..10).await.err().is_some_and(|error| error.is_missing()));
    }

    async fn read(vault: &Vault, key: &str, range: Range<u64>) -> Vec<u8> {
        let mut pieces = vault.get(key, range).await.expect("an object");
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.expect("a piece"));
        }
        bytes
    }

    #[test]
    fn buckets_are_opened_by_their_addresses() {
        let keys =
            [("aws_region", "eu-central-1"), ("aws_access_key_id", "key"), ("aws_secret_access_key", "s")];
        let keys = || keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let vault = Vault::open("s3://recordings/of/calls", keys()).expect("a bucket");
        assert!(format!("{vault:?}").contains("PrefixStore"), "{vault:?}");
        for url in ["", "recordings", "memory:///", "ftp://example.com", "http://example.com/bucket"] {
            assert!(matches!(Vault::open(url, keys()), Err(VaultError::Address(_))), "{url}");
        }
    }
}
