//! The client of TWAMP-Control in open mode (RFC 5357 section 3), without a socket: it asks a server for one test
//! session, which a STAMP sender then measures.

use std::net::SocketAddr;

use crate::time::Duration;
use crate::wire::twamp_control::{
    self as wire, ACCEPT_SESSION, GREETING, SERVER_START, START_ACK, SessionRequest,
};

/// Why a server gives no session.
pub use crate::wire::twamp_control::Denied;

/// The conversation up to the start of the session.
#[derive(Debug)]
pub struct TwampControl {
    request: SessionRequest,
    step: Step,
    /// Where the reflector listens, once the server has said it.
    port: Option<u16>,
}

/// The message that the server sends next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Greeting,
    ServerStart,
    AcceptSession,
    StartAck,
    Running,
}

impl TwampControl {
    /// The TCP port of servers.
    pub const PORT: u16 = wire::PORT;
    /// Bytes of the server's first message.
    pub const GREETING: usize = GREETING;
    /// The server waits this long for packets that are under way when the session ends.
    const TIMEOUT: Duration = Duration::from_secs(2);
    /// Octets of a sender's packet before its padding.
    const HEADER: u32 = 14;

    /// For packets of this size from one UDP address to another; the server may choose another port of its own.
    /// `start`: nanoseconds since 1970.
    pub fn new(sender: SocketAddr, receiver: SocketAddr, size: u32, dscp: u8, start: i64) -> Self {
        let padding = size.saturating_sub(Self::HEADER);
        let request = SessionRequest { sender, receiver, padding, timeout: Self::TIMEOUT, dscp, start };
        Self { request, step: Step::Greeting, port: None }
    }

    /// Bytes of the server's next message; `None` once the session runs.
    pub fn awaits(&self) -> Option<usize> {
        match self.step {
            Step::Greeting => Some(GREETING),
            Step::ServerStart => Some(SERVER_START),
            Step::AcceptSession => Some(ACCEPT_SESSION),
            Step::StartAck => Some(START_ACK),
            Step::Running => None,
        }
    }

    /// Takes that message; returns what to send.
    pub fn hear(&mut self, message: &[u8]) -> Result<Vec<u8>, Denied> {
        let (step, answer) = match self.step {
            Step::Greeting => {
                wire::read_greeting(whole(message)?)?;
                (Step::ServerStart, wire::set_up_response().to_vec())
            }
            Step::ServerStart => {
                wire::read_server_start(whole(message)?)?;
                (Step::AcceptSession, self.request.emit().to_vec())
            }
            Step::AcceptSession => {
                self.port = Some(wire::read_accept_session(whole(message)?)?);
                (Step::StartAck, wire::start_sessions().to_vec())
            }
            Step::StartAck => {
                wire::read_start_ack(whole(message)?)?;
                (Step::Running, Vec::new())
            }
            Step::Running => (Step::Running, Vec::new()),
        };
        self.step = step;
        Ok(answer)
    }

    /// The UDP port of the reflector, once the session runs.
    pub fn port(&self) -> Option<u16> {
        self.port.filter(|_| matches!(self.step, Step::Running))
    }

    /// Ends the session.
    pub fn stop(&self) -> Vec<u8> {
        wire::stop_sessions(1).to_vec()
    }
}

/// A message of another length is none of a server.
fn whole<const N: usize>(message: &[u8]) -> Result<&[u8; N], Denied> {
    message.try_into().map_err(|_| Denied::InternalError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> TwampControl {
        let [sender, receiver] = ["192.0.2.7:40000", "192.0.2.1:862"].map(|at| at.parse().unwrap());
        TwampControl::new(sender, receiver, 44, 46, 1_795_831_200_000_000_000)
    }

    fn greeting(modes: u8) -> Vec<u8> {
        let mut message = vec![0; GREETING];
        message[15] = modes;
        message
    }

    #[test]
    fn a_session_is_asked_for_and_runs_at_the_port_that_the_server_names() {
        let mut control = control();
        assert_eq!(control.hear(&greeting(7)).unwrap().len(), wire::SET_UP_RESPONSE);
        let asked = control.hear(&[0; SERVER_START]).unwrap();
        let asked = SessionRequest::parse(asked[..].try_into().unwrap()).unwrap();
        assert_eq!((asked.sender.port(), asked.padding), (40_000, 30));
        let mut accept = vec![0; ACCEPT_SESSION];
        accept[2..4].copy_from_slice(&20_000_u16.to_be_bytes());
        assert_eq!(control.hear(&accept).unwrap().len(), wire::START_SESSIONS);
        assert_eq!((control.port(), control.awaits()), (None, Some(START_ACK)));
        assert!(control.hear(&[0; START_ACK]).unwrap().is_empty());
        assert_eq!((control.port(), control.awaits()), (Some(20_000), None));
        assert_eq!(control.stop()[0], 3);
    }

    #[test]
    fn a_server_that_wants_a_key_or_has_no_room_says_so() {
        assert_eq!(control().hear(&greeting(6)), Err(Denied::NeedsKey { modes: 6 }));
        let mut full = control();
        full.hear(&greeting(1)).unwrap();
        let mut start = vec![0; SERVER_START];
        start[15] = 4;
        assert_eq!(full.hear(&start), Err(Denied::NoResources));
        assert_eq!(control().hear(&[1; 3]), Err(Denied::InternalError));
    }
}
