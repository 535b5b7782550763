//! What is in a store that is a folder.

use std::fs;
use std::path::Path;

/// The names of all files in it, hidden or not, but for manifests of objects: in order.
pub fn stored(store: &Path) -> Vec<String> {
    let entries = fs::read_dir(store).expect("the store can be read");
    let names = entries
        .map(|entry| entry.expect("the store can be read").file_name())
        .map(|name| name.into_string().expect("names are text"));
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".manifest.json")).collect();
    names.sort();
    names
}
