//! When probes are due, when a reply is late, and to which second it all belongs.

use udpecho::impair::Impairment;
use udpecho::probe::{Client, Event, Outcome, Resolved, Settings, Transmit};
use udpecho::record::{Duplicated, SecondWriter, Summary};
use udpecho::reflect;
use udpecho::schedule::Schedule;
use udpecho::sim::{Conditions, Simulation};
use udpecho::stats::{RunStatistics, Second};
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::native::{Message, decode};

use crate::common::desk::{Desk, address};
use crate::common::{
    clean, decay, events_of, injecting, interval, millis, path, poisson, resolved, settings, simulation,
};

fn outcomes(rows: &[Resolved]) -> Vec<Outcome> {
    rows.iter().map(|row| row.outcome).collect()
}

#[test]
fn a_late_reply_counts_for_its_own_probe_once_and_as_late() {
    // A reply takes two and a half intervals: three probes are always under way.
    let mut simulation = simulation(clean(), millis(125));
    simulation.add_client(settings(40, millis(100)));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert_eq!(outcomes(&rows), [Outcome::Late; 40]);
    assert!(rows.iter().all(|row| row.rtt == Some(millis(250)) && row.copies == 1 && row.cause.is_none()));
    let mut statistics = RunStatistics::new();
    rows.iter().for_each(|row| statistics.push(row, |_| {}));
    let summary = Summary::of(&statistics);
    assert_eq!((summary.sent, summary.ok, summary.late, summary.lost), (40, 0, 40, 0));
    assert_eq!((summary.loss_share, summary.rtt_us, summary.duplicates), (Some(1.0), None, 0));
    assert_eq!(summary.rtp_jitter_us, None, "jitter is of replies on time");
}

#[test]
fn replies_that_came_late_were_received_as_ping_counts_them() {
    let rows = resolved(&events_of(clean(), millis(5), settings(200, millis(1))));
    let mut statistics = RunStatistics::new();
    rows.iter().for_each(|row| statistics.push(row, |_| {}));
    let summary = Summary::of(&statistics);
    let rtt = summary.rtt_all_us.as_ref().expect("replies");
    assert_eq!((rtt.n, rtt.min, rtt.mean, rtt.max), (200, 10_000.0, 10_000.0, 10_000.0));
    assert_eq!((summary.lost_share, summary.loss_share), (Some(0.0), Some(1.0)));
}

/// Duplicates made on one way only, on the other, and on both: each probe and each reply comes twice there.
#[test]
fn duplicates_are_told_apart_by_the_direction_in_which_the_network_made_them() {
    for (up, down) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let path = |duplicates: f64| path(millis(5), millis(9), 0.0, duplicates);
        let mut simulation = Simulation::new(clean(), path(up), path(down), 3);
        simulation.add_client(Settings { deadline: Some(millis(200)), ..settings(100, millis(50)) });
        simulation.run(Duration::from_secs(60));
        let rows = resolved(&simulation.take_events(0));
        let mut statistics = RunStatistics::new();
        rows.iter().for_each(|row| statistics.push(row, |_| {}));
        let summary = Summary::of(&statistics);
        let shares = |way: Option<Duplicated>| way.map(|way| (way.duplicate_share, way.replicated_share));
        assert_eq!(shares(summary.duplication_up), Some((up, up)), "up {up}, down {down}");
        assert_eq!(shares(summary.duplication_down), Some((down, down)), "up {up}, down {down}");
    }
}

#[test]
fn what_the_server_saw_twice_of_a_lost_probe_was_duplicated_up() {
    let lossy = Impairment { loss: "100%".parse().unwrap(), ..Impairment::clean() };
    let up = path(millis(5), millis(9), 0.0, 1.0);
    let mut simulation = Simulation::new(injecting(lossy), up, Conditions::ideal(millis(5)), 3);
    simulation.add_client(Settings { deadline: Some(millis(200)), ..settings(100, millis(50)) });
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert_eq!(outcomes(&rows), [Outcome::Lost; 100]);
    assert!(rows.iter().all(|row| row.probe_copies == Some(2) && row.copies == 0), "{:?}", rows[0]);
}

