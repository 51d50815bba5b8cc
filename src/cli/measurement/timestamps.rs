//! Times of the wall clock as text.

use crate::time::Instant;

/// RFC 3339, to the microsecond.
pub(in crate::cli) fn rfc3339(at: Instant) -> String {
    format!("{:.6}", timestamp(at))
}

/// As `20261120T174501Z`, for file names.
pub(super) fn compact(at: Instant) -> String {
    let whole = format!("{:.0}", timestamp(at));
    whole.replace(['-', ':'], "")
}

fn timestamp(at: Instant) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or_default()
}
