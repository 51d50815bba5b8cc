//! What the client sends, in the order of what matters: probes that are due, then the opening, then
//! questions about what was lost.

use super::channels::{self, Taken};
use super::event::{Event, Failure, SendError};
use super::send_plan::Planned;
use super::settings::Transmit;
use super::{AnyDialect, Client, Phase};
use crate::time::Instant;
use crate::wire::auth::TAG;

impl Client {
    /// So many probes are given up before other things are looked after.
    const GIVEN_UP_AT_ONCE: usize = 4096;

    /// The next datagram to send now, written to `buffer`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.build(now, buffer)?;
        self.finalize(&transmit, now, buffer);
        Some(transmit)
    }

    /// The next datagram to send, written to `buffer` but for what `depart` adds.
    pub fn build(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.poll_message(now, buffer)?;
        Some(Transmit { length: transmit.length + self.settings.tag() as usize, ..transmit })
    }

    /// The last that is done to a datagram before it leaves, so that nothing else of this program counts
    /// as the path: it says when, and is sealed.
    pub fn finalize(&mut self, transmit: &Transmit, now: Instant, datagram: &mut [u8]) {
        if let Some(seq) = transmit.seq {
            self.flight.finalize(seq, now);
        }
        let length = transmit.length;
        match (&self.dialect, &self.settings.key) {
            (AnyDialect::Native(native), _) if transmit.seq.is_some() => {
                native.finalize(now, datagram, length)
            }
            (_, Some(key)) => drop(key.seal(datagram, length - TAG)),
            _ => {}
        }
    }

    fn poll_message(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let control = |length| Transmit { channel: 0, renew: false, length, seq: None };
        match &mut self.phase {
            Phase::Opening => self.transmit_opening(now, buffer),
            Phase::Running => self
                .transmit_probe(now, buffer)
                .or_else(|| self.transmit_opening(now, buffer))
                .or_else(|| self.transmit_question(now, buffer).map(control)),
            Phase::Stopping(retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now);
                Some(match &self.dialect {
                    AnyDialect::Native(native) => control(native.emit_stop(buffer)),
                    AnyDialect::Text(channels) => {
                        Transmit { channel: channels.calibrated(), ..control(channels::emit_exit(buffer)) }
                    }
                })
            }
            Phase::Closing => {
                self.finish();
                match &self.dialect {
                    AnyDialect::Native(native) => native.emit_close(buffer).map(control),
                    AnyDialect::Text(_) => None,
                }
            }
            Phase::Done => None,
        }
    }

    /// The kernel stamped what it sent, at `at`; the frame has headers of other layers before ours. Whether
    /// that is a probe's send time.
    pub fn on_tx_timestamp(&mut self, at: Instant, frame: &[u8]) -> bool {
        let AnyDialect::Native(native) = &self.dialect else { return false };
        native.probe_in(frame).is_some_and(|seq| self.flight.leave(seq, at))
    }

    /// The datagram did not leave after all.
    pub fn send_failed(&mut self, transmit: &Transmit, why: SendError) {
        if let Some(seq) = transmit.seq {
            self.flight.fail(seq);
            if let AnyDialect::Text(channels) = &mut self.dialect {
                channels.release(seq);
            }
            self.events.push_back(Event::NotSent { seq, why });
        } else if matches!(self.phase, Phase::Opening) {
            self.fail(match why {
                SendError::TooLong => Failure::SizeNotSent { size: self.settings.size },
                SendError::NoChannel => return,
                SendError::Other(why) => Failure::Socket { why },
            });
        }
    }

    fn transmit_probe(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let planned = self.next_planned(now)?;
        let length = self.settings.message_size() as usize;
        let seq = planned.seq;
        let transmit = Transmit { channel: 0, renew: false, length, seq: Some(seq) };
        let settles = self.flight.last_settles();
        match &mut self.dialect {
            AnyDialect::Native(native) => {
                native.emit_probe(seq, now, &mut buffer[..length]);
                native.probe_sent(seq + 1, now, self.flight.patience_mut().longest_hold);
                Some(transmit)
            }
            AnyDialect::Text(channels) => {
                let Some(Taken { channel, renew }) = channels.take(seq, now, settles) else {
                    self.send_failed(&transmit, SendError::NoChannel);
                    return self.transmit_probe(now, buffer);
                };
                channels::fill(seq, &mut buffer[..length]);
                Some(Transmit { channel, renew, ..transmit })
            }
        }
    }

    /// The next probe that is to be sent; those overslept are accounted for, not sent.
    fn next_planned(&mut self, now: Instant) -> Option<Planned> {
        for _ in 0..Self::GIVEN_UP_AT_ONCE {
            let planned = self.plan.take(now)?;
            self.flight.register(&planned, now);
            if self.plan.is_finished() {
                self.flight.end_sending();
            }
            self.note_floor(&planned);
            if !planned.overslept {
                self.tell_overslept();
                return Some(planned);
            }
            self.flight.fail(planned.seq);
            self.oversleeping.note(&planned, now);
        }
        None
    }

    fn note_floor(&mut self, planned: &Planned) {
        if planned.at_floor && !std::mem::replace(&mut self.plan.floor_noted, true) {
            self.events.push_back(Event::AtFloor { seq: planned.seq, interval: planned.interval });
        }
    }

    fn transmit_opening(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        match &mut self.dialect {
            AnyDialect::Native(native) => {
                let length = native.opening.as_mut()?.poll_transmit(now, buffer)?;
                Some(Transmit { channel: 0, renew: false, length, seq: None })
            }
            AnyDialect::Text(channels) => {
                let (Taken { channel, renew }, length) = channels.poll_transmit(now, buffer)?;
                Some(Transmit { channel, renew, length, seq: None })
            }
        }
    }

    fn transmit_question(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        match &mut self.dialect {
            AnyDialect::Native(native) => native.poll_question(now, &self.flight, buffer),
            AnyDialect::Text(_) => None,
        }
    }
}
