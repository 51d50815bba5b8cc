//! Cuts the bytes of a plain TCP peer into messages: lines, or chunks where each read is one message.
//!
//! The first read decides for good: with an end of line in it the peer sends lines, without one chunks,
//! as clients do that neither send nor expect ends of lines.

use super::talk::Room;

/// How the messages of a peer are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Each ends with an end of line.
    Lines,
    /// Each read is one.
    Chunks,
}

/// Cuts the bytes of one connection into messages.
#[derive(Debug, Default)]
pub struct Framing {
    framed: Option<Framed>,
    telnet: Telnet,
    /// The begin of a line, or of a character that was cut by the end of a read.
    rest: Vec<u8>,
    /// The line was too long: what follows of it is skipped.
    skipping: bool,
    named: bool,
}

impl Framing {
    /// Lines whatever the first read holds.
    pub fn of_lines() -> Self {
        Self { framed: Some(Framed::Lines), named: true, ..Self::default() }
    }

    /// `None` before the first read.
    pub fn framed(&self) -> Option<Framed> {
        self.framed
    }

    /// The messages that this read completes.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let bytes = self.telnet.strip(bytes);
        if bytes.is_empty() {
            return Vec::new();
        }
        let decided = if bytes.contains(&b'\n') { Framed::Lines } else { Framed::Chunks };
        match *self.framed.get_or_insert(decided) {
            Framed::Lines => {
                bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|part| self.line(part)).collect()
            }
            Framed::Chunks => self.chunk(&bytes),
        }
    }

    /// The line that the end of the stream completes.
    pub fn end(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| text(&rest))
    }

    /// One byte more than is shown is kept, so that the room cuts the line and marks the cut.
    fn line(&mut self, part: &[u8]) -> Option<String> {
        let (part, ended) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
        if !self.skipping {
            let room = (Room::LONGEST_LINE + 1).saturating_sub(self.rest.len());
            self.rest.extend(&part[..part.len().min(room)]);
            self.skipping = self.rest.len() > Room::LONGEST_LINE;
        }
        if !ended {
            return None;
        }
        self.skipping = false;
        let line = std::mem::take(&mut self.rest);
        Some(text(line.strip_suffix(b"\r").unwrap_or(&line)))
    }

    /// The name ends at the first blank, and the rest is the first message: clients that send both at once
    /// have them arrive in one read.
    fn chunk(&mut self, bytes: &[u8]) -> Vec<String> {
        self.rest.extend(bytes);
        let whole = whole_characters(&self.rest);
        let message: Vec<u8> = self.rest.drain(..whole).collect();
        if message.is_empty() {
            return Vec::new();
        }
        let message = text(&message);
        if std::mem::replace(&mut self.named, true) {
            return vec![message];
        }
        let (name, rest) = message.trim_start().split_once(char::is_whitespace).unwrap_or((&message, ""));
        let messages = [name, rest].into_iter().filter(|part| !part.trim().is_empty());
        messages.map(str::to_owned).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Without a last character whose end is still to come.
fn whole_characters(bytes: &[u8]) -> usize {
    let begins = |byte: u8| byte & 0xC0 != 0x80;
    let Some(last) = bytes.iter().rposition(|byte| begins(*byte)).filter(|at| bytes.len() - at < 4) else {
        return bytes.len();
    };
    let length = match bytes[last] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    if bytes.len() - last < length { last } else { bytes.len() }
}

/// Telnet's commands (RFC 854), which are no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Data,
    Command,
    Option,
    Subnegotiation,
    SubnegotiationCommand,
}

