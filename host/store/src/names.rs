//! The names that objects get where others have theirs already.

/// The name to try at the `number`th attempt, counted from 1: `dump.sql`, `dump-2.sql`, `dump-3.sql` …, with the number
/// before the extension.
pub fn numbered_name(name: &str, number: u32) -> String {
    match (number, name.rsplit_once('.')) {
        (1, _) => name.to_owned(),
        (_, Some((stem, extension))) if !stem.is_empty() => format!("{stem}-{number}.{extension}"),
        _ => format!("{name}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::numbered_name;

    #[test]
    fn a_number_goes_before_the_ending() {
        assert_eq!(numbered_name("dump.sql", 1), "dump.sql");
        assert_eq!(numbered_name("dump.sql", 2), "dump-2.sql");
        assert_eq!(numbered_name("a.b.sql", 3), "a.b-3.sql");
        assert_eq!(numbered_name("dump", 2), "dump-2");
        assert_eq!(numbered_name(".sql", 2), ".sql-2");
    }
}
