//! The rate search on a grid of simulated paths: the error of its answer, its time, the queue it held, how often its
//! interval holds the truth, and whether it keeps the bounds of its kind of path. 100 seeds up to 100 Mbit/s, 10 at
//! 1 Gbit/s, 3 at 10 Gbit/s.
//!
//! `cargo bench --bench rate_grid [-- PART_OF_A_NAME [SEEDS]]`

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use udpecho::probe::rate_search::{Confidence, RateResult, Settings};
use udpecho::sim::{Change, Judged, Others, RatePath, judge_rate};
use udpecho::time::Duration;

struct Row {
    name: String,
    path: RatePath,
    settings: Settings,
    rate: f64,
    bounds: Bounds,
}

/// The bounds of the answers on a path; errors in percent.
struct Bounds {
    median: f64,
    worst: f64,
    /// Only an answer above the truth is an error.
    only_above: bool,
    seconds: f64,
    /// The 95th percentile of the queue while the rate is held, in milliseconds.
    queue: f64,
    /// The share of the intervals that hold the truth.
    holds: f64,
    says: Option<Says>,
}

/// A statement of the result besides the rate.
struct Says {
    name: &'static str,
    share: f64,
    is_said: Box<dyn Fn(&RateResult) -> bool>,
}

impl Bounds {
    fn worst(worst: f64) -> Self {
        // A second of the idle path and three of the climb come before the 12 s of the longest hold.
        let seconds = 16.0;
        Self {
            median: worst,
            worst,
            only_above: false,
            seconds,
            queue: f64::INFINITY,
            holds: 0.0,
            says: None,
        }
    }

    fn saying(self, name: &'static str, share: f64, is_said: impl Fn(&RateResult) -> bool + 'static) -> Self {
        Self { says: Some(Says { name, share, is_said: Box::new(is_said) }), ..self }
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (part, seeds) = (words.next().unwrap_or_default(), words.next().and_then(|seeds| seeds.parse().ok()));
    println!(
        "{:44} {:>7} {:>7} {:>7} {:>6} {:>8} {:>7} {:>4} {:>5}  misses",
        "path", "median", "worst", "signed", "time s", "queue ms", "holds", "sure", "bytes"
    );
    let rows = grid().into_iter().filter(|row| row.name.contains(&part));
    let kept: Vec<bool> = rows.map(|row| print_row(&row, seeds.unwrap_or(seeds_at(row.rate)))).collect();
    println!("{} of {} paths keep their bounds", kept.iter().filter(|kept| **kept).count(), kept.len());
}

fn seeds_at(rate: f64) -> u64 {
    match rate {
        rate if rate <= 100e6 => 100,
        rate if rate <= 1e9 => 10,
        _ => 3,
    }
}

/// Returns whether the path keeps its bounds.
fn print_row(row: &Row, seeds: u64) -> bool {
    let judged: Vec<Judged> = (0..seeds).map(|seed| judge_rate(&row.path, row.settings, seed)).collect();
    let bounds = &row.bounds;
    let error = |judged: &Judged| {
        let percent = judged.error() * 100.0;
        if bounds.only_above { percent.max(0.0) } else { percent.abs() }
    };
    let mut errors: Vec<f64> = judged.iter().map(error).collect();
    errors.sort_by(f64::total_cmp);
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    let signed = judged.iter().map(|judged| judged.error() * 100.0).sum::<f64>() / seeds as f64;
    let largest = |of: &dyn Fn(&Judged) -> f64| judged.iter().map(of).fold(0.0, f64::max);
    let share = |of: &dyn Fn(&Judged) -> bool| {
        judged.iter().filter(|judged| of(judged)).count() as f64 / seeds as f64
    };
    let seconds = largest(&|judged| judged.answered.as_secs_f64());
    let queue = largest(&|judged| judged.queue_p95.as_millis_f64());
    let bytes = largest(&spent);
    let holds = share(&Judged::holds_truth);
    let sure = share(&|judged| judged.result.confidence() == Confidence::High);
    let mut misses = Vec::new();
    let kept = [
        ("median", median <= bounds.median),
        ("worst", worst <= bounds.worst),
        ("time", seconds <= bounds.seconds),
        ("queue", queue <= bounds.queue),
        ("holds", holds >= bounds.holds),
        ("bytes", bytes <= 1.3),
    ];
    misses.extend(kept.iter().filter(|(_, is_kept)| !is_kept).map(|(name, _)| (*name).to_owned()));
    if let Some(Says { name, share: least, is_said }) = &bounds.says {
        let said = share(&|judged| is_said(&judged.result));
        if said < *least {
            misses.push(format!("{name} in {:.0} %", said * 100.0));
        }
    }
    println!(
        "{:44} {median:6.2}% {worst:6.2}% {signed:+6.2}% {seconds:6.1} {queue:8.1} {:6.0}% {:3.0}% {bytes:5.2}  {}",
        row.name,
        holds * 100.0,
        sure * 100.0,
        misses.join(", "),
    );
    misses.is_empty()
}

/// Bytes sent, over the bytes that the path carries in that time.
fn spent(judged: &Judged) -> f64 {
    let pushed = judged.result.pushed.map_or(0.0, |pushed| pushed.received);
    let carried = judged.result.rate.max(pushed) / 8.0 * judged.took.as_secs_f64();
    judged.bytes_sent as f64 / (carried + judged.result.burst.unwrap_or(0.0))
}

fn row(name: impl Into<String>, rate: f64, path: RatePath, bounds: Bounds) -> Row {
    let settings = Settings { max_rate: 2.0 * rate, max_bytes: u64::MAX, ..Settings::default() };
    Row { name: name.into(), path, settings, rate, bounds }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis)
}

