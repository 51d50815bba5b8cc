//! `ping --stamp` against our reflector and against devices that are none of ours, in virtual time.

use proptest::prelude::*;
use udpecho::probe::{
    Cause, Dialect, Event, Failure, Finding, Outcome, PacketsSeen, Resolved, Settings, StampOptions,
    TlvAnswers,
};
use udpecho::record::Clock;
use udpecho::reflect;
use udpecho::sim::{Conditions, Simulation};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::stamp::{ErrorEstimate, Format, HmacKey, TlvKind};

use crate::common::{clean, millis, path, settings};

const PROBES: u64 = 300;

fn client() -> Settings {
    let deadline = Some(millis(500));
    Settings { dialect: Dialect::Stamp, size: 44, deadline, ..settings(PROBES, millis(10)) }
}

fn ideal() -> Conditions {
    Conditions::ideal(millis(10))
}

/// A device that changes what our reflector answers.
type Device = Box<dyn FnMut(Duration, &mut Vec<u8>)>;

struct Run {
    rows: Vec<Resolved>,
    findings: Vec<Finding>,
    answers: Option<TlvAnswers>,
    /// Probes lost on the way up, and on the way down, by the simulation.
    truth: (u64, u64),
    simulation: Simulation,
}

impl Run {
    fn of(
        server: reflect::Settings,
        up: Conditions,
        down: Conditions,
        client: Settings,
        device: Device,
    ) -> Self {
        let mut simulation = Simulation::new(server, up, down, client.seed);
        simulation.alter_replies(device);
        simulation.add_client(client);
        simulation.run(Duration::from_secs(3600));
        let (mut rows, mut findings, mut answers) = (Vec::new(), Vec::new(), None);
        for event in simulation.take_events(0) {
            match event {
                Event::Resolved(row) => rows.push(row),
                Event::Found { finding, .. } => findings.push(finding),
                Event::TlvAnswers(told) => answers = Some(*told),
                _ => {}
            }
        }
        assert_eq!(rows.len() as u64, PROBES);
        let lost = |row: &&Resolved| row.outcome == Outcome::Lost;
        let went_up = |row: &&Resolved| {
            simulation.ground_truth(0).probe(row.seq).is_none_or(|truth| truth.reached_server.is_empty())
        };
        let (up, all) = (rows.iter().filter(lost).filter(went_up).count(), rows.iter().filter(lost).count());
        Self { truth: (up as u64, (all - up) as u64), rows, findings, answers, simulation }
    }

    /// How many rows were lost by this cause, and what the summary says.
    fn lost(&self, cause: Cause) -> (u64, u64) {
        let rows = self.rows.iter().filter(|row| row.cause == Some(cause)).count() as u64;
        let mut statistics = RunStatistics::new();
        self.rows.iter().for_each(|row| statistics.push(row, |_| {}));
        (rows, statistics.losses_to(cause))
    }

    /// Lost probes before the first and after the last that was answered: the numbers of replies do not tell where.
    fn at_the_edges(&self) -> u64 {
        let is_lost = |row: &&Resolved| row.outcome == Outcome::Lost;
        let before = self.rows.iter().take_while(is_lost).count();
        let after = self.rows.iter().rev().take_while(is_lost).count();
        (before + after) as u64
    }

    fn misnamed(&self) -> Vec<u64> {
        let reached = |seq| {
            self.simulation.ground_truth(0).probe(seq).is_some_and(|truth| !truth.reached_server.is_empty())
        };
        let named = self.rows.iter().filter(|row| row.cause == Some(Cause::Up));
        named.map(|row| row.seq).filter(|seq| reached(*seq)).collect()
    }
}

fn run(up: Conditions, down: Conditions, client: Settings) -> Run {
    Run::of(clean(), up, down, client, Box::new(|_, _| {}))
}

fn against(device: impl FnMut(Duration, &mut Vec<u8>) + 'static) -> Run {
    let lossy = || path(millis(10), millis(10), 0.1, 0.0);
    Run::of(clean(), lossy(), lossy(), client(), Box::new(device))
}

