//! What a server has seen and done since it started.

/// Totals; `sessions`, `text_clients`, `held`, `held_bytes` and `fates_bytes` are of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    pub received: u64,
    pub received_bytes: u64,
    pub sent: u64,
    pub sent_bytes: u64,
    /// Probes of native sessions that were counted, duplicates included.
    pub probes: u64,
    pub text_packets: u64,
    pub plain_packets: u64,
    /// Dropped on purpose, on the way up or as a reply withheld.
    pub dropped: u64,
    /// Probes and text packets not answered because of a limit; clients of sessions are told which.
    pub refused: u64,
    /// Datagrams outside a session, not answered because of a limit.
    pub unverified_refused: u64,
    /// Sessions and text clients for which there was no room.
    pub sessions_denied: u64,
    pub text_denied: u64,
    /// Sessions that gave way to others.
    pub evicted: u64,
    /// Datagrams not sealed with the server's key, and sealed ones that came again.
    pub unauthentic: u64,
    pub replayed: u64,
    /// Probes whose number was too far from their session's others to be believed; they were answered.
    pub implausible: u64,
    /// Cookies given; none is kept.
    pub cookies: u64,
    /// Native messages that could not be read, or that no client sends.
    pub malformed: u64,
    /// Datagrams that are never answered: of other servers, of services, from no host's address.
    pub ignored: u64,
    /// Answers withheld because their datagrams came back from an echo server again and again.
    pub loop_guard: u64,
    /// Probes of unknown sessions.
    pub forgotten: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Probes whose session had another address before: its client moved, or a translator on the way did.
    pub moved: u64,
    /// Sessions and text clients dropped for their silence.
    pub expired: u64,
    pub send_errors: u64,
    /// Errors of the sockets while receiving.
    pub receive_errors: u64,
    /// Datagrams that the sockets dropped for want of room.
    pub overflows: u64,
    /// Datagrams of which the kernel told less than it was asked to: no stamp, say.
    pub truncated: u64,
    pub sessions: u64,
    pub text_clients: u64,
    pub held: u64,
    pub held_bytes: u64,
    pub history_bytes: u64,
}

impl Counters {
    pub(super) fn count_sent(&mut self, length: usize) {
        self.sent += 1;
        self.sent_bytes += length as u64;
    }
}

/// What several servers did in all.
impl std::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            received: a.received + b.received,
            received_bytes: a.received_bytes + b.received_bytes,
            sent: a.sent + b.sent,
            sent_bytes: a.sent_bytes + b.sent_bytes,
            probes: a.probes + b.probes,
            text_packets: a.text_packets + b.text_packets,
            plain_packets: a.plain_packets + b.plain_packets,
            dropped: a.dropped + b.dropped,
            refused: a.refused + b.refused,
            unverified_refused: a.unverified_refused + b.unverified_refused,
            sessions_denied: a.sessions_denied + b.sessions_denied,
            text_denied: a.text_denied + b.text_denied,
            evicted: a.evicted + b.evicted,
            unauthentic: a.unauthentic + b.unauthentic,
            replayed: a.replayed + b.replayed,
            implausible: a.implausible + b.implausible,
            cookies: a.cookies + b.cookies,
            malformed: a.malformed + b.malformed,
            ignored: a.ignored + b.ignored,
            loop_guard: a.loop_guard + b.loop_guard,
            forgotten: a.forgotten + b.forgotten,
            opened: a.opened + b.opened,
            moved: a.moved + b.moved,
            expired: a.expired + b.expired,
            send_errors: a.send_errors + b.send_errors,
            receive_errors: a.receive_errors + b.receive_errors,
            overflows: a.overflows + b.overflows,
            truncated: a.truncated + b.truncated,
            sessions: a.sessions + b.sessions,
            text_clients: a.text_clients + b.text_clients,
            held: a.held + b.held,
            held_bytes: a.held_bytes + b.held_bytes,
            history_bytes: a.history_bytes + b.history_bytes,
        })
    }
}
