//! Signals to other processes.

use std::io;

/// The process must be a child that nobody has waited for: another may have its number later.
pub(crate) fn terminate(process: u32) -> io::Result<()> {
    let process = libc::pid_t::try_from(process).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: takes no pointer.
    if unsafe { libc::kill(process, libc::SIGTERM) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
