//! The kind of a peer, told by its first bytes.

/// The first bytes of our own client: no text in UTF-8 begins so. The last byte is the version.
pub const MAGIC: [u8; 4] = [0xF5, b'u', b'R', 1];

/// Kinds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// Our own client, encrypted.
    Secure,
    /// A browser, or another client of HTTP.
    Http,
    /// A browser that tries HTTPS first, or another client of TLS: there is none here.
    Tls,
    /// JSON lines in the clear.
    Json,
    /// A person or a simple client; it may also wait for a greeting.
    Text,
}

impl FirstBytes {
    /// This number of bytes always decides.
    pub const ENOUGH: usize = 8;

    /// None where more bytes are needed.
    pub fn decide(bytes: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 8] =
            [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"CONNECT "];
        /// A handshake record of any version.
        const TLS: &[u8] = &[0x16, 3];
        const QUIT: &[u8] = b"{quit}";
        let begins = |known: &[u8]| known.starts_with(&bytes[..bytes.len().min(known.len())]);
        let whole = |known: &[u8]| bytes.starts_with(known);
        if METHODS.iter().any(|method| whole(method)) {
            Some(Self::Http)
        } else if bytes.first() == Some(&MAGIC[0]) {
            Some(Self::Secure)
        } else if whole(TLS) {
            Some(Self::Tls)
        } else if METHODS.iter().any(|method| begins(method)) || begins(TLS) || bytes == &QUIT[..1] {
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
        use FirstBytes::{Http, Json, Secure, Text, Tls};
        for (bytes, first) in [
            (&b"\xF5uR\x01"[..], Some(Secure)),
            (b"\xF5", Some(Secure)),
            (b"GET / HT", Some(Http)),
            (b"POST /sa", Some(Http)),
            (b"PUT /x", Some(Http)),
            (b"OPTIONS ", Some(Http)),
            (b"OPTIONS", None),
            (b"\x16\x03\x01\x02", Some(Tls)),
            (b"\x16", None),
            (b"\x16ab", Some(Text)),
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
