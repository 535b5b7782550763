//! The names that objects get where others have theirs already.

/// What is no extension of its own, but says how an object of another extension is encoded, or that it is a manifest.
const ADDED: [&str; 4] = [".zst", ".gz", ".age", ".manifest.json"];

/// The name to try at the `number`th attempt, counted from 1: `dump.sql`, `dump-2.sql`, `dump-3.sql` …, with the number
/// before the extension, and before what says how the object is encoded: `dump-2.sql.zst`, `dump-2.sql.manifest.json`.
pub fn numbered_name(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    let mut plain = name;
    while let Some(rest) = ADDED.iter().find_map(|encoding| plain.strip_suffix(encoding)) {
        plain = rest;
    }
    let added = &name[plain.len()..];
    match plain.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => {
            format!("{stem}-{number}.{extension}{added}")
        }
        _ => format!("{plain}-{number}{added}"),
    }
}

#[cfg(test)]
mod tests {
    use super::numbered_name;

    #[test]
    fn a_number_goes_before_the_ending() {
        assert_eq!(numbered_name("dump.sql", 1), "dump.sql");
        assert_eq!(numbered_name("dump.sql", 2), "dump-2.sql");
        assert_eq!(numbered_name("dump.sql.zst.age", 2), "dump-2.sql.zst.age");
        assert_eq!(numbered_name("dump.gz", 2), "dump-2.gz");
        assert_eq!(numbered_name("a.sql.gz.manifest.json", 2), "a-2.sql.gz.manifest.json");
        assert_eq!(numbered_name("nightly.manifest.json", 2), "nightly-2.manifest.json");
        assert_eq!(numbered_name("a.b.sql", 3), "a.b-3.sql");
        assert_eq!(numbered_name("dump", 2), "dump-2");
        assert_eq!(numbered_name(".sql", 2), ".sql-2");
    }
}