#[test]
fn a_reflector_tells_its_time_the_one_way_delays_and_its_numbers() {
    for (format, key) in [(Format::Ntp, false), (Format::Ptp, false), (Format::Ntp, true)] {
        let key = key.then_some([7; 32]);
        let server = reflect::Settings { key: key.as_ref().map(Key::new), ..clean() };
        let stamp = StampOptions {
            format,
            key: key.map(|key| HmacKey::new(&key)),
            tlvs: vec![TlvKind::ClassOfService, TlvKind::TimestampInfo, TlvKind::FollowUp],
            ..StampOptions::default()
        };
        let size = stamp.least_size() + 20;
        let client = Settings { stamp, size, ..client() };
        let run = Run::of(server, ideal(), ideal(), client, Box::new(|_, _| {}));
        for row in &run.rows {
            assert_eq!((row.outcome, row.rtt), (Outcome::Ok, Some(millis(20))));
            assert_eq!((row.owd_up, row.owd_down), (Some(millis(10)), Some(millis(10))));
            assert_eq!(row.reply_number, Some(row.seq as u32 + 1));
        }
        assert_eq!(run.findings, [Finding::Stateful]);
    }
}

#[test]
fn where_each_probe_was_lost_is_exact_with_a_reflector_that_numbers_its_replies() {
    for (up, down) in [(0.05, 0.0), (0.0, 0.05), (0.1, 0.1), (0.4, 0.3)] {
        let lossy = |loss| path(millis(10), millis(10), loss, 0.0);
        let run = run(lossy(up), lossy(down), client());
        assert_eq!(run.misnamed(), [0; 0]);
        assert!(run.truth.0 + run.truth.1 > 5);
        assert_eq!((run.lost(Cause::Up).1, run.lost(Cause::Down).1), run.truth, "{up} {down}");
        assert_eq!(run.lost(Cause::Unknown).1, 0);
        if up == 0.0 || down == 0.0 {
            assert_eq!((run.lost(Cause::Up).0, run.lost(Cause::Down).0), run.truth, "each row is named");
        }
    }
}

