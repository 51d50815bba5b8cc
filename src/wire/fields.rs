//! Reads and writes big-endian integers at constant ranges, whose length the caller has checked; and short texts.

use std::ops::Range;

pub(super) type U16 = Range<usize>;
pub(super) type U32 = Range<usize>;
pub(super) type U48 = Range<usize>;
pub(super) type U64 = Range<usize>;

/// The largest value of a 48-bit field; as nanoseconds 78 hours.
pub(super) const MAX_U48: u64 = (1 << 48) - 1;

pub(super) fn get_u16(bytes: &[u8], at: U16) -> u16 {
    u16::from_be_bytes(bytes[at].try_into().expect("two bytes"))
}

pub(super) fn put_u16(bytes: &mut [u8], at: U16, value: u16) {
    bytes[at].copy_from_slice(&value.to_be_bytes());
}

pub(super) fn get_u32(bytes: &[u8], at: U32) -> u32 {
    u32::from_be_bytes(bytes[at].try_into().expect("four bytes"))
}

pub(super) fn put_u32(bytes: &mut [u8], at: U32, value: u32) {
    bytes[at].copy_from_slice(&value.to_be_bytes());
}

pub(super) fn get_u48(bytes: &[u8], at: U48) -> u64 {
    let mut wide = [0; 8];
    wide[2..].copy_from_slice(&bytes[at]);
    u64::from_be_bytes(wide)
}

/// Writes the largest value if this one does not fit.
pub(super) fn put_u48(bytes: &mut [u8], at: U48, value: u64) {
    bytes[at].copy_from_slice(&value.min(MAX_U48).to_be_bytes()[2..]);
}

pub(super) fn get_u64(bytes: &[u8], at: U64) -> u64 {
    u64::from_be_bytes(bytes[at].try_into().expect("eight bytes"))
}

pub(super) fn put_u64(bytes: &mut [u8], at: U64, value: u64) {
    bytes[at].copy_from_slice(&value.to_be_bytes());
}

const TEXT_LENGTH: U16 = 0..2;

/// Writes length and text; a text that is longer than its place is cut.
pub(super) fn put_text(slot: &mut [u8], text: &str) {
    let most = text.len().min(slot.len() - TEXT_LENGTH.end);
    let end = (0..=most).rfind(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = &text[..end];
    put_u16(slot, TEXT_LENGTH, u16::try_from(text.len()).unwrap_or(u16::MAX));
    slot[TEXT_LENGTH.end..][..text.len()].copy_from_slice(text.as_bytes());
}

/// A text behind its length.
pub(super) fn get_text(bytes: &[u8]) -> Option<&str> {
    let (_, text) = bytes.split_at_checked(TEXT_LENGTH.end)?;
    std::str::from_utf8(text.get(..usize::from(get_u16(bytes, TEXT_LENGTH)))?).ok()
}
