//! A bucket in memory, which answers requests as S3 does.

use std::collections::BTreeMap;

use bytes::Bytes;
use partway_store::bucket::{RequestError, RequestErrorKind};

/// What is kept under a name.
#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Vec<u8>,
    /// The ETag, without quotes.
    pub e_tag: String,
}

/// An upload that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    pub name: String,
    /// When, in milliseconds by the wall clock.
    pub at: i64,
    /// Tag and bytes of each part, as last written.
    pub parts: BTreeMap<u32, (String, Bytes)>,
}

/// What the server says no with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketError {
    NoSuchUpload,
    InvalidPart,
    PreconditionFailed,
}

impl From<BucketError> for RequestError {
    fn from(refusal: BucketError) -> Self {
        let kind = match refusal {
            BucketError::NoSuchUpload => RequestErrorKind::NotFound,
            BucketError::InvalidPart => RequestErrorKind::InvalidPart,
            BucketError::PreconditionFailed => RequestErrorKind::Exists,
        };
        Self::new(kind, format!("{refusal:?}"))
    }
}

/// The server.
#[derive(Debug, Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Begun>,
    next: u64,
}

impl Bucket {
    fn word(&mut self, beginning: &str) -> String {
        self.next += 1;
        format!("{beginning}{:04}", self.next)
    }

    pub fn begin(&mut self, name: &str, at: i64) -> String {
        let id = self.word("upload-");
        self.uploads
            .insert(id.clone(), Begun { name: name.to_owned(), at, parts: BTreeMap::new() });
        id
    }

    /// Writes a part over the one before; each writing has a tag of its own.
    pub fn put(&mut self, id: &str, number: u32, bytes: Bytes) -> Result<String, BucketError> {
        let tag = self.word("tag-");
        let upload = self.uploads.get_mut(id).ok_or(BucketError::NoSuchUpload)?;
        // Of its own: the buffer it came in goes back to the component.
        let bytes = Bytes::copy_from_slice(&bytes);
        upload.parts.insert(number, (tag.clone(), bytes));
        Ok(tag)
    }

    /// Makes the object, over whatever has the name unless that is to be free: from the last tag of every part, in order,
    /// and parts of one size but the last.
    pub fn complete(
        &mut self,
        id: &str,
        tags: &[String],
        only_if_free: bool,
    ) -> Result<String, BucketError> {
        let upload = self.uploads.get(id).ok_or(BucketError::NoSuchUpload)?;
        if only_if_free && self.objects.contains_key(&upload.name) {
            return Err(BucketError::PreconditionFailed);
        }
        let written: Vec<&String> = upload.parts.values().map(|(tag, _)| tag).collect();
        let is_gapless = upload.parts.keys().copied().eq(1..=tags.len() as u32);
        let sizes: Vec<usize> = upload.parts.values().map(|(_, bytes)| bytes.len()).collect();
        let are_equal = match sizes.split_last() {
            Some((last, others)) => others.iter().all(|size| *size == sizes[0] && last <= size),
            None => false,
        };
        if !written.into_iter().eq(tags) || !is_gapless || !are_equal {
            return Err(BucketError::InvalidPart);
        }
        let upload = self.uploads.remove(id).expect("it was there");
        let bytes = upload.parts.values().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let e_tag = format!("{}-{}", self.word("object-"), upload.parts.len());
        self.objects.insert(upload.name, Object { bytes, e_tag: e_tag.clone() });
        Ok(e_tag)
    }

    pub fn abort(&mut self, id: &str) -> Result<(), BucketError> {
        self.uploads.remove(id).map(drop).ok_or(BucketError::NoSuchUpload)
    }
}
