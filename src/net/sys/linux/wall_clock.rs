//! The accuracy of the wall clock, as the kernel knows it.

use crate::time::Duration;

/// Whether something keeps the wall clock in step with UTC, and how far it may be off.
pub(in crate::net) fn wall_clock_error() -> Option<(bool, Duration)> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut told: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure; with `modes` zero the call only fills it.
    let state = unsafe { libc::adjtimex(&raw mut told) };
    let error = Duration::from_micros(told.maxerror);
    (state >= 0).then_some((told.status & libc::STA_UNSYNC == 0, error))
}
