//! Addresses of stores and objects as people write them: a folder's path, or a URL.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::folder::FolderStore;
#[cfg(feature = "s3")]
use crate::object::ObjectStore;
use crate::store::Store;

/// A store's address; [`StoreAddress::open`] opens the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreAddress {
    /// A folder.
    Folder(PathBuf),
    /// `s3://bucket/prefix`: configured by the `AWS_*` environment variables and AWS's own files;
    /// `AWS_ENDPOINT_URL` names a server other than Amazon's.
    S3 {
        /// The bucket.
        bucket: String,
        /// The names' prefix, without slashes at its ends; empty for none.
        prefix: String,
    },
    /// `r2://account/bucket/prefix`: access with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or
    /// with the access key of a profile.
    R2 {
        /// The account's id.
        account: String,
        /// The bucket.
        bucket: String,
        /// The names' prefix, without slashes at its ends; empty for none.
        prefix: String,
    },
}

/// An object's name and the store it is in: `folder/dump.sql`, `s3://bucket/prefix/dump.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAddress {
    /// The store.
    pub store: StoreAddress,
    /// The object's name in it.
    pub name: String,
}

/// Why a text is not the address of a store or an object.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// It is a URL of another kind.
    #[error(
        "{0:?} is not a store: give a folder, file:///folder, s3://bucket/prefix or r2://account/bucket/prefix"
    )]
    UnknownScheme(String),
    /// It is a URL of another kind, where an object is expected.
    #[error(
        "{0:?} is not an object: give a file, file:///folder/file, s3://bucket/key or r2://account/bucket/key"
    )]
    UnknownObject(String),
    /// A part is missing.
    #[error("{address:?} has no {missing}: write {form}")]
    Incomplete {
        /// The address as given.
        address: String,
        /// What is missing.
        missing: &'static str,
        /// How it should look.
        form: &'static str,
    },
    /// It has something after its path that has no meaning here.
    #[error(
        "{address:?} ends in {ignored:?}, which has no meaning in an address: leave it out, or write ? as %3F and # as \
         %23 where they belong to a name"
    )]
    Extra {
        /// The address as given.
        address: String,
        /// What has no meaning.
        ignored: String,
    },
    /// The client for it can't be set up.
    #[error("the client for {address} can't be set up: {reason}")]
    Client {
        /// The address.
        address: String,
        /// The client's reason.
        reason: String,
    },
    /// This build has no client for it: a feature of this crate is off.
    #[error(
        "{address} can't be opened: this program was built without the feature {feature:?} of partway-store"
    )]
    MissingFeature {
        /// The address.
        address: String,
        /// The feature.
        feature: &'static str,
    },
}

impl FromStr for StoreAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let incomplete =
            |missing, form| AddressError::Incomplete { address: text.to_owned(), missing, form };
        let Some((scheme, _)) = text.split_once("://") else {
            return match text {
                "" => Err(incomplete("folder", "a path or a URL")),
                path => Ok(Self::Folder(PathBuf::from(path))),
            };
        };
        let url = Url::parse(text).map_err(|_| AddressError::UnknownScheme(text.to_owned()))?;
        for (mark, rest) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(rest) = rest {
                let ignored = format!("{mark}{rest}");
                return Err(AddressError::Extra { address: text.to_owned(), ignored });
            }
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let path =
            percent_decode_str(url.path().trim_matches('/')).decode_utf8_lossy().into_owned();
        match scheme {
            "file" => url
                .to_file_path()
                .map(Self::Folder)
                .map_err(|()| incomplete("folder", "file:///folder")),
            "s3" if host.is_empty() => Err(incomplete("bucket", "s3://bucket/prefix")),
            "s3" => Ok(Self::S3 { bucket: host, prefix: path }),
            "r2" => {
                let (bucket, prefix) = path.split_once('/').unwrap_or((&path, ""));
                if host.is_empty() || bucket.is_empty() {
                    return Err(incomplete("account and bucket", "r2://account/bucket/prefix"));
                }
                Ok(Self::R2 {
                    account: host,
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            _ => Err(AddressError::UnknownScheme(text.to_owned())),
        }
    }
}

impl StoreAddress {
    /// Opens the store. No request is made yet.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`], and [`AddressError::MissingFeature`] for S3 and R2 without the feature `s3`.
    pub fn open(&self) -> Result<Arc<dyn Store>, AddressError> {
        match self {
            Self::Folder(path) => Ok(Arc::new(FolderStore::new(path))),
            #[cfg(feature = "s3")]
            Self::S3 { bucket, prefix } => Ok(Arc::new(ObjectStore::s3(bucket, prefix)?)),
            #[cfg(feature = "s3")]
            Self::R2 { account, bucket, prefix } => {
                Ok(Arc::new(ObjectStore::r2(account, bucket, prefix)?))
            }
            #[cfg(not(feature = "s3"))]
            Self::S3 { bucket, prefix } => Err(missing_client(url("s3", &[bucket, prefix]))),
            #[cfg(not(feature = "s3"))]
            Self::R2 { account, bucket, prefix } => {
                Err(missing_client(url("r2", &[account, bucket, prefix])))
            }
        }
    }

    /// The same store, for a program that runs in another folder.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Folder(path) => {
                Self::Folder(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            other => other.clone(),
        }
    }

    /// The key of an object in its bucket: the prefix and the name. In a folder, the name.
    pub fn key(&self, name: &str) -> String {
        match self {
            Self::S3 { prefix, .. } | Self::R2 { prefix, .. } if !prefix.is_empty() => {
                format!("{prefix}/{name}")
            }
            _ => name.to_owned(),
        }
    }

    /// A text that identifies the store however its address was written: with a folder's links
    /// resolved, and with the server that the environment names for S3.
    pub fn identity(&self) -> String {
        match self {
            Self::Folder(path) => {
                path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string()
            }
            Self::S3 { bucket, prefix } => match endpoint() {
                Some(endpoint) => format!("{} at {endpoint}", url("s3", &[bucket, prefix])),
                None => url("s3", &[bucket, prefix]),
            },
            Self::R2 { account, bucket, prefix } => url("r2", &[account, bucket, prefix]),
        }
    }
}

