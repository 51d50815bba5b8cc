//! Which kind of peer has connected, by its first bytes.

/// The first bytes of our own client: no text in UTF-8 begins so. The last byte is the version.
pub const MAGIC: [u8; 4] = [0xF5, b'u', b'R', 1];

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// Our own client, encrypted.
    Secure,
    /// A browser, or another client of HTTP.
    Http,
    /// JSON lines in the clear.
    Json,
    /// A person or a simple client; it may also wait for a greeting.
    Text,
}

impl FirstBytes {
    /// So many bytes always decide.
    pub const ENOUGH: usize = 5;

    /// None where more bytes are needed.
    pub fn decide(bytes: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 4] = [b"GET ", b"HEAD ", b"POST ", b"PUT "];
        const QUIT: &[u8] = b"{quit}";
        let begins = |known: &[u8]| known.starts_with(&bytes[..bytes.len().min(known.len())]);
        let whole = |known: &[u8]| bytes.starts_with(known);
        if METHODS.iter().any(|method| whole(method)) {
            Some(Self::Http)
        } else if bytes.first() == Some(&MAGIC[0]) {
            Some(Self::Secure)
        } else if METHODS.iter().any(|method| begins(method)) || bytes == &QUIT[..1] {
            None
        } else if bytes[0] == QUIT[0] && bytes[1] != QUIT[1] {
            Some(Self::Json)
        } else {
            Some(Self::Text)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_bytes_tell_the_kind_of_peer() {
        use FirstBytes::{Http, Json, Secure, Text};
        for (bytes, first) in [
            (&b"\xF5uR\x01"[..], Some(Secure)),
            (b"\xF5", Some(Secure)),
            (b"GET / HT", Some(Http)),
            (b"POST /sa", Some(Http)),
            (b"PUT /x", Some(Http)),
            (b"", None),
            (b"G", None),
            (b"HEAD", None),
            (b"{", None),
            (b"{\"say\":", Some(Json)),
            (b"{ \"say\"", Some(Json)),
            (b"{quit}", Some(Text)),
            (b"anna\n", Some(Text)),
            (b"GETTY\n", Some(Text)),
            (b"\xFF\xFD\x01", Some(Text)),
            (b"\n", Some(Text)),
        ] {
            assert_eq!(FirstBytes::decide(bytes), first, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        /// More bytes change no decision, and there are always enough in the end.
        #[test]
        fn a_decision_stays(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'{'), b'A'..=b'Z', Just(b' ')], 1..12)) {
            let decided: Vec<_> = (0..=bytes.len()).map(|length| FirstBytes::decide(&bytes[..length])).collect();
            let first = decided.iter().flatten().next();
            prop_assert!(bytes.len() < FirstBytes::ENOUGH || first.is_some());
            prop_assert!(decided.iter().flatten().all(|later| Some(later) == first));
        }
    }
}
