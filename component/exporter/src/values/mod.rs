//! Values as text, as far as all formats write them alike.
//!
//! | module | what lives there |
//! |---|---|
//! | `integer`, `decimal` | integers and floats as digits |
//! | `hex` | bytes as hexadecimal digits |
//! | `escape` | text with some of its bytes escaped |
//! | `decode`, `utf16` | text of any encoding, as UTF-8 |

mod decimal;
mod decode;
mod escape;
mod hex;
mod integer;
mod utf16;

pub(crate) use decimal::{decimal, parts, write_plain, write_shortest};
pub(crate) use decode::{Decoded, decode};
pub(crate) use escape::{Escape, write_escaped};
pub(crate) use hex::write_hex;
pub(crate) use integer::{write_integer, write_unsigned};
pub(crate) use utf16::{Converted, from_utf16};