#[test]
fn the_deadline_is_the_interval_unless_another_is_given() {
    let nanosecond = Duration::from_nanos(1);
    for (interval, deadline, one_way, expected) in [
        (millis(100), None, millis(50), Outcome::Ok),
        (millis(100), None, millis(50) + nanosecond, Outcome::Late),
        (millis(100), Some(millis(200)), millis(100), Outcome::Ok),
        (millis(100), Some(millis(200)), millis(100) + nanosecond, Outcome::Late),
        (millis(500), Some(millis(80)), millis(50), Outcome::Late),
    ] {
        let client = Settings { deadline, ..settings(5, interval) };
        let rows = resolved(&events_of(clean(), one_way, client));
        assert_eq!(outcomes(&rows), [expected; 5], "{interval} {deadline:?} {one_way}");
    }
}

#[test]
fn with_decay_each_interval_is_0_95_of_the_one_before_and_the_deadline_with_it() {
    let client = Settings { schedule: decay(millis(100), millis(1)), ..settings(60, millis(1)) };
    let rows = resolved(&events_of(clean(), millis(20), client));
    let mut due = 0.0;
    for (seq, row) in rows.iter().enumerate() {
        let expected = 100e6 * 0.95_f64.powi(seq as i32);
        assert!((row.interval.as_nanos() as f64 - expected).abs() <= 0.5, "interval of seq {seq}");
        assert!((row.due.as_nanos() as f64 - due).abs() <= seq as f64, "due time of seq {seq}");
        assert_eq!(row.sent, Some(row.due));
        // 0.95^17 of 100 ms is above the RTT of 40 ms, 0.95^18 below.
        assert_eq!(row.outcome, if seq <= 17 { Outcome::Ok } else { Outcome::Late }, "seq {seq}");
        due += expected;
    }
}

#[test]
fn at_random_each_deadline_is_the_probes_own_interval() {
    let client = Settings { schedule: poisson(millis(100), 1), ..settings(500, millis(1)) };
    let rows = resolved(&events_of(clean(), millis(20), client));
    let mut due = Duration::ZERO;
    for row in &rows {
        assert_eq!((row.due, row.sent), (due, Some(due)));
        let expected = if row.interval >= millis(40) { Outcome::Ok } else { Outcome::Late };
        assert_eq!(row.outcome, expected, "{row:?}");
        due += row.interval;
    }
    let on_time = rows.iter().filter(|row| row.outcome == Outcome::Ok).count();
    // exp(-0.4) of 500 are 335; four standard deviations are 42.
    assert!((293..=377).contains(&on_time), "{on_time}");
}

#[test]
fn when_probes_are_due_depends_on_the_seed_and_never_on_the_path() {
    let due = |seed: u64, one_way: Duration, loss: f64| {
        let path = path(one_way, one_way, loss, 0.0);
        let mut simulation = Simulation::new(clean(), path.clone(), path, 5);
        simulation.add_client(Settings { schedule: poisson(millis(10), seed), ..settings(300, millis(1)) });
        simulation.run(Duration::from_secs(300));
        let rows = resolved(&simulation.take_events(0));
        rows.iter().map(|row| (row.due, row.sent)).collect::<Vec<_>>()
    };
    let fast = due(1, millis(1), 0.0);
    assert_eq!(due(1, millis(400), 0.2), fast);
    assert_ne!(due(2, millis(1), 0.0), fast);
}

#[test]
fn the_floor_of_the_interval_is_kept_and_told_once() {
    let client = Settings { schedule: decay(millis(100), millis(50)), ..settings(40, millis(1)) };
    let events = events_of(clean(), millis(20), client);
    let told: Vec<(u64, Duration)> = events
        .iter()
        .filter_map(|event| match event {
            Event::AtFloor { seq, interval } => Some((*seq, *interval)),
            _ => None,
        })
        .collect();
    // 0.95^13 is the last power above a half.
    assert_eq!(told, [(14, millis(50))]);
    let rows = resolved(&events);
    assert!(rows[..14].iter().all(|row| row.interval > millis(50)));
    assert!(rows[14..].iter().all(|row| row.interval == millis(50)));
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok));
}

