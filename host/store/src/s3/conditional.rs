//! Completing an upload only if no object has its key: `If-None-Match: *`, where a server knows that.

use async_trait::async_trait;
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpResponse, HttpService};

/// Adds the condition to `CompleteMultipartUpload`, which the client of `object_store` sends without it.
///
/// Amazon and MinIO then answer with status 412 rather than overwrite an object. A server that does not know the
/// condition ignores it, or says so with status 501 and is asked again without.
#[derive(Debug)]
pub(super) struct ConditionalCompletion(pub HttpClient);

#[async_trait]
impl HttpService for ConditionalCompletion {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !is_completion(&request) {
            return self.0.execute(request).await;
        }
        let mut conditional = request.clone();
        if let Ok(any) = "*".parse() {
            conditional.headers_mut().insert("if-none-match", any);
        }
        let response = self.0.execute(conditional).await?;
        if response.status() == 501 { self.0.execute(request).await } else { Ok(response) }
    }
}

/// Of all requests that are sent here, this one alone is a POST for one upload.
fn is_completion(request: &HttpRequest) -> bool {
    let is_of_upload = |query: &str| query.split('&').any(|pair| pair.starts_with("uploadId="));
    request.method() == "POST" && request.uri().query().is_some_and(is_of_upload)
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;

    use super::*;

    /// A server that gives this status to conditional requests, and 200 to others.
    #[derive(Debug)]
    struct Conditional(u16);

    #[async_trait]
    impl HttpService for Conditional {
        async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
            let is_conditional = request.headers().get("if-none-match").is_some();
            let mut response = HttpResponse::new(Vec::new().into());
            if is_conditional {
                *response.status_mut() = self.0.try_into().unwrap();
            }
            Ok(response)
        }
    }

    async fn status(server: u16, method: &str, uri: &str) -> u16 {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = uri.parse().unwrap();
        let client = ConditionalCompletion(HttpClient::new(Conditional(server)));
        client.call(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn completions_alone_have_the_condition_and_go_without_it_where_it_is_unknown() {
        assert_eq!(status(412, "POST", "http://b/k?uploadId=1").await, 412);
        assert_eq!(status(501, "POST", "http://b/k?uploadId=1").await, 200);
        assert_eq!(status(412, "POST", "http://b/k?uploads").await, 200);
        assert_eq!(status(412, "PUT", "http://b/k?partNumber=1&uploadId=1").await, 200);
        assert_eq!(status(412, "DELETE", "http://b/k?uploadId=1").await, 200);
    }
}
