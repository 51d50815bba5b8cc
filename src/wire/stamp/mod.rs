//! STAMP test packets (RFC 8762, RFC 8972), which include TWAMP and TWAMP-Light (RFC 5357).
//!
//! One UDP packet each way, big-endian. The open form, sender on the left, reflector on the right:
//!
//! ```text
//!  at                                      at
//!   0  sequence number (4)                  0  sequence number (4): copied, or the reflector's own
//!   4  T1: time of sending (8)              4  T3: time of sending (8)
//!  12  error estimate of T1 (2)            12  error estimate of T2 and T3 (2)
//!  14  SSID (2)                            14  SSID (2), copied
//!  16  zero (28)                           16  T2: time of receiving (8)
//!                                          24  sender's sequence number (4)
//!                                          28  T1, copied (8)
//!                                          36  sender's error estimate (2), zero (2)
//!                                          40  TTL as received (1)
//!                                          41  TOS as received (1, RFC 7750), zero (2)
//!  44  TLVs, or padding                    44  TLVs answered, or padding copied
//! ```
//!
//! In the authenticated form the fields stand further apart and end with an HMAC at octet 96; the
//! base is 112 octets long. A TWAMP sender may send as few as 14 octets, and reflectors are known
//! that answer with 14, 38 or 41.

mod error_estimate;
mod packet;
mod timestamp;
mod tlv;

pub use error_estimate::ErrorEstimate;
pub use packet::{Echoed, HmacKey, Mode, Reply, Request};
pub use timestamp::{Format, Timestamp};
pub use tlv::{
    ClassOfService, DirectMeasurement, FollowUp, TimestampInfo, Tlv, TlvKind, TlvWriter, Understood,
    answer_tlvs, refuse_tlvs, sign_tlvs, tlvs, verifies_tlvs,
};

/// The port of STAMP and TWAMP-Test.
pub const PORT: u16 = 862;
/// The shortest packet of a TWAMP sender.
pub const TWAMP_LIGHT_MIN: usize = 14;
/// The shortest reply that holds all fields.
pub const TWAMP_REPLY_MIN: usize = 41;
