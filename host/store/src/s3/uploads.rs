//! `ListMultipartUploads`, which the client of `object_store` does not have: the request is built
//! from the client's parts.

use std::time::Duration;

use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::{Method, Signer, Url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use crate::bucket::{
    ListedUpload, RequestError, RequestErrorKind, UploadMarker, UploadPage, UploadQuery,
};

/// What goes into a query as it is: RFC 3986's unreserved characters, as Amazon's signature wants it.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends the request by the client's own means.
#[derive(Debug)]
pub(super) struct UploadLister {
    pub http: HttpClient,
    pub region: String,
}

impl UploadLister {
    /// One page of the list.
    pub async fn page(
        &self,
        client: &AmazonS3,
        query: &UploadQuery,
    ) -> Result<UploadPage, RequestError> {
        // Encoded, because XML has no way to write some of the characters that a key may have.
        let mut pairs = vec![("uploads", ""), ("encoding-type", "url"), ("prefix", &query.prefix)];
        pairs.extend(query.delimiter.as_deref().map(|delimiter| ("delimiter", delimiter)));
        if let Some(UploadMarker { key, upload_id }) = &query.after {
            pairs.extend([("key-marker", key.as_str()), ("upload-id-marker", upload_id)]);
        }
        Page::parse(&self.send(client, &pairs).await?)?.into_uploads()
    }

    /// Sends the request and gives the answer's body.
    async fn send(
        &self,
        client: &AmazonS3,
        query: &[(&str, &str)],
    ) -> Result<bytes::Bytes, RequestError> {
        let url = bucket_url(client, query).await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(unanswered)?;
        let credential = client.credentials().get_credential().await.map_err(unanswered)?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut request, None)
            .map_err(unanswered)?;
        let answer = self.http.execute(request).await.map_err(unanswered)?;
        let status = answer.status();
        let body = answer.into_body().bytes().await.map_err(unanswered)?;
        if status.is_success() {
            return Ok(body);
        }
        let reason = format!("{status}: {}", String::from_utf8_lossy(&body));
        Err(RequestError { kind: kind(status.as_u16()), reason })
    }
}

/// There was no answer, or none that can be read.
fn unanswered(reason: impl std::fmt::Display) -> RequestError {
    RequestError::new(RequestErrorKind::Unavailable, reason)
}

/// The answer has something in it that can't be read, and would have it again.
fn unreadable(reason: impl std::fmt::Display) -> RequestError {
    RequestError::new(RequestErrorKind::Other, reason)
}

/// What the status of an answer means.
fn kind(status: u16) -> RequestErrorKind {
    match status {
        404 => RequestErrorKind::NoSuchBucket,
        401 | 403 => RequestErrorKind::Denied,
        405 | 501 => RequestErrorKind::NotImplemented,
        429 | 500.. => RequestErrorKind::Unavailable,
        _ => RequestErrorKind::Other,
    }
}

/// One page of the answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default)]
    next_key_marker: Option<String>,
    #[serde(default)]
    next_upload_id_marker: Option<String>,
    #[serde(default)]
    upload: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    upload_id: String,
    initiated: String,
}

impl Page {
    fn parse(xml: &[u8]) -> Result<Self, RequestError> {
        quick_xml::de::from_reader(xml).map_err(unanswered)
    }

    /// A key, decoded where the page says that keys are encoded, as in a form: Amazon's and MinIO's "+" is a space.
    fn decoded(&self, key: &str) -> String {
        if self.encoding_type.as_deref() != Some("url") {
            return key.to_owned();
        }
        percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
    }

    fn into_uploads(self) -> Result<UploadPage, RequestError> {
        let next = match (&self.next_key_marker, &self.next_upload_id_marker) {
            (Some(key), Some(id)) if self.is_truncated => {
                Some(UploadMarker { key: self.decoded(key), upload_id: id.clone() })
            }
            _ => None,
        };
        let listed = self.upload.iter().map(|entry| {
            let initiated: jiff::Timestamp = entry.initiated.parse().map_err(unreadable)?;
            Ok(ListedUpload {
                key: self.decoded(&entry.key),
                upload_id: entry.upload_id.clone(),
                initiated: initiated.into(),
            })
        });
        Ok(UploadPage { uploads: listed.collect::<Result<_, RequestError>>()?, next })
    }
}

/// The bucket's own URL, with a query. The client gives URLs only when it signs them; that of an object without a name
/// is the bucket's.
async fn bucket_url(client: &AmazonS3, query: &[(&str, &str)]) -> Result<Url, RequestError> {
    let root = Path::default();
    let signed = client.signed_url(Method::GET, &root, Duration::from_secs(60));
    let mut url = signed.await.map_err(unanswered)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let encoded: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
        .collect();
    url.set_query(Some(&encoded.join("&")));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_encoded_keys_and_what_lies_between() {
        let page = Page::parse(
            br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>b</Bucket><KeyMarker/><UploadIdMarker/>
              <NextKeyMarker>a%2Fb+c%2B</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>
              <Delimiter>%2F</Delimiter><EncodingType>url</EncodingType>
              <MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated>
              <Upload><Key>a%2Fb+c%2B</Key><UploadId>1</UploadId>
                <Initiator><ID>x</ID></Initiator><Initiated>2026-01-31T08:00:00.000Z</Initiated></Upload>
              <CommonPrefixes><Prefix>a%2Fd%2F</Prefix></CommonPrefixes>
              <Upload><Key>a%2Fb+c%2B</Key><UploadId>2</UploadId>
                <Initiated>2026-01-31T08:00:01.000Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#,
        )
        .unwrap();
        assert!(page.is_truncated);
        let ids: Vec<&str> = page.upload.iter().map(|entry| entry.upload_id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(page.decoded(&page.upload[0].key), "a/b c+");
    }

    #[test]
    fn keys_that_are_not_encoded_stay_as_they_are() {
        let page = Page::parse(
            b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload>\
              <Key>a/b+%2F</Key><UploadId>1</UploadId><Initiated>2026-01-31T08:00:00Z</Initiated>\
              </Upload></ListMultipartUploadsResult>",
        )
        .unwrap();
        assert_eq!(page.decoded(&page.upload[0].key), "a/b+%2F");
    }
}
