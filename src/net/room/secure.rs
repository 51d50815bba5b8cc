//! The encrypted protocol of our own client, without a socket: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`.
//!
//! The client sends the magic and its handshake message, the server its own; both prove that they have
//! the room's key, and each connection has keys of its own. Every frame is two bytes of length and a
//! Noise message, in it a byte that names the kind of content.

use std::sync::Arc;

use snow::{Builder, HandshakeState, StatelessTransportState};

use crate::room::MAGIC;

/// Bytes of a frame behind its length.
const LONGEST: usize = 65_535;
const TAG: usize = 16;
const JSON: u8 = 0;
const DATA: u8 = 1;
const BEGUN: u8 = 2;
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// The content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A line of JSON without its end: a message to the room, or an event.
    Json(String),
    /// A part of a file.
    Data(Vec<u8>),
    /// The begin of a line that is longer than a frame; the next frame goes on with it.
    Begun,
}

/// The other end has another key, another version, or is no udpecho.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end does not have the same key")]
pub struct OtherKey;

/// The client's side of the handshake, begun.
pub struct Opening(HandshakeState);

impl Opening {
    /// Begins, with the bytes that the client sends first.
    pub fn begin(psk: &[u8; 32]) -> Result<(Self, Vec<u8>), OtherKey> {
        let mut state = builder(psk)?.build_initiator().map_err(|_| OtherKey)?;
        let mut sent = MAGIC.to_vec();
        sent.extend(handshake(&mut state)?);
        Ok((Self(state), sent))
    }

    /// With the server's frame.
    pub fn finish(mut self, frame: &[u8]) -> Result<(Sealer, Opener), OtherKey> {
        self.0.read_message(frame, &mut [0; LONGEST]).map_err(|_| OtherKey)?;
        halves(self.0)
    }
}

/// The server's side: with the client's frame, without the magic and its length. The bytes are the answer.
pub fn accept_handshake(psk: &[u8; 32], frame: &[u8]) -> Result<(Vec<u8>, Sealer, Opener), OtherKey> {
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
    Ok((Sealer { state: Arc::clone(&state), nonce: 0 }, Opener { state, nonce: 0, begun: Vec::new() }))
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a Noise message is short enough");
    [&length.to_be_bytes(), message].concat()
}

/// Encrypts in one direction.
pub struct Sealer {
    state: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Sealer {
    /// The frame with its length; of a long line as many frames as it takes.
    pub fn seal(&mut self, frame: &Frame) -> Vec<u8> {
        const PART: usize = LONGEST - TAG - 1;
        let (kind, mut rest) = match frame {
            Frame::Json(line) => (JSON, line.as_bytes()),
            Frame::Data(bytes) => (DATA, &bytes[..]),
            Frame::Begun => return Vec::new(),
        };
        let mut sealed = Vec::new();
        while rest.len() > PART {
            let (part, after) = rest.split_at(PART);
            sealed.extend(self.seal_part(if kind == JSON { BEGUN } else { kind }, part));
            rest = after;
        }
        sealed.extend(self.seal_part(kind, rest));
        sealed
    }

    fn seal_part(&mut self, kind: u8, part: &[u8]) -> Vec<u8> {
        let plain = [&[kind], part].concat();
        let mut message = vec![0; plain.len() + TAG];
        let length = self.state.write_message(self.nonce, &plain, &mut message);
        self.nonce += 1;
        framed(&message[..length.expect("a message with room for its tag")])
    }
}

/// Decrypts in one direction.
pub struct Opener {
    state: Arc<StatelessTransportState>,
    nonce: u64,
    /// Of a line that goes on.
    begun: Vec<u8>,
}

impl Opener {
    /// A longer line is none.
    const LONGEST_LINE: usize = 1 << 20;

    /// Of a frame without its length.
    pub fn open(&mut self, frame: &[u8]) -> Option<Frame> {
        let mut plain = vec![0; frame.len()];
        let length = self.state.read_message(self.nonce, frame, &mut plain).ok()?;
        self.nonce += 1;
        let (kind, content) = plain[..length].split_first()?;
        match *kind {
            JSON | BEGUN if self.begun.len() + content.len() > Self::LONGEST_LINE => None,
            BEGUN => {
                self.begun.extend(content);
                Some(Frame::Begun)
            }
            JSON => {
                let mut line = std::mem::take(&mut self.begun);
                line.extend(content);
                Some(Frame::Json(String::from_utf8(line).ok()?))
            }
            DATA => Some(Frame::Data(content.to_vec())),
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
        let (answer, sealer, opener) = accept_handshake(&KEY, &sent[6..]).unwrap();
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
    fn a_line_longer_than_a_frame_comes_in_parts_and_one_without_end_is_refused() {
        let (mut client, mut server) = connected();
        let line = "x".repeat(200_000);
        let sealed = server.0.seal(&Frame::Json(line.clone()));
        let mut rest = &sealed[..];
        let mut opened = Vec::new();
        while let [high, low, after @ ..] = rest {
            let (frame, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            opened.push(client.1.open(frame));
            rest = after;
        }
        assert_eq!(opened.pop(), Some(Some(Frame::Json(line))));
        assert_eq!(opened, vec![Some(Frame::Begun); 3]);
        let begun = vec![b'x'; LONGEST - TAG - 1];
        let mut endless = (0..20).map(|_| server.1.open(&client.0.seal_part(BEGUN, &begun)[2..]));
        assert!(endless.any(|frame| frame.is_none()));
    }

    #[test]
    fn another_key_another_version_or_a_changed_byte_is_refused() {
        let (opening, sent) = Opening::begin(&KEY).unwrap();
        assert!(accept_handshake(&[8; 32], &sent[6..]).is_err());
        assert!(accept_handshake(&KEY, &sent[7..]).is_err());
        let (answer, ..) = accept_handshake(&KEY, &sent[6..]).unwrap();
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
