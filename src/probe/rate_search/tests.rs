//! The search on simulated paths: its answer against the true rate.

use super::*;
use crate::rng::{Seed, Stream};

/// One direction of a path, packet by packet, and a sender and receiver on it.
#[derive(Clone, Copy)]
struct PathModel {
    /// Bits a second.
    rate: f64,
    /// Bytes that may wait.
    queue: f64,
    rtt: Duration,
    loss: f64,
    /// Mean of an exponential delay after the bottleneck.
    jitter: Duration,
    /// A token bucket of so many bytes instead of the queue.
    bucket: Option<f64>,
    /// Steady traffic of others, a share of the rate.
    others: f64,
}

impl PathModel {
    const fn steady(rate: f64, queue: f64) -> Self {
        let rtt = Duration::from_millis(20);
        Self { rate, queue, rtt, loss: 0.0, jitter: Duration::ZERO, bucket: None, others: 0.0 }
    }
}

struct Outcome {
    result: RateResult,
    took: Duration,
    /// While the rate was held.
    queue_p95: Duration,
}

/// Drives the search: the sender paces perfectly, reports come back after the way back.
fn search(path: PathModel, settings: Settings, seed: Seed) -> Outcome {
    let (losses, delays) = (Stream::new(seed, "loss"), Stream::new(seed, "jitter"));
    let start = Instant::ZERO;
    let mut search = RateSearch::new(settings, start);
    let propagation = path.rtt / 2;
    let spare = path.rate * (1.0 - path.others);
    let (mut now, mut free_at, mut tokens, mut filled) = (start, start, path.bucket.unwrap_or(0.0), start);
    let mut packets = 0_u64;
    let mut arrivals: Vec<(Instant, u64, Duration)> = Vec::new();
    let (mut reported, mut reported_arrivals) = (0, 0);
    let mut next_report = start;
    let mut queues = Vec::new();
    loop {
        let (size, gap, idle) = match search.command() {
            Command::Done => break,
            Command::Idle { interval } => (64.0, interval, true),
            Command::Load { rate } => {
                let size = f64::from(settings.packet);
                (size, Duration::from_secs_f64(size * 8.0 / rate), false)
            }
        };
        // The bottleneck, then loss, then the rest of the way.
        let waiting = (free_at - now).max(Duration::ZERO);
        let admitted = match path.bucket {
            Some(most) => {
                tokens = (tokens + (now - filled).as_secs_f64() * spare / 8.0).min(most);
                filled = now;
                let passes = tokens >= size;
                tokens -= if passes { size } else { 0.0 };
                passes
            }
            None => waiting.as_secs_f64() * spare / 8.0 + size <= path.queue.max(size),
        };
        if admitted {
            let service = match path.bucket {
                Some(_) => Duration::ZERO,
                None => Duration::from_secs_f64(size * 8.0 / spare),
            };
            free_at = free_at.max(now) + service;
            let leaves = if path.bucket.is_some() { now } else { free_at };
            if losses.unit(packets) >= path.loss {
                let jitter =
                    Duration::from_secs_f64(-path.jitter.as_secs_f64() * (1.0 - delays.unit(packets)).ln());
                let arrives = leaves + propagation + jitter;
                if idle {
                    search.idle_delay(arrives - now);
                } else {
                    arrivals.push((arrives, packets, arrives - now));
                    if matches!(search.phase(), PhaseName::Settled) {
                        queues.push(waiting);
                    }
                }
            }
        }
        packets += 1;
        now += gap;
        if idle {
            (reported, reported_arrivals) = (packets, arrivals.len());
            next_report = now;
        }
        search.handle_timeout(now);
        if now >= next_report && !idle {
            next_report = now + search.report_interval(path.rtt);
            // What arrived until the report left the receiver, half a round trip ago.
            let heard = now - propagation;
            let mut fresh: Vec<(Instant, u64, Duration)> = Vec::new();
            let mut rest: Vec<(Instant, u64, Duration)> = Vec::new();
            for arrival in arrivals.drain(reported_arrivals..) {
                if arrival.0 <= heard { fresh.push(arrival) } else { rest.push(arrival) }
            }
            arrivals = rest;
            reported_arrivals = 0;
            if fresh.is_empty() {
                continue;
            }
            let newest = fresh.iter().map(|(_, seq, _)| *seq + 1).max().unwrap_or(0);
            let mut delays: Vec<Duration> = fresh.iter().map(|(_, _, delay)| *delay).collect();
            delays.sort_unstable();
            let arrived = fresh.len() as u64;
            search.report(
                now,
                &Report {
                    sent: newest.saturating_sub(reported),
                    arrived,
                    bytes: arrived * u64::from(settings.packet),
                    first_arrival: fresh.iter().map(|(at, ..)| *at).min().unwrap_or(now),
                    last_arrival: fresh.iter().map(|(at, ..)| *at).max().unwrap_or(now),
                    delay_p10: delays[delays.len() / 10],
                    delay_p50: delays[delays.len() / 2],
                    delay_max: delays[delays.len() - 1],
                },
            );
            reported = reported.max(newest);
        }
        assert!(now - start < Duration::from_secs(120), "the search does not end: {:?}", search.phase());
    }
    queues.sort_unstable();
    let queue_p95 = queues.get(queues.len() * 95 / 100).copied().unwrap_or_default();
    Outcome { result: search.result().cloned().unwrap(), took: now - start, queue_p95 }
}

