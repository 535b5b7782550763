//! Paths of the service that more than one file refers to.

use url::form_urlencoded;

/// The path at which dumps are requested.
pub const DUMP: &str = "/export/dump";

/// The path of an export's status.
pub fn status_url(id: &str) -> String {
    format!("/export/status/{id}")
}

/// The path of an export's object.
pub fn download_url(id: &str) -> String {
    format!("/export/download/{id}")
}

/// The path of the object of a table, of an export that has made one for each.
pub fn table_download_url(id: &str, table: &str) -> String {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("table", table).finish();
    format!("{}?{query}", download_url(id))
}