#[test]
fn time_zero_is_the_due_time_of_the_first_probe_after_calibration() {
    let events = events_of(clean(), millis(20), settings(3, millis(500)));
    assert!(events.contains(&Event::Started { zero: Simulation::START + millis(80) }));
    let due: Vec<Duration> = resolved(&events).iter().map(|row| row.due).collect();
    assert_eq!(due, [Duration::ZERO, millis(500), millis(1000)]);
}

fn table(rows: &[Resolved]) -> Vec<Second> {
    let mut statistics = RunStatistics::new();
    let mut table = Vec::new();
    rows.iter().for_each(|row| statistics.push(row, |second| table.push(*second)));
    table.extend(statistics.last_second());
    table
}

#[test]
fn the_table_has_a_row_for_every_second_those_without_a_probe_included() {
    let client = Settings { size: 1000, ..settings(4, millis(2500)) };
    let table = table(&resolved(&events_of(clean(), millis(10), client)));
    let mut csv = Vec::new();
    let mut writer = SecondWriter::new(&mut csv).unwrap();
    table.iter().for_each(|second| writer.write(second).unwrap());
    writer.flush().unwrap();
    drop(writer);
    // Sent at 0, 2.5, 5 and 7.5 s; 1000 bytes there and back are 16,000 bits.
    let full = "1,1,0,0,16000,20000.000,20000.000,20000.000,20000.000";
    let empty = "0,0,0,0,0,,,,";
    let rows = [full, empty, full, empty, empty, full, empty, full];
    let rows: Vec<String> = (1..).zip(rows).map(|(second, row)| format!("{second},{row}\n")).collect();
    let text = String::from_utf8(csv).unwrap();
    assert_eq!(text.split_once('\n').unwrap().1, rows.concat());
}

#[test]
fn a_probe_belongs_to_the_second_of_its_sending_however_late_its_reply() {
    // Sent at 0.9 s of second 1, answered in second 3; one at exactly 1 s belongs to second 2.
    let client = Settings { deadline: Some(millis(700)), ..settings(3, millis(900)) };
    let rows = resolved(&events_of(clean(), millis(600), client));
    let counts: Vec<[u64; 4]> = table(&rows)
        .iter()
        .map(|row| [row.second, row.outcomes.sent(), row.outcomes.late(), row.throughput_bps()])
        .collect();
    assert_eq!(counts, [[1, 2, 2, 0], [2, 1, 1, 0]]);
    let rows = resolved(&events_of(clean(), millis(1), settings(5, millis(500))));
    let counts: Vec<[u64; 2]> = table(&rows).iter().map(|row| [row.second, row.outcomes.sent()]).collect();
    assert_eq!(counts, [[1, 2], [2, 2], [3, 1]]);
}

#[test]
fn throughput_and_delay_are_of_replies_on_time_only() {
    // Out for a while on the way down: the second second has losses, and no reply on time.
    let outage = (millis(1000), millis(2200));
    let down = Conditions { outages: vec![outage], ..Conditions::ideal(millis(50)) };
    let mut simulation = Simulation::new(clean(), Conditions::ideal(millis(50)), down, 1);
    simulation.add_client(Settings { size: 500, ..settings(30, millis(100)) });
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    let table = table(&rows);
    assert_eq!(table.len(), 3);
    for (second, row) in (1..).zip(&table) {
        let on_time = rows.iter().filter(|row| row.second() == second && row.outcome == Outcome::Ok).count();
        assert_eq!((row.outcomes.on_time, row.outcomes.sent()), (on_time as u64, 10));
        assert_eq!(row.throughput_bps(), on_time as u64 * 500 * 8 * 2);
        assert_eq!(row.delay.map(|delay| delay.mean), (on_time > 0).then_some(millis(100)));
    }
    assert_eq!((table[1].outcomes.on_time, table[1].outcomes.lost()), (0, 10));
}

