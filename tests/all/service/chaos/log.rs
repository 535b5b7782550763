//! The log of all lives of a service: whether what went wrong has a cause in it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

pub struct Log {
    /// Answers with 5xx: the request's id, and the status.
    failed: Vec<(String, u64)>,
    /// Requests about which an error was logged, with a text.
    explained: HashSet<String>,
}

impl Log {
    /// Reads the logs, in which there must be no panic.
    pub fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let (mut failed, mut explained) = (Vec::new(), HashSet::new());
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            assert!(!text.contains("panicked"), "{}", file.display());
            for line in text.lines() {
                // A killed process may leave half a line.
                let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
                let Some(request) = line["span"]["request"].as_str() else { continue };
                match (line["message"].as_str(), line["status"].as_u64()) {
                    (Some("answered"), Some(status)) if status >= 500 => {
                        failed.push((request.to_owned(), status));
                    }
                    (Some(_), _) if line["error"].as_str().is_some_and(|it| !it.is_empty()) => {
                        explained.insert(request.to_owned());
                    }
                    _ => {}
                }
            }
        }
        Self { failed, explained }
    }

    /// Whether the log says why a request failed.
    pub fn has_cause(&self, request: &str) -> bool {
        self.explained.contains(request)
    }

    /// How many requests were answered with which status; each must have its cause.
    pub fn server_errors(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for (request, status) in &self.failed {
            assert!(
                self.has_cause(request),
                "request {request} failed with {status}, without a cause"
            );
            *counts.entry(*status).or_default() += 1;
        }
        counts
    }
}
