//! Waits, in nanoseconds, until a socket has something or can take something.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use crate::net::stop_signal::Control;
use crate::net::sys::Woken;
use crate::time::Duration;

pub(crate) fn wait(
    sockets: impl Iterator<Item = RawFd>,
    control: &Control,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    let watch = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut watched: Vec<libc::pollfd> =
        std::iter::once(control.pipe().as_raw_fd()).chain(sockets).map(watch).collect();
    poll(&mut watched, timeout)?;
    let is_readable = |polled: &libc::pollfd| polled.revents != 0;
    let bit = |index: usize, polled: &libc::pollfd| u64::from(is_readable(polled)) << index;
    Ok(Woken {
        stop_requested: is_readable(&watched[0]),
        readable: (0..64).zip(&watched[1..]).map(|(index, polled)| bit(index, polled)).sum(),
    })
}

fn poll(watched: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let time = timeout.map(|timeout| {
        let nanos = timeout.as_nanos().max(0);
        libc::timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointer and the count are those of one slice; the time is null or alive.
    let ready = unsafe { libc::ppoll(watched.as_mut_ptr(), watched.len() as u64, time, ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    Ok(())
}

/// A full send buffer empties in microseconds; waiting for longer than a millisecond is pointless.
pub(super) fn wait_writable(fd: RawFd) {
    let mut watched = [libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }];
    let _ = poll(&mut watched, Some(Duration::from_millis(1)));
}

pub(super) fn wait_readable(fd: RawFd, timeout: Duration) -> io::Result<()> {
    poll(&mut [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }], Some(timeout))
}
