//! Names of tables and columns.

use alloc::vec::Vec;

/// Appends a name in double quotes, which is correct for any spelling, keywords and quotes included.
pub(super) fn write_name(to: &mut Vec<u8>, name: &[u8]) {
    to.push(b'"');
    for byte in name {
        if *byte == b'"' {
            to.push(b'"');
        }
        to.push(*byte);
    }
    to.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_a_name_are_doubled() {
        let mut text = Vec::new();
        write_name(&mut text, br#"a "b" [c]"#);
        assert_eq!(text, br#""a ""b"" [c]""#);
    }
}