impl Telnet {
    fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().copied().filter(|byte| self.is_text(*byte)).collect()
    }

    fn is_text(&mut self, byte: u8) -> bool {
        const IAC: u8 = 255;
        let (next, text) = match (*self, byte) {
            (Self::Data, IAC) => (Self::Command, false),
            (Self::Data, _) => (Self::Data, true),
            (Self::Command, 251..=254) => (Self::Option, false),
            (Self::Command, 250) | (Self::SubnegotiationCommand, _) if byte != 240 => {
                (Self::Subnegotiation, false)
            }
            // An escaped 255 is no character of UTF-8 either.
            (Self::Command | Self::Option | Self::SubnegotiationCommand, _) => (Self::Data, false),
            (Self::Subnegotiation, IAC) => (Self::SubnegotiationCommand, false),
            (Self::Subnegotiation, _) => (Self::Subnegotiation, false),
        };
        *self = next;
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(framing: &mut Framing, parts: &[&[u8]]) -> Vec<String> {
        parts.iter().flat_map(|part| framing.read(part)).collect()
    }

    #[test]
    fn the_first_read_decides_between_lines_and_chunks() {
        let mut lines = Framing::default();
        assert_eq!(
            read(&mut lines, &[b"anna\nhi\nhalf", b" a line\r\n", b"rest"]),
            ["anna", "hi", "half a line"]
        );
        assert_eq!((lines.framed(), lines.end()), (Some(Framed::Lines), Some("rest".to_owned())));
        let mut chunks = Framing::default();
        assert_eq!(
            read(&mut chunks, &[b"Rahul", b"hello", b"two\nlines\n"]),
            ["Rahul", "hello", "two\nlines\n"]
        );
        assert_eq!(chunks.framed(), Some(Framed::Chunks));
    }

    #[test]
    fn a_chunk_with_the_name_and_more_is_a_name_and_a_message() {
        let mut glued = Framing::default();
        assert_eq!(
            read(&mut glued, &[b"Rahul CPU 12 %", b"more of it"]),
            ["Rahul", "CPU 12 %", "more of it"]
        );
        assert_eq!(Framing::default().read(b"Rahul "), ["Rahul"]);
    }

    #[test]
    fn a_huge_line_takes_bounded_memory_and_ends_at_its_end() {
        let mut framing = Framing::of_lines();
        for _ in 0..1_000 {
            assert!(framing.read(&[b'x'; 4_096]).is_empty());
            assert!(framing.rest.len() <= Room::LONGEST_LINE + 1);
        }
        let lines = framing.read(b"\nnext\n");
        assert_eq!(lines[0].len(), Room::LONGEST_LINE + 1);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn telnet_commands_are_no_text() {
        let mut framing = Framing::default();
        let parts: [&[u8]; 4] =
            [b"\xFF\xFD\x01\xFF", b"\xFB\x1F\xFF\xFA\x18\x00xterm\xFF", b"\xF0an", b"na\r\n"];
        assert_eq!(read(&mut framing, &parts[..2]), Vec::<String>::new());
        assert_eq!(framing.framed(), None);
        framing.framed = Some(Framed::Lines);
        assert_eq!(read(&mut framing, &parts[2..]), ["anna"]);
    }

    #[test]
    fn a_character_cut_by_the_end_of_a_read_is_whole() {
        let mut chunks = Framing::default();
        assert_eq!(
            read(&mut chunks, &[b"a", b"gr\xC3", b"\xBC\xC3\x9Fe", b"\xF0\x9F\x98", b"\x80"]),
            ["a", "gr", "üße", "😀"]
        );
        assert_eq!(chunks.read(b"\x80\x80\x80\x80\x80"), ["\u{fffd}".repeat(5)]);
    }

    proptest! {
        /// Lines do not depend on where the reads cut them.
        #[test]
        fn lines_are_the_same_in_any_pieces(bytes in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'\r'), Just(255_u8), any::<u8>(), b'a'..b'e'], 0..200), size in 1_usize..20) {
            let mut whole = Framing::of_lines();
            let mut pieces = Framing::of_lines();
            let lines: Vec<String> = bytes.chunks(size).flat_map(|piece| pieces.read(piece)).collect();
            prop_assert_eq!(whole.read(&bytes), lines);
            prop_assert_eq!(whole.end(), pieces.end());
        }

        #[test]
        fn any_chunks_are_survived(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..9)) {
            let mut framing = Framing::default();
            for part in parts {
                framing.read(&part);
                prop_assert!(framing.rest.len() <= Room::LONGEST_LINE + 1);
            }
        }
    }
}
