//! The I/O loop of a load: one socket for each flow, trains in one call, arrivals with kernel
//! timestamps.

use std::io;
use std::net::SocketAddr;

use super::sockets::{Endpoint, Outgoing};
use crate::net::clock::Clock;
use crate::net::kernel_timestamps::StampMapper;
use crate::net::socket_errors::{Severity, socket_error};
use crate::net::stop_signal::Control;
use crate::net::sys::{self, Batch, Socket};
use crate::probe::{Failure, LoadMachine, LoadTransmit, SocketOperation};
use crate::time::Duration;

/// Runs the load until it is over, or until a stop is asked for; `observe` sees it about every 20 ms.
pub fn run_load<L: LoadMachine>(
    load: &mut L,
    longest: usize,
    remote: SocketAddr,
    outgoing: &Outgoing,
    clock: Clock,
    control: &Control,
    observe: &mut dyn FnMut(&mut L),
) -> io::Result<()> {
    sys::set_min_timer_slack();
    sys::request_short_timeslice();
    let mut runner = Runner::open(L::CHANNELS, longest, remote, outgoing, clock)?;
    let mut next_look = clock.now();
    while !load.is_done() {
        if control.abort_asked() {
            break;
        }
        if control.stop_asked() {
            control.clear();
            load.stop(clock.now());
        }
        runner.step(load, control)?;
        if clock.now() >= next_look {
            observe(load);
            next_look = clock.now() + Runner::LOOK;
        }
    }
    observe(load);
    Ok(())
}

struct Runner {
    clock: Clock,
    endpoint: Endpoint,
    flows: Vec<Flow>,
    inbox: Batch,
    outbox: Batch,
    departing: Vec<LoadTransmit>,
}

struct Flow {
    socket: Socket,
    stamps: StampMapper,
}

impl Runner {
    const LOOK: Duration = Duration::from_millis(20);
    const BATCH: usize = 64;
    /// A shorter wait costs more as a system call than as a spin.
    const SPIN: Duration = Duration::from_micros(60);
    const LONGEST_WAIT: Duration = Duration::from_millis(100);
    /// Calls that receive before the next train has its turn.
    const CALLS: usize = 8;

    fn open(
        channels: usize,
        longest: usize,
        remote: SocketAddr,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let (endpoint, longest) = (Endpoint::new(remote, outgoing), longest.max(2_048));
        // A source port that was asked for is the load's: the flow beside it takes any.
        let beside = Endpoint::new(remote, &Outgoing { source_port: None, ..*outgoing });
        let open = |endpoint: &Endpoint| {
            let stamps = StampMapper::new(clock.wall_offset(), clock.now());
            endpoint.open().map(|socket| Flow { socket, stamps })
        };
        Ok(Self {
            flows: (0..channels)
                .map(|channel| open(if channel == 0 { &endpoint } else { &beside }))
                .collect::<io::Result<_>>()?,
            clock,
            endpoint,
            inbox: Batch::new(Self::BATCH, longest),
            outbox: Batch::new(Self::BATCH, longest),
            departing: Vec::with_capacity(Self::BATCH),
        })
    }

    fn step(&mut self, load: &mut impl LoadMachine, control: &Control) -> io::Result<()> {
        for channel in 0..self.flows.len() {
            self.receive(load, channel);
        }
        load.handle_timeout(self.clock.now());
        while self.build(load) {
            self.send(load);
        }
        let Some(next) = load.poll_timeout() else { return Ok(()) };
        let wait = (next - self.clock.now()).min(Self::LONGEST_WAIT);
        if wait > Self::SPIN {
            let sockets = self.flows.iter().map(|flow| &flow.socket);
            sys::wait(sockets, control, Some(wait))?;
        }
        Ok(())
    }

    fn receive(&mut self, load: &mut impl LoadMachine, channel: usize) {
        let Self { clock, flows, inbox, .. } = self;
        let Flow { socket, stamps } = &mut flows[channel];
        stamps.begin_poll(clock.now());
        for _ in 0..Self::CALLS {
            match socket.receive(inbox) {
                Ok(()) => {
                    stamps.update_offset(clock.wall_offset());
                    let now = clock.now();
                    for index in 0..inbox.arrived() {
                        let stamp = inbox.arrival(index).stamp;
                        let received = stamp.and_then(|stamp| stamps.to_monotonic(stamp, now)).unwrap_or(now);
                        for place in inbox.datagrams(index) {
                            load.handle(received, channel, inbox.bytes(place));
                        }
                    }
                    if channel == 0 {
                        load.note_drops(socket.overflows());
                    }
                    if !inbox.was_filled() {
                        return stamps.end_poll();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    load.failed(clock.now(), Failure::Unreachable);
                }
                Err(error) if Severity::of(&error) == Severity::WouldBlock => {
                    return stamps.end_poll();
                }
                Err(error) => {
                    let why = Failure::Socket(socket_error(SocketOperation::Receive, &error));
                    return load.failed(clock.now(), why);
                }
            }
        }
    }

    /// Fills the outbox with what is due of the load; false if nothing is. The other flow's leaves at once.
    fn build(&mut self, load: &mut impl LoadMachine) -> bool {
        let Self { clock, endpoint, flows, outbox, departing, .. } = self;
        outbox.clear_outgoing();
        departing.clear();
        let now = clock.now();
        while !outbox.is_full() {
            let Some(transmit) = load.poll_transmit(now, outbox.next_buffer()) else { break };
            if transmit.channel == 0 {
                outbox.queue_written(endpoint.path(), transmit.length);
                departing.push(transmit);
            } else {
                // A packet that cannot be sent is lost, as on the path.
                let _ = flows[1].socket.send_one(&outbox.next_buffer()[..transmit.length]);
            }
        }
        !departing.is_empty()
    }

    fn send(&mut self, load: &mut impl LoadMachine) {
        let Self { flows, outbox, departing, .. } = self;
        flows[0].socket.send_those(outbox, &|_| true, &mut |index, _| {
            load.send_failed(&departing[index]);
            false
        });
    }
}
