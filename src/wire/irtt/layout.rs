//! Where the fixed parts of a packet stand.

use std::ops::Range;

pub(super) const MAGIC: [u8; 3] = [0x14, 0xA7, 0x5B];
pub(super) const FLAGS: usize = 3;
const HEADER: usize = 4;
pub(super) const HMAC: Range<usize> = 4..20;

pub(super) const OPEN: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const CLOSE: u8 = 4;
pub(super) const HAS_HMAC: u8 = 8;

/// Where the token stands, behind magic, flags and HMAC.
pub(super) const fn body(has_hmac: bool) -> usize {
    if has_hmac { HMAC.end } else { HEADER }
}

/// Where the fields that were agreed on begin, behind the token and the number.
pub(super) const fn agreed(has_hmac: bool) -> usize {
    body(has_hmac) + 12
}