/// The last probes are lost, and only requests after them show where.
#[test]
fn closing_requests_tell_where_the_last_probes_were_lost() {
    for up in [true, false] {
        let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
        let cut = move |at: Duration, datagram: &mut Vec<u8>| {
            let end = millis(10) * PROBES as i64;
            // Its last three probes.
            if at > end - millis(20) && at < end + millis(100) {
                datagram.clear();
            }
        };
        if up {
            simulation.alter_probes(move |at, datagram| cut(at, datagram));
        } else {
            simulation.alter_replies(move |at, datagram| cut(at, datagram));
        }
        simulation.add_client(client());
        simulation.run(Duration::from_secs(60));
        let rows: Vec<_> = simulation
            .take_events(0)
            .into_iter()
            .filter_map(|event| match event {
                Event::Resolved(row) if row.outcome == Outcome::Lost => row.cause,
                _ => None,
            })
            .collect();
        let expected = if up { Cause::Up } else { Cause::Down };
        assert!(rows.len() >= 2 && rows.iter().all(|cause| *cause == expected), "{rows:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Loss and reordering in both directions. Where both meet at the first or the last reply of a stretch its losses
    /// stay unknown; none is told in the wrong direction but the few that were reordered there.
    #[test]
    fn sums_are_the_truth_and_no_probe_is_named_up_that_went_down(
        seed: u64, loss_up in 0.0..0.3, loss_down in 0.0..0.3, jitter_up in 0..40_i64, jitter_down in 0..40_i64,
    ) {
        // Reordering around the first and the last reply blurs a few more.
        const BLURRED: u64 = 4;
        let jittery = |loss, jitter| path(millis(10), millis(10 + jitter), loss, 0.0);
        let client = Settings { seed, wait_for_server: true, ..client() };
        let run = run(jittery(loss_up, jitter_up), jittery(loss_down, jitter_down), client);
        prop_assert_eq!(run.misnamed(), Vec::<u64>::new());
        let told = (run.lost(Cause::Up).1, run.lost(Cause::Down).1);
        let unknown = run.lost(Cause::Unknown).1;
        prop_assert_eq!(told.0 + told.1 + unknown, run.truth.0 + run.truth.1);
        let wrongly = told.0.saturating_sub(run.truth.0) + told.1.saturating_sub(run.truth.1);
        if jitter_up < 10 {
            prop_assert_eq!(wrongly, 0, "{:?} {:?}", told, run.truth);
            prop_assert!(unknown <= run.at_the_edges(), "{} of {}", unknown, run.at_the_edges());
        }
        prop_assert!(wrongly <= BLURRED, "{:?} {:?}", told, run.truth);
    }
}

#[test]
fn with_a_reflector_that_copies_numbers_every_loss_is_unknown() {
    let run = against(|_, reply| reply.copy_within(24..28, 0));
    assert_eq!(run.findings, [Finding::Stateless]);
    assert_eq!(run.lost(Cause::Unknown), (run.truth.0 + run.truth.1, run.truth.0 + run.truth.1));
    assert!(run.rows.iter().all(|row| row.reply_number.is_none()));
}

#[test]
fn direct_measurement_tells_the_direction_though_numbers_are_copied() {
    let stamp = StampOptions { tlvs: vec![TlvKind::DirectMeasurement], ..StampOptions::default() };
    let client = Settings { size: 60, stamp, ..client() };
    let lossy = || path(millis(10), millis(10), 0.1, 0.0);
    let copying = |_, reply: &mut Vec<u8>| reply.copy_within(24..28, 0);
    let run = Run::of(clean(), lossy(), lossy(), client, Box::new(copying));
    assert_eq!(run.findings, [Finding::Stateful]);
    assert_eq!((run.lost(Cause::Up).1, run.lost(Cause::Down).1), run.truth);
}

#[test]
fn counters_that_begin_at_1_or_wrap_are_followed() {
    for add in [1, u32::MAX - 100] {
        let run = against(move |_, reply| {
            let number = u32::from_be_bytes(reply[..4].try_into().unwrap()).wrapping_add(add);
            reply[..4].copy_from_slice(&number.to_be_bytes());
        });
        assert_eq!((run.lost(Cause::Up).1, run.lost(Cause::Down).1), run.truth, "from {add} on");
    }
}

#[test]
fn a_reflector_that_counts_anew_is_noted_and_names_nothing_wrongly() {
    let run = against(|at, reply| {
        if at > millis(1500) {
            let number = u32::from_be_bytes(reply[..4].try_into().unwrap()).wrapping_sub(130);
            reply[..4].copy_from_slice(&number.to_be_bytes());
        }
    });
    assert_eq!(run.findings, [Finding::Stateful, Finding::CountsAnew]);
    assert_eq!(run.misnamed(), [0; 0]);
    let (up, down, unknown) = (run.lost(Cause::Up).1, run.lost(Cause::Down).1, run.lost(Cause::Unknown).1);
    assert!(up <= run.truth.0 && down <= run.truth.1 && unknown < 40, "{up} {down} {unknown}");
}

fn put_time(reply: &mut [u8], at: usize, change: impl Fn(u64) -> u64) {
    let stamp = u64::from_be_bytes(reply[at..at + 8].try_into().unwrap());
    reply[at..at + 8].copy_from_slice(&change(stamp).to_be_bytes());
}

/// TAI is 37 s ahead of UTC.
#[test]
fn a_clock_in_tai_gives_an_offset_and_the_same_delays() {
    let run = against(|_, reply| {
        [4, 16].into_iter().for_each(|at| put_time(reply, at, |stamp| stamp + (37 << 32)))
    });
    let answered: Vec<_> = run.rows.iter().filter(|row| row.outcome == Outcome::Ok).collect();
    assert!(answered.iter().all(|row| row.owd_up == Some(millis(37_010)) && row.server.is_none()));
    let mut statistics = RunStatistics::new();
    run.rows.iter().for_each(|row| statistics.push(row, |_| {}));
    let clock = Clock::of(&statistics).unwrap();
    assert!((clock.offset_us - 37e6).abs() <= clock.bound_us);
}

#[test]
fn nanoseconds_in_the_fraction_are_recognised_and_read() {
    let nanoseconds = |stamp: u64| (stamp >> 32 << 32) | ((stamp & 0xFFFF_FFFF) * 1_000_000_000) >> 32;
    let run = against(move |_, reply| [4, 16].into_iter().for_each(|at| put_time(reply, at, nanoseconds)));
    assert!(run.findings.contains(&Finding::FractionInNanoseconds), "{:?}", run.findings);
    let last: Vec<_> = run.rows.iter().rev().filter_map(|row| row.owd_up).take(100).collect();
    assert!(
        last.len() == 100 && last.iter().all(|delay| (*delay - millis(10)).abs() < millis(1)),
        "{last:?}"
    );
}

/// The Z bit of the sender is copied, and the device stamps in NTP.
#[test]
fn a_format_that_is_not_the_claimed_one_is_noted_and_read() {
    let run = against(|_, reply| {
        reply[12] |= 0x40;
    });
    assert!(run.findings.contains(&Finding::OtherFormat), "{:?}", run.findings);
    assert!(run.rows.iter().all(|row| row.owd_up.is_none_or(|delay| delay == millis(10))));
}

#[test]
fn short_replies_and_those_without_a_receive_time_give_the_rtt() {
    for length in [14, 38, 41] {
        let run = against(move |_, reply| {
            reply.copy_within(24..28, 0);
            reply.truncate(length);
            if let Some(received) = reply.get_mut(16..24) {
                received.fill(0);
            }
        });
        assert!(run.findings.contains(&Finding::NoReceiveTime), "{length}: {:?}", run.findings);
        assert!(run.rows.iter().filter(|row| row.outcome == Outcome::Ok).count() > 200);
        assert!(run.rows.iter().all(|row| row.owd_up.is_none() && row.server.is_none()));
    }
}

/// RFC 5357 wants padding to be pseudo-random, and some reflectors pad their replies with their own.
#[test]
fn random_padding_in_replies_is_taken_for_no_answer() {
    let stamp = StampOptions { tlvs: vec![TlvKind::DirectMeasurement], ..StampOptions::default() };
    let client = Settings { size: 142, stamp, ..client() };
    let mut octet = 7_u32;
    let pad = move |_: Duration, reply: &mut Vec<u8>| {
        for padding in &mut reply[44..] {
            octet = octet.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *padding = octet.to_be_bytes()[0];
        }
    };
    let lossy = || path(millis(10), millis(10), 0.1, 0.0);
    let run = Run::of(clean(), lossy(), lossy(), client, Box::new(pad));
    assert_eq!((run.lost(Cause::Up).1, run.lost(Cause::Down).1), run.truth);
    assert!(run.rows.iter().all(|row| row.owd_up.is_none_or(|delay| delay == millis(10))));
    assert_eq!(run.answers.unwrap().unanswered, ["direct"]);
}

/// As provisioned on some routers: any other length is dropped.
#[test]
fn a_reflector_that_takes_142_bytes_only_is_measured_with_them() {
    for (size, answers) in [(142, true), (44, false)] {
        let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
        simulation.alter_probes(|_, datagram| {
            if datagram.len() != 142 {
                datagram.clear();
            }
        });
        simulation.add_client(Settings { size, ..client() });
        simulation.run(Duration::from_secs(60));
        let rows = simulation.take_events(0).into_iter().filter(|event| matches!(event, Event::Resolved(_)));
        assert_eq!(rows.count() as u64, if answers { PROBES } else { 0 }, "{size}");
    }
}

#[test]
fn answers_to_tlvs_are_told_at_the_end_and_those_that_never_came_are_named() {
    let tlvs =
        vec![TlvKind::ClassOfService, TlvKind::TimestampInfo, TlvKind::DirectMeasurement, TlvKind::FollowUp];
    let stamp = StampOptions { tlvs, ..StampOptions::default() };
    let size = stamp.least_size();
    let run = run(ideal(), ideal(), Settings { size, stamp, ..client() });
    let answers = run.answers.unwrap();
    // There is no traffic class in the simulation, so its reflector does not answer for it.
    assert_eq!((answers.unanswered, answers.class_of_service), (vec!["cos".to_owned()], None));
    assert_eq!(answers.timestamp_info.unwrap().clock_in, "free-running");
    let sent = PROBES as u32 + 1;
    let counted = PacketsSeen { sent, received: sent, reflected: sent };
    assert_eq!(answers.direct_measurement, Some(counted));
    let later = answers.follow_up.unwrap();
    assert_eq!((later.n, later.min_us, later.max_us), (PROBES - 1, 0.0, 0.0));
    assert_eq!(self::run(ideal(), ideal(), client()).answers, None, "none were sent");
}

#[test]
fn what_is_not_of_the_session_counts_for_no_probe() {
    let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
    let error = ErrorEstimate::new(false, Format::Ntp, Duration::ZERO).to_bits().to_be_bytes();
    let mut forged = vec![0; 44];
    forged[3] = 9;
    forged[12..14].copy_from_slice(&error);
    forged[27] = 50;
    // Another session's, then a time that no probe was sent at, then a number that none had.
    let mut other = forged.clone();
    other[14..16].fill(0xAA);
    let mut beyond = forged.clone();
    beyond[26] = 99;
    for (at, datagram) in [(510, other), (515, forged), (520, beyond), (530, vec![0; 13])] {
        simulation.forge_to_client(millis(at), 0, datagram);
    }
    simulation.add_client(client());
    simulation.run(Duration::from_secs(60));
    let counters = simulation.client(0).counters();
    assert_eq!((counters.junk, counters.forged), (2, 2));
}

#[test]
fn three_requests_a_second_apart_and_then_silence_is_told() {
    let deaf = path(millis(10), millis(10), 1.0, 0.0);
    let mut simulation = Simulation::new(clean(), deaf, ideal(), 5);
    simulation.add_client(client());
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    let expected = Failure::Silent { tries: 3, after: Duration::from_secs(3) };
    assert_eq!(events[0], Event::Failed(expected));
}
