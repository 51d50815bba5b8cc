//! The counters of a server since its start. One list of fields serves the totals, `/metrics`, the
//! page and the sum over threads.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Serialize, Serializer};

/// The dialects of the server, in the order in which a datagram is offered to them.
pub const DIALECTS: [&str; 5] = ["native", "text", "plain", "stamp", "irtt"];
/// The dialects of the main port, which a server always speaks.
const ALWAYS_SPOKEN: usize = 3;

/// How `/metrics` shows a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `udpecho_server_<name>_total`.
    Total(&'static str),
    /// `udpecho_server_dropped_total{reason="<name>"}`: datagrams without a reply.
    Dropped(&'static str),
    /// `udpecho_server_<name>`, of the moment.
    Gauge(&'static str),
}

/// One counter, for those that list them all.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Since the server started; the present value if it is a gauge.
    pub value: u64,
    /// Its name and labels in `/metrics`.
    pub metric: Metric,
    /// One sentence for `/metrics`.
    pub help: &'static str,
    /// The words after one and after several in the totals; empty if they do not show it.
    pub words: [&'static str; 2],
}

macro_rules! counters {
    (@words $alike:literal) => { [$alike; 2] };
    (@words $one:literal $many:literal) => { [$one, $many] };
    ($(#[doc = $help:literal] $field:ident: $metric:expr, $words:literal $(/ $many:literal)?;)+) => {
        /// The totals of a server since its start, and what it holds now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counters {
            $(#[doc = $help] pub $field: u64,)+
            /// In the order of `DIALECTS`.
            #[serde(serialize_with = "by_name")]
            pub dialects: [DialectCounters; DIALECTS.len()],
        }

        impl Counters {
            /// All counters but those by dialect.
            pub fn list(&self) -> impl Iterator<Item = Counter> {
                use Metric::{Dropped, Gauge, Total};
                [$(Counter { value: self.$field, metric: $metric, help: $help.trim(), words: counters!(@words $words $($many)?) }),+].into_iter()
            }
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)+
                for (sum, other) in self.dialects.iter_mut().zip(other.dialects) {
                    *sum += other;
                }
            }
        }
    };
}

counters! {
    /// Datagrams received.
    received: Total("datagrams_received"), "";
    /// Bytes of UDP payload received.
    received_bytes: Total("received_bytes"), "";
    /// Datagrams sent.
    sent: Total("datagrams_sent"), "";
    /// Bytes of UDP payload sent.
    sent_bytes: Total("sent_bytes"), "";
    /// Probes that the injection dropped, up or down.
    dropped: Dropped("injected"), "dropped (injected)";
    /// Probes refused by a rate limit or for lack of memory; clients of sessions are told.
    refused: Dropped("limit"), "refused by a limit";
    /// Datagrams outside a session refused by a rate limit.
    unverified_refused: Dropped("unverified_limit"), "refused by a limit outside of sessions";
    /// Sessions evicted to make room for others.
    evicted: Total("sessions_evicted"), "session evicted for others" / "sessions evicted for others";
    /// Datagrams ignored: from another server, from a port of services, from an address that is no host's.
    ignored: Dropped("ignored"), "from other servers and services ignored";
    /// Replies withheld to end an echo loop.
    loop_guard: Dropped("loop_guard"), "withheld to end a loop between echo servers (loop_guard)";
    /// Datagrams not sealed with the server's key.
    unauthentic: Dropped("unauthentic"), "not sealed with the key";
    /// Copies of sealed datagrams.
    replayed: Dropped("replayed"), "replayed";
    /// Native messages that are cut short, of another version, or that only a server sends.
    malformed: Dropped("malformed"), "malformed";
    /// Messages of sessions that the server does not know.
    unknown_session: Dropped("unknown_session"), "of unknown sessions";
    /// Probes whose sequence number was too far from the others of their session; they were answered.
    implausible: Total("implausible"), "with an implausible sequence number";
    /// STUN requests answered.
    stun: Total("stun"), "STUN request answered" / "STUN requests answered";
    /// Messages of clients of the message relay answered.
    relay_messages: Total("relay_messages"), "relay message answered" / "relay messages answered";
    /// Cookies sent; the server stores none.
    cookies: Total("cookies"), "";
    /// Sessions and text clients opened.
    opened: Total("sessions_opened"), "";
    /// Probes that came from another address than their session's last one.
    moved: Total("sessions_moved"), "from a new address of their client";
    /// Sessions and text clients dropped because they were silent.
    expired: Total("sessions_expired"), "";
    /// Datagrams that the kernel dropped because a socket's receive buffer was full.
    overflows: Dropped("overflow"), "lost in a full socket buffer";
    /// Datagrams whose control messages the kernel truncated.
    truncated: Total("truncated"), "with truncated control messages";
    /// Replies that could not be sent.
    send_errors: Total("send_errors"), "could not be sent";
    /// Errors of the sockets while receiving.
    receive_errors: Total("receive_errors"), "error while receiving" / "errors while receiving";
    /// Bytes of UDP payload of load sent to clients that measure what their path carries.
    load_sent_bytes: Total("load_sent_bytes"), "byte of load sent" / "bytes of load sent";
    /// Bytes of UDP payload of load received from them.
    load_received_bytes: Total("load_received_bytes"), "byte of load received" / "bytes of load received";
    /// Messages of a load from an address that was not proven or is granted none.
    load_refused: Dropped("load"), "of load refused";
    /// Replies held now.
    held: Gauge("held_replies"), "still held";
    /// Bytes of memory of the replies held now.
    held_bytes: Gauge("held_bytes"), "";
}

/// The counters of each dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DialectCounters {
    /// Probes not dropped by the injection, duplicates included.
    pub probes: u64,
    /// Clients now: sessions, or addresses that calibrated.
    pub clients: u64,
    /// Clients refused because there was no room for them.
    pub denied: u64,
    /// Bytes of memory for the outcomes of probes now.
    pub history_bytes: u64,
}

