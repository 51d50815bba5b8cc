//! Many sockets, of which a wait reports those that are readable (epoll): its cost is that of these, not of all.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::wait::wait;
use crate::net::stop_signal::Control;
use crate::net::sys::Socket;
use crate::time::Duration;

pub(crate) struct ReadySet {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl ReadySet {
    /// Sockets reported by one look; the others are by the next.
    pub(crate) const AT_ONCE: usize = 64;

    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened, and nothing else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; Self::AT_ONCE] })
    }

    /// From now on a look reports this number while the socket is readable, or `once` until `listen_again`. A
    /// socket that is closed leaves the set.
    pub(crate) fn add(&self, socket: &Socket, number: u64, once: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, number, once)
    }

    /// From now on a look reports another number for this socket.
    pub(crate) fn renumber(&self, socket: &Socket, number: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, number, false)
    }

    pub(crate) fn listen_again(&self, socket: &Socket, number: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, number, true)
    }

    /// Waits until one is readable, if it is to `listen`, a request comes, or the time is over. Whether there was a
    /// request.
    pub(crate) fn wait(
        &mut self,
        listen: bool,
        control: &Control,
        timeout: Option<Duration>,
        ready: &mut Vec<u64>,
    ) -> io::Result<bool> {
        let set = listen.then(|| self.epoll.as_raw_fd());
        let woken = wait(set.into_iter(), control, timeout)?;
        if !listen || woken.readable != 0 {
            self.look(ready)?;
        }
        Ok(woken.stop_requested)
    }

    /// Adds the numbers of those that are readable now, `AT_ONCE` at most.
    pub(crate) fn look(&mut self, ready: &mut Vec<u64>) -> io::Result<()> {
        let events = &mut self.events;
        // SAFETY: the pointer and the count are those of one vector, which the kernel fills.
        let count =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, 0) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        ready.extend(events[..count as usize].iter().map(|event| event.u64));
        Ok(())
    }

    fn control(&self, operation: i32, socket: &Socket, number: u64, once: bool) -> io::Result<()> {
        let socket: RawFd = socket.descriptor().ok_or(io::ErrorKind::Unsupported)?;
        let once = if once { libc::EPOLLONESHOT } else { 0 };
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | once) as u32, u64: number };
        // SAFETY: the event is alive; the kernel copies it.
        let result =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, socket, ptr::from_mut(&mut event)) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::net::sys::{self, Options};

    fn bind() -> Socket {
        sys::bind_socket("127.0.0.1:0".parse().unwrap(), &Options::default()).unwrap()
    }

    fn send(from: &mut Socket, to: SocketAddr) {
        from.connect(to).unwrap();
        from.send_one(b"x").unwrap();
    }

    #[test]
    fn of_many_sockets_only_the_readable_ones_are_reported_and_one_of_once_only_once() {
        let mut set = ReadySet::new().unwrap();
        let sockets: Vec<Socket> = (0..100).map(|_| bind()).collect();
        for (number, socket) in sockets.iter().enumerate() {
            set.add(socket, number as u64, number == 70).unwrap();
        }
        let mut sender = bind();
        [7, 70]
            .into_iter()
            .for_each(|number: usize| send(&mut sender, sockets[number].local_addr().unwrap()));
        let look = |set: &mut ReadySet| {
            let mut ready = Vec::new();
            set.look(&mut ready).unwrap();
            ready.sort_unstable();
            ready
        };
        assert_eq!([look(&mut set), look(&mut set)], [vec![7, 70], vec![7]]);
        set.listen_again(&sockets[70], 70).unwrap();
        assert_eq!(look(&mut set), [7, 70]);
        drop(sockets);
        assert_eq!(look(&mut set), [0; 0]);
    }

    #[test]
    fn a_wait_that_does_not_listen_still_reports_what_is_readable_at_its_end() {
        let (mut set, control, socket) = (ReadySet::new().unwrap(), Control::new().unwrap(), bind());
        set.add(&socket, 5, false).unwrap();
        send(&mut bind(), socket.local_addr().unwrap());
        let mut ready = Vec::new();
        assert!(!set.wait(false, &control, Some(Duration::from_millis(1)), &mut ready).unwrap());
        assert!(!set.wait(true, &control, None, &mut ready).unwrap());
        assert_eq!(ready, [5, 5]);
        control.stop();
        assert!(set.wait(false, &control, None, &mut ready).unwrap());
    }
}
