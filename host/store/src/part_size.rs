//! The size of parts: chosen from the database's size, or checked if it is given.

use crate::store::StoreLimits;

const MIB: u64 = 1024 * 1024;

/// The default: the smallest that S3 and R2 allow.
const DEFAULT: u64 = 5 * MIB;

/// How many times its database's size a dump can be: a NULL takes one byte there and five in SQL.
const GROWTH: u64 = 5;

/// The largest part a component can hold: it has at most 4 GiB of memory, and holds one part and
/// some more.
const LARGEST: u64 = 1024 * MIB;

/// Why a part size can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PartSizeError {
    /// The store does not allow parts this small.
    #[error("a part size of {given} bytes is too small for this store: the minimum is {smallest}")]
    TooSmall {
        /// The size given, in bytes.
        given: u64,
        /// The smallest that the store allows, in bytes.
        smallest: u64,
    },
    /// The store does not allow parts this large, or the component can't hold them.
    #[error("a part size of {given} bytes is too large: the maximum is {largest}")]
    TooLarge {
        /// The size given, in bytes.
        given: u64,
        /// The largest that both can handle, in bytes.
        largest: u64,
    },
    /// The object would have too many parts.
    #[error(
        "with parts of {given} bytes, a database of {database} bytes would need more than the {most} \
         parts that the store allows: give a part size of at least {enough} bytes, or none"
    )]
    TooManyParts {
        /// The size given, in bytes.
        given: u64,
        /// The database's size, in bytes.
        database: u64,
        /// The most parts that the store allows.
        most: u32,
        /// A part size large enough for any dump of such a database, in bytes.
        enough: u64,
    },
}

/// The part size, in bytes, for a database of this many bytes: the one given, if it can be used;
/// otherwise 5 MiB, or more if a dump of the database might need too many parts.
///
/// # Errors
///
/// All of [`PartSizeError`].
pub fn part_size(
    given: Option<u64>,
    database: u64,
    limits: StoreLimits,
) -> Result<u32, PartSizeError> {
    let most = u64::from(limits.most_parts);
    let largest = LARGEST.min(limits.largest_part);
    let with_room = database.saturating_mul(GROWTH).div_ceil(most).next_multiple_of(MIB);
    let enough = with_room.max(DEFAULT);
    let size = given.unwrap_or(enough);
    if size < limits.smallest_part {
        return Err(PartSizeError::TooSmall { given: size, smallest: limits.smallest_part });
    }
    // Without its indexes a dump can be smaller than its database, but nobody can count on that.
    if size.saturating_mul(most) < database {
        return Err(PartSizeError::TooManyParts {
            given: size,
            database,
            most: limits.most_parts,
            enough,
        });
    }
    match u32::try_from(size) {
        Ok(fits) if size <= largest => Ok(fits),
        _ => Err(PartSizeError::TooLarge { given: size, largest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;
    const S3: StoreLimits = StoreLimits {
        smallest_part: 5 * MIB,
        largest_part: 5 * GIB,
        most_parts: 10_000,
        in_flight: 3,
    };

    #[test]
    fn the_size_grows_with_the_database_so_that_the_parts_suffice() {
        assert_eq!(part_size(None, 0, S3), Ok(5 * MIB as u32));
        assert_eq!(part_size(None, 9 * GIB, S3), Ok(5 * MIB as u32));
        assert_eq!(part_size(None, 100 * GIB, S3), Ok(52 * MIB as u32));
        for database in [GIB, 48 * GIB, 999 * GIB] {
            let size = part_size(None, database, S3).unwrap();
            assert!(u64::from(size) * 10_000 >= 5 * database);
        }
    }

    #[test]
    fn a_size_that_will_not_do_is_refused_with_one_that_will() {
        let too_small = PartSizeError::TooSmall { given: MIB, smallest: 5 * MIB };
        assert_eq!(part_size(Some(MIB), 0, S3), Err(too_small));
        let too_large = PartSizeError::TooLarge { given: 6 * GIB, largest: GIB };
        assert_eq!(part_size(Some(6 * GIB), 0, S3), Err(too_large));
        let error = part_size(Some(5 * MIB), 60 * GIB, S3).unwrap_err();
        let PartSizeError::TooManyParts { enough, .. } = error else { panic!("{error}") };
        assert_eq!(part_size(Some(enough), 60 * GIB, S3), Ok(enough as u32));
    }
}
