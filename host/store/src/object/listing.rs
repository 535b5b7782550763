//! The uploads of a bucket that have begun and not ended (`ListMultipartUploads`), which `object_store` can't list.

use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::{Method, Signer, Url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

/// What goes into a query as it is: RFC 3986's unreserved characters, as Amazon's signature wants it.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a page is asked for.
const ATTEMPTS: u32 = 6;

/// An upload that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// The whole key.
    pub key: String,
    pub id: String,
    pub initiated: SystemTime,
}

/// Why uploads can't be listed.
#[derive(Debug)]
pub(super) struct Unlisted {
    /// The answer's status; none where there was no answer, or none that could be read.
    pub status: Option<u16>,
    pub reason: String,
}

impl Unlisted {
    fn new(reason: impl std::fmt::Display) -> Self {
        Self { status: None, reason: reason.to_string() }
    }

    /// Whether asking again at once may help.
    fn may_pass(&self) -> bool {
        self.status.is_none_or(|status| status == 429 || (status >= 500 && status != 501))
    }
}

/// What lists uploads: the client's own means, put together.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub http: HttpClient,
    pub region: String,
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
    fn parse(xml: &[u8]) -> Result<Self, Unlisted> {
        quick_xml::de::from_reader(xml).map_err(Unlisted::new)
    }

    /// A key as it is. What is encoded, is so as in a form: Amazon's and MinIO's "+" is a space.
    fn decoded(&self, key: &str) -> String {
        if self.encoding_type.as_deref() != Some("url") {
            return key.to_owned();
        }
        percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
    }
}

impl Listing {
    /// The uploads to keys that begin with a prefix, and with a delimiter only those that have none of it behind the
    /// prefix.
    pub async fn uploads(
        &self,
        client: &AmazonS3,
        prefix: &str,
        delimiter: Option<&str>,
    ) -> Result<Vec<Begun>, Unlisted> {
        let mut found = Vec::new();
        let mut markers = None;
        loop {
            // Encoded, because XML has no way to write some of the characters that a key may have.
            let mut query = vec![("uploads", ""), ("encoding-type", "url"), ("prefix", prefix)];
            query.extend(delimiter.map(|delimiter| ("delimiter", delimiter)));
            if let Some((key, id)) = &markers {
                query.extend(
                    [("key-marker", key), ("upload-id-marker", id)]
                        .map(|(name, value): (_, &String)| (name, value.as_str())),
                );
            }
            let page = self.page(client, &query).await?;
            for entry in &page.upload {
                let initiated: jiff::Timestamp = entry.initiated.parse().map_err(Unlisted::new)?;
                found.push(Begun {
                    key: page.decoded(&entry.key),
                    id: entry.upload_id.clone(),
                    initiated: initiated.into(),
                });
            }
            let next = match (&page.next_key_marker, &page.next_upload_id_marker) {
                (Some(key), Some(id)) if page.is_truncated => Some((page.decoded(key), id.clone())),
                _ => None,
            };
            // A server that gives the same place again would do so for ever.
            if next.is_none() || next == markers {
                return Ok(found);
            }
            markers = next;
        }
    }

    /// One page; what may pass is asked for again, as the client does with its own requests.
    async fn page(&self, client: &AmazonS3, query: &[(&str, &str)]) -> Result<Page, Unlisted> {
        let mut pause = Duration::from_millis(100);
        for attempt in 1.. {
            match self.ask(client, query).await {
                Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                    tracing::info!(attempt, reason = error.reason, "listing uploads failed");
                }
                outcome => return outcome,
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
        unreachable!("the last attempt returns")
    }

    async fn ask(&self, client: &AmazonS3, query: &[(&str, &str)]) -> Result<Page, Unlisted> {
        let url = bucket_url(client, query).await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(Unlisted::new)?;
        let credential = client.credentials().get_credential().await.map_err(Unlisted::new)?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut request, None)
            .map_err(Unlisted::new)?;
        let answer = self.http.execute(request).await.map_err(Unlisted::new)?;
        let status = answer.status();
        let body = answer.into_body().bytes().await.map_err(Unlisted::new)?;
        if !status.is_success() {
            let reason = format!("{status}: {}", String::from_utf8_lossy(&body));
            return Err(Unlisted { status: Some(status.as_u16()), reason });
        }
        Page::parse(&body)
    }
}

/// The bucket's own URL, with a query. The client tells URLs only by signing them; that of an object without a name is
/// the bucket's.
async fn bucket_url(client: &AmazonS3, query: &[(&str, &str)]) -> Result<Url, Unlisted> {
    let root = Path::default();
    let signed = client.signed_url(Method::GET, &root, Duration::from_secs(60));
    let mut url = signed.await.map_err(Unlisted::new)?;
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
