//! The text dialect: the messages of the classic ten-line exercise client.
//!
//! ```text
//! client                     server
//! C 512                  ->
//!                        <-  Buffer Size Calibrated at Server.
//! any datagram           ->
//!                        <-  Packet Acknowledged
//! exit                   ->
//!                        <-  Stopping the Server.
//! ```

/// The answer to `C SIZE`.
pub const CALIBRATED: &[u8] = b"Buffer Size Calibrated at Server.";
/// The answer to each datagram after it.
pub const ACKNOWLEDGED: &[u8] = b"Packet Acknowledged";
/// The answer to `exit`.
pub const STOPPING: &[u8] = b"Stopping the Server.";
pub(crate) const EXIT: &[u8] = b"exit";

/// A datagram of a text client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `C 512`: the size of the packets to come.
    Calibrate(u32),
    /// `exit`: asks the server to end.
    Exit,
    /// Anything else.
    Packet,
}

impl Request {
    /// Ignores trailing white space and NULs, which terminals and C strings leave.
    pub fn parse(datagram: &[u8]) -> Self {
        // Fast path: most datagrams are long packets.
        if !matches!(datagram.first(), Some(b'C' | b'e')) {
            return Self::Packet;
        }
        let end = datagram
            .iter()
            .rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0)
            .map_or(0, |at| at + 1);
        let line = &datagram[..end];
        if line == EXIT {
            return Self::Exit;
        }
        let size = line.strip_prefix(b"C ").and_then(|digits| {
            // `u32::from_str` would accept a sign.
            let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
        });
        size.map_or(Self::Packet, Self::Calibrate)
    }
}

/// Writes `C <size>` and returns its length.
pub fn emit_calibrate(size: u32, buffer: &mut [u8]) -> usize {
    use std::io::Write;
    let room = buffer.len();
    let mut rest = &mut buffer[..];
    write!(rest, "C {size}").expect("a buffer of at least 12 bytes");
    room - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_a_calibration_an_exit_or_a_packet() {
        for (datagram, request) in [
            (&b"C 512"[..], Request::Calibrate(512)),
            (b"C 512\r\n", Request::Calibrate(512)),
            (b"C 512\0", Request::Calibrate(512)),
            (b"C +512", Request::Packet),
            (b"C ", Request::Packet),
            (b"C 99999999999", Request::Packet),
            (b"C 12a", Request::Packet),
            (b"exit", Request::Exit),
            (b"exit\n", Request::Exit),
            (b"exits", Request::Packet),
            (b"", Request::Packet),
            (b"hello", Request::Packet),
        ] {
            assert_eq!(Request::parse(datagram), request, "{datagram:?}");
        }
    }

    #[test]
    fn a_written_calibration_is_parsed_back() {
        let mut buffer = [0; 16];
        let length = emit_calibrate(65_507, &mut buffer);
        assert_eq!(Request::parse(&buffer[..length]), Request::Calibrate(65_507));
    }
}
