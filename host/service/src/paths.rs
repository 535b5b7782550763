//! Paths of the service that more than one file refers to.

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
