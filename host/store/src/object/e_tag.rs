//! What ETags tell: whether an object is the one that was uploaded.

use md5::{Digest, Md5};

use crate::bucket::ObjectInfo;
use crate::store::{ObjectVersion, PartId};

/// An object's version: its ETag without what differs between responses of one server.
pub(super) fn version(e_tag: &str) -> ObjectVersion {
    let e_tag = e_tag.trim();
    e_tag.strip_prefix("W/").unwrap_or(e_tag).trim_matches('"').to_owned()
}

/// Whether an object that was found may be the one of these parts. It need not be: another may have the same length
/// where ETags do not tell, and the same bytes where they do.
pub(super) fn may_be_of(found: &ObjectInfo, part_ids: &[PartId], length: u64) -> bool {
    let Some(tag) = found.e_tag.as_deref().map(version) else { return found.length == length };
    // An upload without parts becomes an object of one that is empty.
    let has_other_count = part_count(&tag).is_some_and(|count| count != part_ids.len().max(1));
    let has_other_parts =
        multipart_e_tag(part_ids).is_some_and(|expected| is_multipart(&tag) && tag != expected);
    found.length == length && !has_other_count && !has_other_parts
}

/// Of how many parts an object was made, where its ETag tells: so do Amazon's, R2's and Garage's.
fn part_count(e_tag: &str) -> Option<usize> {
    e_tag.rsplit_once('-')?.1.parse().ok()
}

/// The ETag of an object of these parts, where theirs are MD5s: the MD5 of the parts' MD5s, and their number. So do
/// Amazon, R2 and Garage.
fn multipart_e_tag(part_ids: &[PartId]) -> Option<String> {
    if part_ids.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    for part_id in part_ids {
        let digits = version(part_id);
        let part = base16ct::lower::decode_vec(&digits).ok().filter(|part| part.len() == 16)?;
        md5.update(part);
    }
    Some(format!("{}-{}", base16ct::lower::encode_string(&md5.finalize()), part_ids.len()))
}

/// Whether an ETag is an MD5 and a number.
fn is_multipart(e_tag: &str) -> bool {
    e_tag.rsplit_once('-').is_some_and(|(md5, count)| {
        base16ct::lower::decode_vec(md5).is_ok_and(|md5| md5.len() == 16)
            && count.parse::<u32>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(length: u64, e_tag: &str) -> ObjectInfo {
        ObjectInfo { length, e_tag: Some(e_tag.to_owned()) }
    }

    #[test]
    fn the_parts_of_an_object_are_told_from_others_by_its_e_tag() {
        // By Python's hashlib: of "a", of "b", and of both MD5s.
        let parts = ["\"0cc175b9c0f1b6a831c399e269772661\"", "92eb5ffee6ae2fec3ad71c777531578f"];
        let parts = parts.map(str::to_owned);
        let whole = "\"96e024ba2074fe77e8e965ba43a704be-2\"";
        assert!(may_be_of(&found(2, whole), &parts, 2));
        assert!(!may_be_of(&found(3, whole), &parts, 2));
        for other in ["\"96e024ba2074fe77e8e965ba43a704bf-2\"", "\"opaque-3\""] {
            assert!(!may_be_of(&found(2, other), &parts, 2), "{other}");
        }
        // Of another kind: nothing speaks against it.
        for opaque in ["\"opaque-2\"", "\"opaque\"", "\"0cc175b9c0f1b6a831c399e269772661\""] {
            assert!(may_be_of(&found(2, opaque), &parts, 2), "{opaque}");
        }
        let opaque = ["one".to_owned(), parts[1].clone()];
        assert!(may_be_of(&found(2, "\"96e024ba2074fe77e8e965ba43a704bf-2\""), &opaque, 2));
        assert!(may_be_of(&found(0, "\"opaque-1\""), &[], 0));
    }

    #[test]
    fn a_version_does_not_depend_on_how_an_e_tag_is_quoted() {
        for written in ["\"ab-2\"", "W/\"ab-2\"", "ab-2", " \"ab-2\" "] {
            assert_eq!(version(written), "ab-2");
        }
    }
}
