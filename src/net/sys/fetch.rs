//! Memory asked for before it is read, where the processor knows how.
#![allow(unsafe_code, reason = "there is no safe way to say it")]

/// Has this line come into the cache while other work is done. Any address will do: nothing is read.
pub fn fetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; at an address where there is nothing it does nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
