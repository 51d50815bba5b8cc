//! The rate search on a grid of simulated paths: the error of its answer, its time, the queue it held,
//! and how often its interval holds the truth. 100 seeds up to 100 Mbit/s, 10 at 1 Gbit/s, 3 at 10 Gbit/s.
//!
//! `cargo bench --bench rate_grid [-- PART_OF_A_NAME [SEEDS]]`

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use udpecho::probe::rate_search::{Confidence, Settings};
use udpecho::sim::{Change, Judged, Others, RatePath, judge_rate};
use udpecho::time::Duration;

struct Row {
    name: String,
    path: RatePath,
    settings: Settings,
    rate: f64,
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (part, seeds) = (words.next().unwrap_or_default(), words.next().and_then(|seeds| seeds.parse().ok()));
    println!(
        "{:44} {:>7} {:>7} {:>7} {:>6} {:>8} {:>6} {:>5}",
        "path", "median", "worst", "signed", "time s", "queue ms", "holds", "sure"
    );
    for row in grid().into_iter().filter(|row| row.name.contains(&part)) {
        print_row(&row, seeds.unwrap_or(seeds_at(row.rate)));
    }
}

fn seeds_at(rate: f64) -> u64 {
    match rate {
        rate if rate <= 100e6 => 100,
        rate if rate <= 1e9 => 10,
        _ => 3,
    }
}

fn print_row(row: &Row, seeds: u64) {
    let judged: Vec<Judged> = (0..seeds).map(|seed| judge_rate(&row.path, row.settings, seed)).collect();
    let mut errors: Vec<f64> = judged.iter().map(|judged| judged.error().abs() * 100.0).collect();
    errors.sort_by(f64::total_cmp);
    let median = errors[errors.len() / 2];
    let worst = errors[errors.len() - 1];
    let signed = judged.iter().map(|judged| judged.error() * 100.0).sum::<f64>() / seeds as f64;
    let longest = judged.iter().map(|judged| judged.answered.as_secs_f64()).fold(0.0, f64::max);
    let queue = judged.iter().map(|judged| judged.queue_p95.as_millis_f64()).fold(0.0, f64::max);
    let holds = judged.iter().filter(|judged| judged.holds_truth()).count();
    let sure = judged.iter().filter(|judged| judged.result.confidence() == Confidence::High).count();
    println!(
        "{:44} {median:6.2}% {worst:6.2}% {signed:+6.2}% {longest:6.1} {queue:8.1} {:>6} {:>5}",
        row.name,
        format!("{holds}/{seeds}"),
        sure,
    );
}

fn row(name: impl Into<String>, rate: f64, path: RatePath) -> Row {
    let settings = Settings { max_rate: 2.0 * rate, max_bytes: u64::MAX, ..Settings::default() };
    Row { name: name.into(), path, settings, rate }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis)
}

fn grid() -> Vec<Row> {
    let mut rows = steady();
    rows.extend(lossy());
    rows.extend(buckets());
    rows.extend(shared());
    rows.extend(others_that_end_it());
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
                    let mut row = row(name, rate, path);
                    row.settings.packet = size;
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn lossy() -> Vec<Row> {
    let lines = [
        ("loss 0.1 %", "loss=0.1%"),
        ("loss 1 %", "loss=1%"),
        ("loss 5 %", "loss=5%"),
        ("loss Gilbert 1 %/25 %", "loss=gilbert:p=1%,r=25%"),
        ("jitter 1 ms", "delay=exponential:1ms"),
        ("jitter 3 ms", "delay=exponential:3ms"),
        ("jitter 10 ms", "delay=exponential:10ms"),
        ("jitter 10 ms, in order", "delay=exponential:10ms,ordered"),
    ];
    let path = |(name, line)| {
        row(format!("100M {name}"), 100e6, RatePath::new(format!("rate=100Mbit,queue=6250k {line}")))
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
                let mut row = row(format!("{kind} {unit}, burst {burst_ms} ms"), rate, RatePath::new(line));
                row.settings.max_rate = 20.0 * rate;
                rows.push(row);
            }
        }
    }
    rows
}

fn shared() -> Vec<Row> {
    let beside = |name: &str, line: &str, others| {
        row(name, 100e6, RatePath { others: vec![others], ..RatePath::new(line) })
    };
    let line = "rate=100Mbit,queue=6250k";
    let mut rows = Vec::new();
    for share in [0.3, 0.5, 0.8] {
        let percent = (share * 100.0) as u32;
        rows.push(beside(&format!("100M others {percent} % steady"), line, Others::Steady(share * 100e6)));
        rows.push(beside(&format!("100M others {percent} % Poisson"), line, Others::Poisson(share * 100e6)));
    }
    for half in [20, 100, 500] {
        let others = Others::OnOff { mean: 30e6, half_period: millis(half) };
        rows.push(beside(&format!("100M others on/off {half} ms"), line, others));
    }
    for (buffer, queue) in [(10, "125k"), (80, "1M"), (500, "6250k")] {
        let line = format!("rate=100Mbit,queue={queue}");
        rows.push(beside(
            &format!("100M greedy, buffer {buffer} ms"),
            &line,
            Others::Greedy { rtt: millis(20) },
        ));
    }
    rows
}

fn others_that_end_it() -> Vec<Row> {
    let fading = (0..60).map(|second| {
        let rate = if second % 2 == 0 { 66 } else { 197 };
        (Duration::from_secs(second), Change::Line(format!("rate={rate}Mbit,queue=2M")))
    });
    let wifi = RatePath { aggregate: Some(millis(4)), ..RatePath::new("rate=197Mbit,queue=2M") };
    let hostile = RatePath {
        feedback_loss: 0.3,
        feedback_jitter: millis(30),
        lateness: millis(1),
        ..RatePath::new("rate=100Mbit,queue=1M")
    };
    let changed = |change: Change| RatePath {
        changes: vec![(millis(4_000), change)],
        ..RatePath::new("rate=100Mbit,queue=2M")
    };
    vec![
        row("Wi-Fi, aggregates", 197e6, wifi.clone()),
        row("Wi-Fi, fading", 197e6, RatePath { changes: fading.collect(), ..wifi }),
        row("100M CoDel", 100e6, RatePath::new("rate=100Mbit,queue=6250k,codel")),
        row("10M CoDel", 10e6, RatePath::new("rate=10Mbit,queue=1M,codel")),
        row("10M fq_codel", 10e6, RatePath::new("rate=10Mbit,queue=1M,codel,fq")),
        row("100M reports lost and late, sender late", 100e6, hostile),
        row("100M base +20 ms", 100e6, changed(Change::Delay(millis(20)))),
        row("100M base -9 ms", 100e6, changed(Change::Delay(millis(-9)))),
        row("100M client asleep 2 s", 100e6, changed(Change::Asleep(millis(2_000)))),
    ]
}
