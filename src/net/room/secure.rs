//! The encrypted protocol of our own client, without a socket: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`.
//!
//! The client sends the magic and its handshake message, the server its own; both prove that they have
//! the room's key, and each connection has keys of its own. Every frame is two bytes of length and a
//! Noise message, in it a byte that names the kind of content.

use std::sync::Arc;

use snow::{Builder, HandshakeState, StatelessTransportState};

/// The first bytes of a connection: no text in UTF-8 begins so. The last byte is the version.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'u', b'R', 1];
/// Bytes of a frame behind its length.
const LONGEST: usize = 65_535;
const TAG: usize = 16;
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line of JSON without its end: a message to the room, or an event.
    Json(String),
    /// A part of a file.
    Data(Vec<u8>),
}

/// The other end has another key, another version, or is no udpecho.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end does not have the same key")]
pub(super) struct OtherKey;

/// The client's side of the handshake, begun.
pub(super) struct Opening(HandshakeState);

impl Opening {
    /// What the client sends first.
    pub(super) fn begin(psk: &[u8; 32]) -> Result<(Self, Vec<u8>), OtherKey> {
        let mut state = builder(psk)?.build_initiator().map_err(|_| OtherKey)?;
        let mut sent = MAGIC.to_vec();
        sent.extend(handshake(&mut state)?);
        Ok((Self(state), sent))
    }

    /// With the server's frame.
    pub(super) fn finish(mut self, frame: &[u8]) -> Result<(Sealer, Opener), OtherKey> {
        self.0.read_message(frame, &mut [0; LONGEST]).map_err(|_| OtherKey)?;
        halves(self.0)
    }
}

/// The server's side: with the client's frame, without the magic. The bytes are the answer.
pub(super) fn accept(psk: &[u8; 32], frame: &[u8]) -> Result<(Vec<u8>, Sealer, Opener), OtherKey> {
    let mut state = builder(psk)?.build_responder().map_err(|_| OtherKey)?;
    state.read_message(frame, &mut [0; LONGEST]).map_err(|_| OtherKey)?;
    let answer = handshake(&mut state)?;
    let (sealer, opener) = halves(state)?;
    Ok((answer, sealer, opener))
}

fn builder(psk: &[u8; 32]) -> Result<Builder<'_>, OtherKey> {
    let pattern = PATTERN.parse().map_err(|_| OtherKey)?;
    let builder = Builder::new(pattern).psk(0, psk).and_then(|builder| builder.prologue(&MAGIC));
    builder.map_err(|_| OtherKey)
}

fn handshake(state: &mut HandshakeState) -> Result<Vec<u8>, OtherKey> {
    let mut message = [0; LONGEST];
    let length = state.write_message(&[], &mut message).map_err(|_| OtherKey)?;
    Ok(framed(&message[..length]))
}

fn halves(state: HandshakeState) -> Result<(Sealer, Opener), OtherKey> {
    let state = Arc::new(state.into_stateless_transport_mode().map_err(|_| OtherKey)?);
    Ok((Sealer { state: Arc::clone(&state), nonce: 0 }, Opener { state, nonce: 0 }))
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a Noise message is short enough");
    [&length.to_be_bytes(), message].concat()
}

/// Encrypts in one direction.
pub(super) struct Sealer {
    state: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Sealer {
    /// The frame with its length. What is too long for one is cut: no event is.
    pub(super) fn seal(&mut self, frame: &Frame) -> Vec<u8> {
        let (kind, content) = match frame {
            Frame::Json(line) => (0, line.as_bytes()),
            Frame::Data(bytes) => (1, &bytes[..]),
        };
        let mut plain = vec![kind];
        plain.extend(&content[..content.len().min(LONGEST - TAG - 1)]);
        let mut message = vec![0; plain.len() + TAG];
        let length = self.state.write_message(self.nonce, &plain, &mut message);
        self.nonce += 1;
        framed(&message[..length.expect("a message with room for its tag")])
    }
}

/// Decrypts in one direction.
pub(super) struct Opener {
    state: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Opener {
    /// Of a frame without its length.
    pub(super) fn open(&mut self, frame: &[u8]) -> Option<Frame> {
        let mut plain = vec![0; frame.len()];
        let length = self.state.read_message(self.nonce, frame, &mut plain).ok()?;
        self.nonce += 1;
        match plain[..length].split_first()? {
            (0, line) => Some(Frame::Json(String::from_utf8(line.to_vec()).ok()?)),
            (1, bytes) => Some(Frame::Data(bytes.to_vec())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn connected() -> ((Sealer, Opener), (Sealer, Opener)) {
        let (opening, sent) = Opening::begin(&KEY).unwrap();
        assert_eq!(sent[..4], MAGIC);
        let (answer, sealer, opener) = accept(&KEY, &sent[6..]).unwrap();
        (opening.finish(&answer[2..]).unwrap(), (sealer, opener))
    }

    #[test]
    fn both_ends_read_what_the_other_sealed() {
        let (mut client, mut server) = connected();
        for frame in [
            Frame::Json("{\"say\":\"grüße\"}".into()),
            Frame::Data(vec![9; 32 << 10]),
            Frame::Json(String::new()),
        ] {
            let sealed = client.0.seal(&frame);
            assert_eq!(usize::from(u16::from_be_bytes([sealed[0], sealed[1]])), sealed.len() - 2);
            assert_eq!(server.1.open(&sealed[2..]), Some(frame.clone()));
            let answer = server.0.seal(&frame);
            assert_eq!(client.1.open(&answer[2..]), Some(frame));
        }
    }

    #[test]
    fn another_key_another_version_or_a_changed_byte_is_refused() {
        let (opening, sent) = Opening::begin(&KEY).unwrap();
        assert!(accept(&[8; 32], &sent[6..]).is_err());
        assert!(accept(&KEY, &sent[7..]).is_err());
        let (answer, ..) = accept(&KEY, &sent[6..]).unwrap();
        let changed: Vec<u8> = answer[2..].iter().map(|byte| byte ^ 1).collect();
        assert!(opening.finish(&changed).is_err());

        let (mut client, mut server) = connected();
        let sealed = client.0.seal(&Frame::Json("x".into()));
        let changed: Vec<u8> = sealed[2..].iter().map(|byte| byte ^ 1).collect();
        assert_eq!(server.1.open(&changed), None);
        // Neither twice nor out of order.
        assert!(server.1.open(&sealed[2..]).is_some());
        assert_eq!(server.1.open(&sealed[2..]), None);
    }
}
