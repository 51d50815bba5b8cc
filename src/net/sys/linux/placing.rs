//! The kernel reads the id of each message, and gives it to the socket of a shared port that it is for.

use std::io;
use std::mem::size_of;
use std::num::NonZero;
use std::os::fd::RawFd;
use std::ptr;

use libc::{BPF_A, BPF_H, BPF_W, c_void, sock_filter, sock_fprog};
use libc::{BPF_ABS, BPF_ALU, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_LEN, BPF_MOD, BPF_RET};

use crate::reflect::Place;

/// An index that no socket has: the kernel then hashes the addresses and ports.
const BY_HASH: u32 = u32::MAX;

/// Steers native messages by their place to the first sockets that were bound to the port, this many; the kernel's
/// hash steers the rest. Needs Linux 4.5 and no privilege.
pub(super) fn place_messages(fd: RawFd, servers: NonZero<u32>) -> io::Result<()> {
    let mut program = program(servers);
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the option takes a `sock_fprog` of this length, and the kernel copies the instructions that it points to,
    // which live until the call returns.
    let result = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            ptr::from_ref(&program).cast::<c_void>(),
            size_of::<sock_fprog>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads a UDP payload and returns the index of a socket. A load beyond the end would return 0, the first socket: the
/// length comes first.
fn program(servers: NonZero<u32>) -> [sock_filter; 8] {
    [
        step(BPF_LD | BPF_W | BPF_LEN, 0),
        skip_unless(BPF_JGE, Place::LEAST as u32, 5),
        step(BPF_LD | BPF_H | BPF_ABS, 0),
        skip_unless(BPF_JEQ, Place::MAGIC.into(), 3),
        step(BPF_LD | BPF_W | BPF_ABS, Place::NUMBER as u32),
        step(BPF_ALU | BPF_MOD | BPF_K, servers.get()),
        step(BPF_RET | BPF_A, 0),
        step(BPF_RET | BPF_K, BY_HASH),
    ]
}

fn step(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn skip_unless(condition: u32, k: u32, steps: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt: 0, jf: steps, k }
}
