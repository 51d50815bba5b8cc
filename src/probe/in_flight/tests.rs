//! Times of a probe in flight.

use super::*;

fn at(micros: i64) -> Instant {
    Instant::ZERO + Duration::from_micros(micros)
}

const TIMEOUTS: Timeouts = Timeouts {
    deadline: Some(Duration::from_millis(1)),
    longest_hold: Duration::ZERO,
    grace: Duration::ZERO,
    query: Duration::ZERO,
};
const PLANNED: Planned = Planned {
    seq: 0,
    due: Instant::ZERO,
    interval: Duration::from_millis(1),
    at_floor: false,
    skipped: false,
};

/// One probe, due at 0, sent at 10 us and answered at 100 us.
fn answered(left: Option<Instant>) -> Resolved {
    let mut flight = InFlight::new(64, TIMEOUTS, true, 1);
    flight.start(at(0));
    flight.register(&PLANNED, at(10));
    left.into_iter().for_each(|left| _ = flight.set_tx_timestamp(0, left));
    let times = ServerTimes { owd_up: Duration::from_micros(40), ..ServerTimes::default() };
    flight.arrive(0, at(100), ReplyFacts { times: Some(times), ..ReplyFacts::default() });
    flight.end_sending();
    flight.take_resolved(at(2_000), |_| Cause::Unknown).expect("its deadline has passed")
}

#[test]
fn the_kernels_transmit_timestamp_is_the_send_time() {
    let resolved = answered(Some(at(13)));
    let micros = |time: Option<Duration>| time.unwrap().as_micros_f64();
    assert_eq!(micros(resolved.rtt), 87.0);
    assert_eq!(micros(resolved.sent), 13.0);
    assert_eq!(micros(resolved.owd_up), 37.0);
    assert_eq!(micros(resolved.due_rtt()), 100.0);
}

#[test]
fn deadline_counts_from_the_actual_send_time() {
    let timeouts = Timeouts { deadline: None, ..TIMEOUTS };
    let mut flight = InFlight::new(64, timeouts, true, 1);
    flight.start(at(0));
    flight.register(&PLANNED, at(10));
    flight.finalize(0, at(30));
    assert_eq!(
        flight.arrive(0, at(1_030), ReplyFacts::default()),
        Arrival::First { rtt: Duration::from_millis(1), hold: None, late_by: None }
    );
    let resolved = flight.take_resolved(at(2_000), |_| Cause::Unknown).expect("its deadline has passed");
    assert_eq!(
        (resolved.sent, resolved.due_rtt()),
        (Some(Duration::from_micros(30)), Some(Duration::from_micros(1_030)))
    );
}

#[test]
fn a_transmit_timestamp_before_the_send_call_or_long_after_is_ignored() {
    for left in [at(9), at(10 + 1_000_000)] {
        assert_eq!(answered(Some(left)), answered(None));
    }
}