fn error(outcome: &Outcome, truth: f64) -> f64 {
    outcome.result.rate / truth - 1.0
}

#[test]
fn steady_paths_are_found_within_two_percent_in_twelve_seconds() {
    for (rate, queue) in [(1e6, 256e3), (10e6, 64e3), (100e6, 64e3), (100e6, 6.25e6)] {
        for seed in 0..2 {
            let outcome = search(PathModel::steady(rate, queue), Settings::default(), seed);
            let off = error(&outcome, rate);
            assert!(off.abs() <= 0.02, "{rate} bit/s, queue {queue}: {:.2} % off", off * 100.0);
            let (low, high) = outcome.result.interval;
            assert!((low..=high).contains(&rate), "{rate} bit/s not in {low}..{high}");
            // The search itself ends within 12 s; the steps and the push take 6 s more.
            assert!(outcome.took <= Duration::from_secs(18), "took {}", outcome.took);
            // At 1 Mbit/s a packet takes 10 ms, and a report comes every eight of them.
            let most = Duration::from_millis(40).max(Duration::from_secs_f64(10.0 * 1_228.0 * 8.0 / rate));
            assert!(outcome.queue_p95 <= most, "queue {} at {rate} bit/s", outcome.queue_p95);
        }
    }
}

#[test]
fn random_loss_is_no_lack_of_rate() {
    for loss in [0.001, 0.01, 0.05] {
        let path = PathModel { loss, ..PathModel::steady(100e6, 6.25e6) };
        let outcome = search(path, Settings::default(), 3);
        let off = error(&outcome, 100e6 * (1.0 - loss));
        assert!(off.abs() <= 0.02, "loss {loss}: {:.2} % off", off * 100.0);
    }
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    let path = PathModel { jitter: Duration::from_millis(3), ..PathModel::steady(100e6, 6.25e6) };
    let off = error(&search(path, Settings::default(), 5), 100e6);
    assert!(off.abs() <= 0.03, "{:.2} % off", off * 100.0);
}

#[test]
fn a_policer_is_measured_at_its_rate_and_not_at_its_burst() {
    for burst in [62_500.0, 625e3, 6.25e6] {
        let path = PathModel { bucket: Some(burst), ..PathModel::steady(50e6, 0.0) };
        let outcome = search(path, Settings::default(), 1);
        let off = error(&outcome, 50e6);
        assert!(off.abs() <= 0.02, "burst {burst}: {:.2} % off", off * 100.0);
        assert!(outcome.result.loss_without_queue);
    }
}

#[test]
fn steady_others_leave_the_rest() {
    let path = PathModel { others: 0.3, ..PathModel::steady(100e6, 6.25e6) };
    let off = error(&search(path, Settings::default(), 1), 70e6);
    assert!(off.abs() <= 0.02, "{:.2} % off", off * 100.0);
}

#[test]
fn the_push_shows_what_load_does_to_the_queue() {
    let outcome = search(PathModel::steady(10e6, 250e3), Settings::default(), 1);
    let pushed = outcome.result.pushed.unwrap();
    assert!((pushed.received / 10e6 - 1.0).abs() < 0.02, "{}", pushed.received);
    // 250 kB at 10 Mbit/s are 200 ms.
    assert!(
        (pushed.queue_max - Duration::from_millis(200)).abs() < Duration::from_millis(20),
        "{}",
        pushed.queue_max
    );
    let received: Vec<f64> = outcome.result.steps.iter().map(|step| step.received / 10e6).collect();
    for (share, received) in [0.5, 0.8, 0.95].iter().zip(&received) {
        assert!((received - share).abs() < 0.02, "{received} at {share}");
    }
}

#[test]
fn the_limits_that_were_set_end_it_with_a_lower_bound() {
    let settings = Settings { max_rate: 8e6, ..Settings::default() };
    let outcome = search(PathModel::steady(100e6, 1e6), settings, 1);
    assert_eq!(outcome.result.limited_by, Some(LimitedBy::MaxRate));
    assert!((outcome.result.rate / 8e6 - 1.0).abs() < 0.02, "{}", outcome.result.rate);
    let settings = Settings { max_bytes: 500_000, ..Settings::default() };
    let outcome = search(PathModel::steady(100e6, 1e6), settings, 1);
    assert_eq!(outcome.result.limited_by, Some(LimitedBy::MaxBytes));
    assert!(outcome.result.bytes < 1_500_000);
}

#[test]
fn a_path_that_loses_everything_ends_the_search() {
    let path = PathModel { loss: 1.0, ..PathModel::steady(10e6, 64e3) };
    let outcome = search(path, Settings::default(), 1);
    assert_eq!(outcome.result.rate, 0.0);
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let path = PathModel { loss: 0.01, jitter: Duration::from_millis(1), ..PathModel::steady(10e6, 250e3) };
    let once = search(path, Settings::default(), 7).result;
    assert_eq!(once, search(path, Settings::default(), 7).result);
}