#[cfg(not(feature = "s3"))]
fn missing_client(address: String) -> AddressError {
    AddressError::MissingFeature { address, feature: "s3" }
}

/// The server that the environment, or its profile, names for S3, if one of them does.
fn endpoint() -> Option<String> {
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let mut values = names.into_iter().filter_map(|name| std::env::var(name).ok());
    let endpoint = values.find(|value| !value.is_empty());
    #[cfg(feature = "s3")]
    let endpoint = endpoint.or_else(crate::s3::profile_endpoint);
    endpoint
}

fn url(scheme: &str, parts: &[&str]) -> String {
    format!("{scheme}://{}", parts.join("/").trim_end_matches('/'))
}

impl FromStr for ObjectAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let store = text.parse().map_err(|error| match error {
            AddressError::UnknownScheme(text) => AddressError::UnknownObject(text),
            other => other,
        })?;
        let incomplete = |missing, form| {
            Err(AddressError::Incomplete { address: text.to_owned(), missing, form })
        };
        let split = |key: &str| match key.rsplit_once('/') {
            Some((prefix, name)) => (prefix.to_owned(), name.to_owned()),
            None => (String::new(), key.to_owned()),
        };
        match store {
            StoreAddress::Folder(path) => {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    return incomplete("file", "the path of a file, in UTF-8");
                };
                let folder = match path.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder,
                    _ => Path::new("."),
                };
                Ok(Self { name: name.to_owned(), store: StoreAddress::Folder(folder.to_owned()) })
            }
            StoreAddress::S3 { prefix, .. } if prefix.is_empty() => {
                incomplete("object", "s3://bucket/key")
            }
            StoreAddress::S3 { bucket, prefix } => {
                let (prefix, name) = split(&prefix);
                Ok(Self { store: StoreAddress::S3 { bucket, prefix }, name })
            }
            StoreAddress::R2 { prefix, .. } if prefix.is_empty() => {
                incomplete("object", "r2://account/bucket/key")
            }
            StoreAddress::R2 { account, bucket, prefix } => {
                let (prefix, name) = split(&prefix);
                Ok(Self { store: StoreAddress::R2 { account, bucket, prefix }, name })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood() {
        let s3 = |bucket: &str, prefix: &str| StoreAddress::S3 {
            bucket: bucket.into(),
            prefix: prefix.into(),
        };
        for (text, address) in [
            ("out", StoreAddress::Folder("out".into())),
            ("/var/dumps", StoreAddress::Folder("/var/dumps".into())),
            ("file:///var/my%20dumps", StoreAddress::Folder("/var/my dumps".into())),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b")),
            ("s3://bucket/my dir/täglich", s3("bucket", "my dir/täglich")),
            ("s3://bucket/what%3F", s3("bucket", "what?")),
            ("a?b#c", StoreAddress::Folder("a?b#c".into())),
            (
                "r2://account/bucket/a",
                StoreAddress::R2 {
                    account: "account".into(),
                    bucket: "bucket".into(),
                    prefix: "a".into(),
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_without_a_client_says_which_feature_is_missing() {
        for text in ["s3://bucket/a", "r2://account/bucket/a"] {
            let error = text.parse::<StoreAddress>().unwrap().open().err().unwrap();
            let expected = AddressError::MissingFeature { address: text.to_owned(), feature: "s3" };
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn what_is_no_store_is_refused_with_a_hint() {
        for (text, hint) in [
            ("", "a path or a URL"),
            ("s3://", "s3://bucket/prefix"),
            ("r2://account", "r2://account/bucket/prefix"),
            ("https://example.org/x", "s3://bucket/prefix"),
            ("s3://bucket?x=1", "\"?x=1\""),
            ("s3://bucket/a/b.sql?versionId=2#c", "leave it out"),
            ("r2://account/bucket/a#b", "\"#b\""),
            ("file:///folder?a", "%3F"),
        ] {
            let error = text.parse::<StoreAddress>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn an_object_is_the_last_of_its_address() {
        for (text, store, name) in [
            ("dump.sql", ".", "dump.sql"),
            ("a/b/dump.sql", "a/b", "dump.sql"),
            ("/dump.sql", "/", "dump.sql"),
            ("file:///var/my%20dumps/a.sql", "/var/my dumps", "a.sql"),
            ("s3://bucket/dump.sql", "s3://bucket", "dump.sql"),
            ("s3://bucket/a/b/dump.sql", "s3://bucket/a/b", "dump.sql"),
            ("r2://account/bucket/dump.sql", "r2://account/bucket", "dump.sql"),
            ("r2://account/bucket/a/dump.sql", "r2://account/bucket/a", "dump.sql"),
        ] {
            let expected = ObjectAddress { store: store.parse().unwrap(), name: name.into() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for (text, hint) in [
            ("", "a path or a URL"),
            ("..", "the path of a file"),
            ("s3://bucket", "s3://bucket/key"),
            ("r2://account/bucket/", "r2://account/bucket/key"),
            ("https://example.org/x", "give a file"),
        ] {
            let error = text.parse::<ObjectAddress>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
