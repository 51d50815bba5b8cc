//! Replies whose times, or numbers, changed on the way.

use udpecho::impair::Impairment;
use udpecho::probe::{Cause, Event, Outcome, Resolved, Settings};
use udpecho::record::{Clock, Summary};
use udpecho::sim::{Conditions, Simulation};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;
use udpecho::wire::native::{Message, Reply, decode};

use crate::common::{injecting, millis, resolved, settings};

const PROBES: u64 = 40;
/// Fields of a reply, and their bits, the highest first.
const SEQ: (usize, usize) = (12, 64);
const SENT: (usize, usize) = (20, 64);
const RECEIVED: (usize, usize) = (28, 64);
const RESIDENCE: (usize, usize) = (36, 48);
const HOLD: (usize, usize) = (42, 48);

/// A run in which one bit of one reply changes on the way.
fn events(server: &str, flip: Option<(u64, usize)>) -> Vec<Event> {
    let path = Conditions::impaired("delay=uniform:10ms..14ms");
    let server: Impairment = server.parse().unwrap();
    let mut simulation = Simulation::new(injecting(server), path.clone(), path, 3);
    simulation.alter_replies(move |_, datagram| {
        if let (Some((wanted, bit)), Ok(Message::Reply(reply))) = (flip, decode(datagram))
            && reply.seq == wanted
        {
            datagram[bit / 8] ^= 128 >> (bit % 8);
        }
    });
    simulation.add_client(Settings { deadline: Some(millis(500)), ..settings(PROBES, millis(10)) });
    simulation.run(Duration::from_secs(60));
    simulation.take_events(0)
}

fn bits((from, bits): (usize, usize)) -> impl Iterator<Item = usize> {
    from * 8..from * 8 + bits
}

/// The times of a row cannot be refuted: each is a part of the next.
fn assert_possible(row: &Resolved) {
    let (rtt, hold, server) = (row.rtt.unwrap(), row.hold.unwrap(), row.server.unwrap());
    let tolerance = Duration::from_micros(200);
    assert!(Duration::ZERO <= hold && hold <= server + tolerance, "{row:?}");
    assert!(
        server <= rtt + tolerance && row.net_rtt().is_none_or(|net| net >= Duration::ZERO && net <= rtt),
        "{row:?}"
    );
    assert_eq!(row.owd_up.unwrap() + row.owd_down.unwrap() + server, rtt, "{row:?}");
    assert!(row.owd_up.unwrap().abs() < millis(60), "{row:?}");
}

#[test]
fn no_changed_bit_in_the_times_of_a_reply_becomes_a_figure_that_cannot_be() {
    // 2^26 ns are longer than any RTT here.
    let is_large = |(_, length), bit: usize, from: usize| bit - from * 8 < length - 26;
    for server in ["clean", "delay=uniform:5ms..20ms"] {
        let untouched = resolved(&events(server, None));
        for seq in [0, 20, PROBES - 1] {
            for field in [SENT, RECEIVED, RESIDENCE, HOLD] {
                for bit in bits(field) {
                    let events = events(server, Some((seq, bit)));
                    let rows = resolved(&events);
                    let changed = &rows[seq as usize];
                    let others = |rows: &[Resolved]| -> Vec<Resolved> {
                        rows.iter().filter(|row| row.seq != seq).copied().collect()
                    };
                    assert_eq!(others(&rows), others(&untouched), "seq {seq}, bit {bit}");
                    let told = events.iter().filter(|e| matches!(e, Event::ImpossibleTimes { .. })).count();
                    assert_eq!(told, usize::from(changed.impossible_times));
                    if field == SENT {
                        assert_eq!((changed.outcome, changed.cause), (Outcome::Lost, Some(Cause::Down)));
                    } else if changed.impossible_times {
                        let times = [changed.hold, changed.server, changed.owd_up, changed.owd_down];
                        assert_eq!((times, changed.net_rtt()), ([None; 4], None));
                        assert_eq!(changed.rtt, untouched[seq as usize].rtt);
                    } else {
                        assert!(!is_large(field, bit, field.0), "seq {seq}, bit {bit}: {changed:?}");
                        assert_possible(changed);
                    }
                    check_figures(&rows);
                }
            }
        }
    }
}