impl Counters {
    pub(super) fn count_sent(&mut self, length: usize) {
        self.sent += 1;
        self.sent_bytes += length as u64;
    }

    /// The counters of one of `DIALECTS`.
    ///
    /// # Panics
    ///
    /// If the server has no dialect of this name.
    pub fn dialect(&self, name: &str) -> DialectCounters {
        self.by_dialect().find(|(known, _)| *known == name).expect("one of DIALECTS").1
    }

    /// In the order of `DIALECTS`, each with its name.
    pub fn by_dialect(&self) -> impl Iterator<Item = (&'static str, DialectCounters)> {
        DIALECTS.into_iter().zip(self.dialects)
    }

    /// The probes of each dialect of the main port, and of the others once they had any.
    pub fn probes_by_dialect(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let probes = self.by_dialect().map(|(dialect, of)| (dialect, of.probes)).enumerate();
        probes.filter(|(index, (_, probes))| *index < ALWAYS_SPOKEN || *probes > 0).map(|(_, of)| of)
    }

    /// Over all dialects.
    pub fn in_all(&self) -> DialectCounters {
        let mut sum = DialectCounters::default();
        self.dialects.iter().for_each(|dialect| sum += *dialect);
        sum
    }
}

impl AddAssign for DialectCounters {
    fn add_assign(&mut self, other: Self) {
        self.probes += other.probes;
        self.clients += other.clients;
        self.denied += other.denied;
        self.history_bytes += other.history_bytes;
    }
}

/// Over several servers.
impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum += one);
        sum
    }
}

fn by_name<S: Serializer>(
    dialects: &[DialectCounters; DIALECTS.len()],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(DIALECTS.iter().zip(dialects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_adds_every_counter_and_every_dialect() {
        let mut one = Counters { received: 2, held_bytes: 3, ..Counters::default() };
        one.dialects[1].probes = 5;
        let sum: Counters = [one, one].into_iter().sum();
        assert_eq!((sum.received, sum.held_bytes, sum.dialect("text").probes), (4, 6, 10));
        assert_eq!(sum.in_all().probes, 10);
        let json = serde_json::to_value(sum).unwrap();
        assert_eq!(json["dialects"]["text"]["probes"], 10);
        assert_eq!(json.as_object().unwrap().len(), sum.list().count() + 1);
    }
}
