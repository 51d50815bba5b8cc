//! Control messages: what the kernel tells of a datagram, and what it is told.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use libc::c_int;

use crate::relay::Header;
use crate::time::Instant;

/// The sum of all that can be enabled at once: a stamp (timespec), the drop counter (u32), the time
/// to live, the traffic class and the length of a train's datagrams (int each), an IPv6 packet info
/// (20 bytes), the stamps of one that was sent (three timespecs) with what else is told of it (16
/// bytes and an address).
pub(super) const CONTROL: usize =
    space(16) + space(4) + 3 * space(4) + space(20) + space(48) + space(16 + 28);

/// Control messages of a send: the source address, traffic class, time to live, and the length
/// of a train's datagrams.
const ORDERS: usize = space(20) + 2 * space(4) + space(2);

const fn space(payload: usize) -> usize {
    // SAFETY: CMSG_SPACE only computes.
    unsafe { libc::CMSG_SPACE(payload as u32) as usize }
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct ControlBuffer([u8; CONTROL]);

impl ControlBuffer {
    pub(super) const EMPTY: Self = Self([0; CONTROL]);
}

/// The control messages of a received datagram.
#[derive(Default)]
pub(super) struct Ancillary {
    pub stamp: Option<Instant>,
    pub ttl: Option<u8>,
    pub tos: Option<u8>,
    pub local: Option<IpAddr>,
    pub overflow: Option<u32>,
    pub segment: Option<usize>,
    /// Of an ICMP error about a datagram that was sent.
    pub icmp_error: Option<i32>,
    /// There was more to tell than room for it.
    pub cut: bool,
}

pub(super) fn read_control(header: &libc::msghdr) -> Ancillary {
    let cut = header.msg_flags & libc::MSG_CTRUNC != 0;
    let mut ancillary = Ancillary { cut, ..Ancillary::default() };
    // SAFETY: the kernel filled the control buffer that the header points at, and set its length.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return messages that lie within the buffer.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                let time: libc::timespec = read_payload(message);
                ancillary.stamp = Some(Instant::from_nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec));
            }
            // Of what is received it repeats the other stamp.
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                let [time, _, _]: [libc::timespec; 3] = read_payload(message);
                ancillary.stamp = Some(Instant::from_nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec));
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => ancillary.overflow = Some(read_payload(message)),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                ancillary.ttl = u8::try_from(read_payload::<c_int>(message)).ok();
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => ancillary.tos = Some(read_payload(message)),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                ancillary.tos = u8::try_from(read_payload::<c_int>(message)).ok();
            }
            (libc::IPPROTO_IP, libc::IP_ORIGDSTADDR) => {
                let address: libc::sockaddr_in = read_payload(message);
                ancillary.local = Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: libc::in6_pktinfo = read_payload(message);
                ancillary.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                let error: libc::sock_extended_err = read_payload(message);
                // Transmit timestamps are queued there, too.
                let is_icmp = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
                ancillary.icmp_error = i32::try_from(error.ee_errno).ok().filter(|_| is_icmp);
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                ancillary.segment = usize::try_from(read_payload::<c_int>(message)).ok();
            }
            _ => {}
        }
        // SAFETY: as above.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    ancillary
}

/// Reads a control message's payload, which is plain data of the type that its kind says.
fn read_payload<T: Copy>(message: *const libc::cmsghdr) -> T {
    // SAFETY: the kernel wrote a payload of this type; it may be unaligned.
    unsafe { libc::CMSG_DATA(message).cast::<T>().read_unaligned() }
}

/// Has the message leave from this address, with this traffic class and time to live, and as a train of datagrams of
/// this length.
pub(super) fn write_control(
    local: Option<IpAddr>,
    ipv6: bool,
    ip: Header,
    segment: Option<u16>,
    header: &mut libc::msghdr,
    control: &mut ControlBuffer,
) {
    if local.is_none() && segment.is_none() && ip == Header::default() {
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        return;
    }
    header.msg_control = ptr::from_mut(control).cast();
    header.msg_controllen = ORDERS as _;
    // The padding goes to the kernel too.
    control.0[..ORDERS].fill(0);
    let mut used = 0;
    // SAFETY: the control buffer is aligned, was zeroed, and has room for `ORDERS`;
    // the header's length is then cut to what was written.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        match local {
            Some(local) if ipv6 => {
                let address = match local {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: 0,
                };
                used += put_payload(message, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            Some(IpAddr::V4(ip)) => {
                let source = libc::in_addr { s_addr: ip.to_bits().to_be() };
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: source,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                used += put_payload(message, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            _ => {}
        }
        let (level, tos, ttl) = match ipv6 {
            true => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::IPV6_HOPLIMIT),
            false => (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL),
        };
        for (kind, value) in [(tos, ip.tos), (ttl, ip.ttl)] {
            if let Some(value) = value {
                used += put_payload(message, level, kind, &c_int::from(value));
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        if let Some(segment) = segment {
            used += put_payload(message, libc::SOL_UDP, libc::UDP_SEGMENT, &segment);
        }
    }
    header.msg_controllen = used as _;
}

/// # Safety
/// `message` points at a control message header with room for the payload. Returns the room taken.
unsafe fn put_payload<T>(message: *mut libc::cmsghdr, level: c_int, kind: c_int, payload: &T) -> usize {
    // SAFETY: by this function's contract.
    unsafe {
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(ptr::from_ref(payload).read());
    }
    space(size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state after a call for which the buffer had no room.
    fn left_with(flags: c_int) -> Ancillary {
        // SAFETY: all-zero is a valid value of this plain C structure.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_flags = flags;
        read_control(&header)
    }

    #[test]
    fn what_was_cut_short_is_known() {
        assert!(left_with(libc::MSG_CTRUNC).cut);
        assert!(left_with(libc::MSG_CTRUNC | libc::MSG_ERRQUEUE).cut);
        assert!(!left_with(libc::MSG_ERRQUEUE | libc::MSG_TRUNC).cut);
    }
}
