//! Numbers of things in words.

/// A number of things: `1 part`, `2 parts`. `noun` takes a plain `s` in the plural.
pub fn pluralize(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