#[test]
fn a_run_that_is_stopped_awaits_its_tail_and_is_complete() {
    let mut simulation = simulation(reflect::Settings::default(), millis(20));
    let deadline = Some(Duration::from_secs(1));
    simulation.add_client(Settings { count: None, deadline, ..settings(1, millis(100)) });
    simulation.stop_client_at(millis(2_030), 0);
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    let rows = resolved(&events);
    // The first left at 80 ms, the last at 1980 ms.
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    for row in &rows {
        // Held by the server when the stop came, but answered, so not lost.
        let answered = !simulation.ground_truth(0).probe(row.seq).unwrap().replies.is_empty();
        assert_eq!(row.outcome == Outcome::Ok, answered, "seq {}", row.seq);
    }
    let stopped = millis(2_030 - 80);
    let after = |row: &Resolved| row.rtt.is_some_and(|rtt| row.sent.unwrap() + rtt > stopped);
    assert!(rows.iter().any(after), "a test in which no tail is awaited");
    assert_eq!(events.last(), Some(&Event::Finished));
}

#[test]
fn a_run_that_is_stopped_before_it_began_ends_without_a_probe() {
    let mut simulation = simulation(clean(), millis(500));
    simulation.add_client(settings(10, millis(100)));
    simulation.stop_client_at(millis(700), 0);
    simulation.run(Duration::from_secs(60));
    assert_eq!(simulation.take_events(0), [Event::Finished]);
}

#[test]
fn a_run_ends_after_its_total_time_too() {
    let client = Settings {
        count: None,
        total: Some(Duration::from_secs(1)),
        schedule: Schedule::Fixed(interval(millis(300))),
        ..settings(1, millis(1))
    };
    assert_eq!(resolved(&events_of(clean(), millis(20), client)).len(), 4);
}

/// What a program does between making a datagram and handing it over is no part of the path.
#[test]
fn a_probe_that_is_made_ready_before_says_when_it_left_and_its_time_begins_then() {
    for key in [None, Some(Key::new(&[1; 32]))] {
        let mut desk = Desk::new(reflect::Settings { key: key.clone(), ..clean() });
        let deadline = Some(millis(1));
        let own = Settings { size: 512, deadline, key: key.clone(), ..settings(1, millis(100)) };
        let mut client = Client::new(own, desk.now);
        let (from, mut buffer) = (address(false, 0), vec![0; 1024]);
        let due = loop {
            if let Some(due) = client.next_due() {
                break due;
            }
            if let Some(Transmit { length, .. }) = client.poll_transmit(desk.now, &mut buffer) {
                let answer = desk.send(from, &buffer[..length]).expect("an answer");
                client.handle(desk.now, 0, &answer);
            }
            desk.now += millis(1);
            client.handle_timeout(desk.now);
        };
        let transmit = client.build(due, &mut buffer).expect("the first probe");
        let micros = Duration::from_micros;
        desk.now = due + micros(30);
        client.finalize(&transmit, desk.now, &mut buffer);
        let datagram = &buffer[..transmit.length];
        let message = key.as_ref().map_or(datagram.len(), |key| key.open(datagram).expect("sealed").0);
        let Ok(Message::Probe(probe)) = decode(&datagram[..message]) else { panic!("{datagram:?}") };
        assert_eq!((datagram.len(), probe.sent), (512, due + micros(30)));
        let answer = desk.send(from, datagram).expect("an answer");
        client.handle(due + micros(1_030), 0, &answer);
        client.handle_timeout(due + Duration::from_secs(10));
        let row = resolved(&std::iter::from_fn(|| client.poll_event()).collect::<Vec<_>>())[0];
        assert_eq!(
            (row.outcome, row.rtt, row.due_rtt()),
            (Outcome::Ok, Some(millis(1)), Some(micros(1_030)))
        );
    }
}
