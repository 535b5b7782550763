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

pub use decimal::{decimal, parts, write_plain, write_shortest};
pub use decode::{Decoded, decode};
pub use escape::{Escape, write_escaped};
pub use hex::write_hex;
pub use integer::{write_integer, write_unsigned};
pub use utf16::{Converted, from_utf16};