fn grid() -> Vec<Row> {
    let mut rows = steady();
    rows.extend(lossy());
    rows.extend(buckets());
    rows.extend(shared());
    rows.extend(radio());
    rows.extend(managed());
    rows.extend(hostile());
    rows
}

/// Queues of less than four packets, which no sender's pacing fits, hold four.
fn steady() -> Vec<Row> {
    let mut rows = Vec::new();
    for (rate, unit) in
        [(1e6, "1Mbit"), (10e6, "10Mbit"), (100e6, "100Mbit"), (1e9, "1Gbit"), (10e9, "10Gbit")]
    {
        for queue_ms in [0.5, 5.0, 50.0, 500.0, 2_000.0] {
            for rtt_us in [200, 20_000, 200_000] {
                for size in [200_u32, 1_200, 8_900] {
                    let queue = f64::max(rate / 8.0 * queue_ms / 1e3, 4.0 * f64::from(size));
                    // Rows that differ in nothing else: the middle size on every path, the others on the usual.
                    let is_usual = queue_ms == 50.0 && rtt_us == 20_000;
                    if queue >= 1e9 || size != 1_200 && !is_usual {
                        continue;
                    }
                    let path = RatePath {
                        rtt: Duration::from_micros(rtt_us),
                        ..RatePath::new(format!("rate={unit},queue={}", queue as u64))
                    };
                    let name =
                        format!("steady {unit} {queue_ms} ms, RTT {} ms, {size} B", rtt_us as f64 / 1e3);
                    let mut row = row(name, rate, path, steadily(rate, rtt_us as f64 / 1e3, size));
                    row.settings.packet = size;
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// The queue is that of the target and 20 ms, or of two round trips of the climb, and of a packet.
fn steadily(rate: f64, rtt_ms: f64, size: u32) -> Bounds {
    let packet_ms = f64::from(size) * 8e3 / rate;
    let seconds = if rtt_ms > 20.0 { 15.0 } else { 12.0 };
    let queue = 10.0 + f64::max(20.0, 2.0 * rtt_ms) + packet_ms;
    Bounds { median: 0.5, seconds, queue, holds: 0.95, ..Bounds::worst(2.0) }
}

fn lossy() -> Vec<Row> {
    let lines = [
        ("loss 0.1 %", "loss=0.1%", 2.0),
        ("loss 1 %", "loss=1%", 2.0),
        ("loss 5 %", "loss=5%", 2.0),
        ("loss Gilbert 1 %/25 %", "loss=gilbert:p=1%,r=25%", 2.0),
        ("jitter 1 ms", "delay=exponential:1ms", 3.0),
        ("jitter 3 ms", "delay=exponential:3ms", 3.0),
        ("jitter 10 ms", "delay=exponential:10ms", 3.0),
        ("jitter 10 ms, in order", "delay=exponential:10ms,ordered", 3.0),
    ];
    let path = |(name, line, worst)| {
        let path = RatePath::new(format!("rate=100Mbit,queue=6250k {line}"));
        row(format!("100M {name}"), 100e6, path, Bounds::worst(worst))
    };
    lines.into_iter().map(path).collect()
}

fn buckets() -> Vec<Row> {
    let mut rows = Vec::new();
    for (rate, unit) in [(5e6, "5Mbit"), (50e6, "50Mbit"), (500e6, "500Mbit")] {
        for burst_ms in [10.0, 100.0, 1_000.0] {
            let burst = (rate / 8.0 * burst_ms / 1e3) as u64;
            for (kind, queue) in [("policer", 0), ("shaper", (rate / 80.0) as u64)] {
                let line = format!("rate={unit},queue={queue},burst={burst}");
                let is_near = move |told: f64| (told / burst as f64 - 1.0).abs() <= 0.25;
                let mut bounds = Bounds::worst(2.0);
                // A burst of 10 ms is not told from a small queue.
                if burst_ms >= 100.0 {
                    bounds = bounds.saying("burst", 1.0, move |result| result.burst.is_some_and(is_near));
                }
                let name = format!("{kind} {unit}, burst {burst_ms} ms");
                let mut row = row(name, rate, RatePath::new(line), bounds);
                row.settings.max_rate = 20.0 * rate;
                rows.push(row);
            }
        }
    }
    rows
}

fn shared() -> Vec<Row> {
    let beside = |name: String, line: &str, others, bounds| {
        row(name, 100e6, RatePath { others: vec![others], ..RatePath::new(line) }, bounds)
    };
    let line = "rate=100Mbit,queue=6250k";
    let mut rows = Vec::new();
    for share in [0.3, 0.5, 0.8] {
        let percent = (share * 100.0) as u32;
        for (kind, others) in
            [("steady", Others::Steady(share * 100e6)), ("Poisson", Others::Poisson(share * 100e6))]
        {
            let bounds = Bounds { median: 2.0, ..Bounds::worst(5.0) };
            rows.push(beside(format!("100M others {percent} % {kind}"), line, others, bounds));
        }
    }
    for half in [20, 100, 500] {
        let others = Others::OnOff { mean: 30e6, half_period: millis(half) };
        let mut bounds = Bounds { only_above: true, ..Bounds::worst(2.0) };
        // The queue that is held lasts longer than a burst of 20 ms, so the answer is exact.
        if half > 20 {
            bounds = bounds.saying("bursts", 0.95, RateResult::others_in_bursts);
        }
        rows.push(beside(format!("100M others on/off {half} ms"), line, others, bounds));
    }
    for (buffer, queue) in [(10, "125k"), (80, "1M"), (500, "6250k")] {
        let line = format!("rate=100Mbit,queue={queue}");
        let bounds = Bounds::worst(f64::INFINITY).saying("spare and pushed", 1.0, move |result| {
            let pushed = result.pushed.map_or(0.0, |pushed| pushed.received);
            let is_spare = buffer != 80 || result.rate <= 50e6;
            result.busy_before && pushed >= 90e6 && is_spare
        });
        let others = Others::Greedy { rtt: millis(20) };
        rows.push(beside(format!("100M greedy, buffer {buffer} ms"), &line, others, bounds));
    }
    rows
}

fn radio() -> [Row; 2] {
    let fading = (0..60).map(|second| {
        let rate = if second % 2 == 0 { 66 } else { 197 };
        (Duration::from_secs(second), Change::Line(format!("rate={rate}Mbit,queue=2M")))
    });
    let wifi = RatePath { aggregate: Some(millis(4)), ..RatePath::new("rate=197Mbit,queue=2M") };
    let fading = RatePath { changes: fading.collect(), ..wifi.clone() };
    let unsure =
        Bounds::worst(f64::INFINITY).saying("unsure", 1.0, |result| result.confidence() != Confidence::High);
    [row("Wi-Fi, aggregates", 197e6, wifi, Bounds::worst(2.0)), row("Wi-Fi, fading", 197e6, fading, unsure)]
}

fn managed() -> [Row; 4] {
    let path = |name: &str, rate: f64, line: &str, is_fair: bool| {
        let apart = move |result: &RateResult| {
            let delays = result.pushed.and_then(|pushed| pushed.own.zip(pushed.other));
            let (own, other) = delays.unwrap_or_default();
            let is_apart = own.p50 > other.p50 * 4;
            is_apart == is_fair && (!is_fair || other.p95 <= millis(5))
        };
        let bounds = Bounds::worst(2.0).saying("flows apart", 1.0, apart);
        row(name, rate, RatePath::new(line), bounds)
    };
    [
        path("100M CoDel", 100e6, "rate=100Mbit,queue=6250k,codel", false),
        path("10M CoDel", 10e6, "rate=10Mbit,queue=1M,codel", false),
        path("10M fair queues", 10e6, "rate=10Mbit,queue=1M,fq", true),
        path("10M fq_codel", 10e6, "rate=10Mbit,queue=1M,codel,fq", true),
    ]
}

fn hostile() -> [Row; 4] {
    let reports = RatePath {
        feedback_loss: 0.3,
        feedback_jitter: millis(30),
        lateness: millis(1),
        ..RatePath::new("rate=100Mbit,queue=1M")
    };
    let changed = |change: Change| RatePath {
        changes: vec![(millis(4_000), change)],
        ..RatePath::new("rate=100Mbit,queue=2M")
    };
    let path = |name: &str, path| row(name, 100e6, path, Bounds::worst(5.0));
    [
        path("100M reports lost and late, sender late", reports),
        path("100M base +20 ms", changed(Change::Delay(millis(20)))),
        path("100M base -9 ms", changed(Change::Delay(millis(-9)))),
        path("100M client asleep 2 s", changed(Change::Asleep(millis(2_000)))),
    ]
}
