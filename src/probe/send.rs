//! Datagrams to send, in the order of their importance: probes that are due, the handshake, queries about losses.

use super::dialect::DialectClient;
use super::event::{Event, Failure, SendError};
use super::flows::Flows;
use super::send_plan::Planned;
use super::settings::Transmit;
use super::{Absence, Client, Phase};
use crate::time::Instant;

impl Client {
    /// Probes skipped in one call, so that other work is not delayed.
    const SKIPPED_AT_ONCE: usize = 4096;

    /// The next datagram to send now, written to `buffer`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.build(now, buffer)?;
        self.finalize(&transmit, now, buffer);
        Some(transmit)
    }

    /// The next datagram to send, written to `buffer` but for what `finalize` adds.
    pub fn build(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        match &mut self.phase {
            Phase::SetUp => self.build_setup(now, buffer),
            Phase::Running => self
                .build_probe(now, buffer)
                .or_else(|| self.build_setup(now, buffer))
                .or_else(|| self.build_query(now, buffer)),
            Phase::Stopping(retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now);
                self.dialect.stop_server(buffer)
            }
            Phase::Closing => {
                self.finish();
                self.dialect.close(buffer)
            }
            Phase::Done => None,
        }
    }

    /// Writes the send time and the tag into a datagram right before it leaves, so that no time of this program
    /// counts as the path's.
    pub fn finalize(&mut self, transmit: &Transmit, now: Instant, datagram: &mut [u8]) {
        if let Some(seq) = transmit.seq {
            self.in_flight.finalize(seq, now);
        }
        self.dialect.finalize(transmit, now, datagram);
    }

    /// The kernel stamped a frame when it left, at `at`; headers of other layers come first. Whether the frame
    /// carries a probe.
    pub fn on_tx_timestamp(&mut self, at: Instant, frame: &[u8]) -> bool {
        self.dialect.probe_in(frame).is_some_and(|seq| self.in_flight.set_tx_timestamp(seq, at))
    }

    /// The datagram did not leave.
    pub fn send_failed(&mut self, transmit: &Transmit, why: SendError) {
        if let Some(seq) = transmit.seq {
            self.not_sent(seq, why);
        } else if matches!(self.phase, Phase::SetUp) {
            self.fail(match why {
                SendError::TooLong => Failure::SizeNotSent { size: self.settings.size },
                SendError::NoChannel => return,
                SendError::Socket(why) => Failure::Socket(why),
            });
        }
    }

    fn not_sent(&mut self, seq: u64, why: SendError) {
        self.in_flight.fail(seq);
        self.dialect.not_sent(seq);
        self.events.push_back(Event::NotSent { seq, why });
    }

    fn build_setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.dialect.setup(now, buffer)?;
        let channel = self.flows.as_mut().map(Flows::of_setup);
        Some(Transmit { channel: channel.unwrap_or(transmit.channel), ..transmit })
    }

    fn build_query(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.dialect.query(now, &mut self.in_flight, buffer)?;
        let channel = self.flows.as_ref().map(Flows::of_query);
        Some(Transmit { channel: channel.unwrap_or(transmit.channel), ..transmit })
    }

    fn by_flow(&mut self, transmit: Transmit, seq: u64, now: Instant) -> Transmit {
        match &mut self.flows {
            Some(flows) => {
                let (channel, renew) = flows.assign(seq, now);
                Transmit { channel, renew, ..transmit }
            }
            None => transmit,
        }
    }

    fn build_probe(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        if self.withholds(now) {
            return None;
        }
        loop {
            let seq = self.next_planned(now)?.seq;
            let give_up_at = self.in_flight.last_give_up_at();
            match self.dialect.build(seq, now, give_up_at, buffer) {
                Ok(transmit) => return Some(self.by_flow(transmit, seq, now)),
                Err(why) => self.not_sent(seq, why),
            }
        }
    }

    /// Passes over the probes that are due while the server is away, as it said that it would be.
    fn withholds(&mut self, now: Instant) -> bool {
        let Absence::Until(until) = self.absence else { return false };
        let probes = self.plan.pass_over(now.min(until));
        if probes > 0 {
            self.events.push_back(Event::Withheld { probes });
        }
        let is_over = now >= until;
        if is_over {
            // From here on it is a silent server like any other.
            self.absence = Absence::Over;
            self.dialect.end_setup();
        }
        !is_over
    }

    /// The next probe to send. Probes that became due while this host was suspended are recorded, not sent.
    fn next_planned(&mut self, now: Instant) -> Option<Planned> {
        for _ in 0..Self::SKIPPED_AT_ONCE {
            let planned = self.plan.take(now)?;
            self.in_flight.register(&planned, now);
            if self.plan.is_finished() {
                self.in_flight.end_sending();
            }
            if planned.at_floor && !std::mem::replace(&mut self.told.at_floor, true) {
                self.events.push_back(Event::AtFloor { seq: planned.seq, interval: planned.interval });
            }
            if !planned.skipped {
                self.events.extend(self.suspended.end());
                return Some(planned);
            }
            self.in_flight.skip(planned.seq);
            self.suspended.skip(&planned, now);
        }
        None
    }
}
