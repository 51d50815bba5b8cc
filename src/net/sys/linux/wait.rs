//! Waits, in nanoseconds, until a socket has something or can take something.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use crate::net::control::Control;
use crate::net::sys::{self, Woken};
use crate::time::Duration;

pub fn wait(
    sockets: &[sys::Socket],
    beside: Option<&sys::Socket>,
    control: &Control,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    let watch = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut watched: Vec<libc::pollfd> = Vec::with_capacity(sockets.len() + 2);
    watched.push(watch(control.pipe().as_raw_fd()));
    for socket in sockets.iter().chain(beside) {
        if let sys::Socket::Linux(socket) = socket {
            watched.push(watch(socket.socket.as_raw_fd()));
        }
    }
    poll(&mut watched, timeout)?;
    let (watched, last) = watched.split_at(1 + sockets.len());
    let readable = watched[1..].iter().enumerate().take(64);
    let readable =
        readable.filter(|(_, socket)| socket.revents != 0).fold(0, |bits, (index, _)| bits | 1 << index);
    let asked = watched[0].revents != 0;
    Ok(Woken { asked, readable, beside: last.iter().any(|socket| socket.revents != 0) })
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
pub fn wait_writable(fd: RawFd) {
    let mut watched = [libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }];
    let _ = poll(&mut watched, Some(Duration::from_millis(1)));
}