fn check_figures(rows: &[Resolved]) {
    let mut statistics = RunStatistics::new();
    rows.iter().for_each(|row| statistics.push(row, |_| {}));
    let summary = Summary::of(&statistics);
    let impossible = rows.iter().filter(|row| row.impossible_times).count();
    assert_eq!(summary.impossible_times, impossible as u64);
    let net = summary.net_rtt_us.unwrap();
    assert!(net.min >= 0.0 && net.max < 70_000.0, "{net:?}");
    let clock = Clock::of(&statistics).unwrap();
    assert_eq!(clock.steps, 0);
    // Two ways of 10 to 14 ms: a changed time that is still possible moves the offset by less than a way takes.
    assert!(clock.offset_us.abs() < 30_000.0, "{clock:?}");
}

/// 90 us more than the RTT may be the error of a stamp, so the row stays; no time on the network is negative.
#[test]
fn a_residence_a_little_longer_than_the_rtt_leaves_the_net_rtt_unknown() {
    let (server, way) = (injecting(Impairment::clean()), Conditions::ideal(millis(5)));
    let mut simulation = Simulation::new(server, way.clone(), way, 3);
    simulation.alter_replies(|_, datagram| {
        if let Ok(Message::Reply(reply)) = decode(datagram) {
            Reply { residence: Duration::from_micros(10_090), ..reply }.emit(datagram);
        }
    });
    simulation.add_client(settings(PROBES, millis(10)));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().all(|row| row.rtt == Some(millis(10)) && row.net_rtt().is_none()));
    let mut statistics = RunStatistics::new();
    rows.iter().for_each(|row| statistics.push(row, |_| {}));
    assert_eq!(Summary::of(&statistics).net_rtt_us, None);
}

#[test]
fn a_clock_that_is_set_makes_no_reply_impossible() {
    for by in [millis(-300), Duration::from_secs(5)] {
        let path = Conditions::impaired("delay=uniform:10ms..14ms");
        let mut simulation = Simulation::new(injecting(Impairment::clean()), path.clone(), path, 3);
        simulation.step_server_clock(millis(200), by);
        simulation.add_client(Settings { deadline: Some(millis(500)), ..settings(PROBES, millis(10)) });
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        assert!(resolved(&events).iter().all(|row| row.owd_up.is_some()), "{by}");
        assert!(!events.iter().any(|event| matches!(event, Event::ImpossibleTimes { .. })));
    }
}

/// The reply counts for no probe; every other probe's row is as if nothing had happened.
#[test]
fn a_changed_bit_in_the_number_of_a_reply_disturbs_no_other_probe() {
    let lossy = |flip: Option<(u64, usize)>| {
        let up = Conditions::impaired("delay=constant:10ms loss=20%");
        let mut simulation =
            Simulation::new(injecting(Impairment::clean()), up, Conditions::ideal(millis(10)), 3);
        simulation.alter_replies(move |_, datagram| {
            if let (Some((wanted, bit)), Ok(Message::Reply(reply))) = (flip, decode(datagram))
                && reply.seq == wanted
            {
                datagram[bit / 8] ^= 128 >> (bit % 8);
            }
        });
        simulation.add_client(settings(PROBES, millis(5)));
        simulation.run(Duration::from_secs(60));
        resolved(&simulation.take_events(0))
    };
    let untouched = lossy(None);
    let answered = untouched.iter().find(|row| row.seq >= 20 && row.rtt.is_some()).unwrap().seq;
    for bit in bits(SEQ) {
        let rows = lossy(Some((answered, bit)));
        for (row, clean) in rows.iter().zip(&untouched) {
            if row.seq == answered {
                assert_eq!((row.outcome, row.cause), (Outcome::Lost, Some(Cause::Down)), "bit {bit}");
            } else {
                assert_eq!(row, clean, "bit {bit}");
            }
        }
        assert_eq!(rows.len(), untouched.len());
    }
}
