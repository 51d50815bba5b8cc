//! The rate search on simulated paths: its answer against what the link had left, in virtual time.

use udpecho::probe::rate_search::{
    Command, Confidence, Kind, LimitedBy, RateResult, RateSearch, Report, Settings,
};
use udpecho::sim::{Change, Judged, Others, RatePath, judge_rate};
use udpecho::time::{Duration, Instant};

fn judge(path: &RatePath, seed: u64) -> Judged {
    judge_rate(path, Settings::default(), seed)
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis)
}

/// The gate: what it must answer on each kind of path, for three seeds. The error is relative.
struct Case {
    name: &'static str,
    path: RatePath,
    worst: f64,
    kind: Kind,
}

fn case(name: &'static str, worst: f64, kind: Kind, path: RatePath) -> Case {
    Case { name, path, worst, kind }
}

fn with_others(line: &str, others: Others) -> RatePath {
    RatePath { others: vec![others], ..RatePath::new(line) }
}

fn gate() -> [Case; 12] {
    use Kind::{Loss, Queue};
    let steady = |line: &str| RatePath::new(line);
    let hostile = RatePath {
        feedback_loss: 0.3,
        feedback_jitter: millis(30),
        lateness: millis(1),
        ..steady("rate=10Mbit,queue=64k")
    };
    [
        case("1M, 2 s of queue", 0.02, Queue, steady("rate=1Mbit,queue=256k")),
        case("10M, 50 ms", 0.02, Queue, steady("rate=10Mbit,queue=64k")),
        case("20M, long way", 0.02, Queue, RatePath { rtt: millis(200), ..steady("rate=20Mbit,queue=1M") }),
        case("20M, 1 % lost", 0.02, Queue, steady("rate=20Mbit,queue=1M loss=1%")),
        case("20M, 4 % lost in bursts", 0.02, Queue, steady("rate=20Mbit,queue=1M loss=gilbert:p=1%,r=25%")),
        case("20M, jitter", 0.03, Queue, steady("rate=20Mbit,queue=1M delay=exponential:3ms")),
        case("policer 20M, 0.1 s", 0.02, Loss, steady("rate=20Mbit,queue=0,burst=250k")),
        case("shaper 20M, 1 s", 0.02, Queue, steady("rate=20Mbit,queue=250k,burst=2500k")),
        case("20M, steady others", 0.03, Queue, with_others("rate=20Mbit,queue=1M", Others::Steady(6e6))),
        case("20M, Poisson others", 0.05, Queue, with_others("rate=20Mbit,queue=1M", Others::Poisson(6e6))),
        case("10M, CoDel", 0.02, Queue, steady("rate=10Mbit,queue=1M,codel")),
        case("10M, lost and late reports", 0.02, Queue, hostile),
    ]
}

#[test]
fn the_rate_is_found_on_every_kind_of_path() {
    let mut held = 0;
    for Case { name, path, worst, kind } in gate() {
        for seed in 0..3 {
            let judged = judge(&path, seed);
            let result = &judged.result;
            assert!(judged.error().abs() <= worst, "{name}, seed {seed}: {:+.2} %", judged.error() * 100.0);
            assert_eq!(result.kind(), kind, "{name}, seed {seed}");
            // Others make the windows differ: the hold's 12 s come after 1 s idle and the climb.
            let most = if path.others.is_empty() { millis(12_000) } else { millis(15_000) };
            assert!(judged.answered <= most, "{name}, seed {seed}: {}", judged.answered);
            assert!(judged.bytes_sent as f64 <= 1.3 * judged.most_bytes, "{name}, seed {seed}");
            assert!(result.limited_by.is_none(), "{name}, seed {seed}: {:?}", result.limited_by);
            held += u32::from(judged.holds_truth());
        }
    }
    assert!(held >= 30, "{held} of 36 intervals hold the true rate");
}

#[test]
fn large_packets_do_not_slow_the_climb() {
    let settings = Settings { packet: 8_928, ..Settings::default() };
    let judged = judge_rate(&RatePath::new("rate=50Mbit,queue=320k"), settings, 1);
    assert!(judged.error().abs() <= 0.005 && judged.answered <= millis(9_000), "{}", judged.answered);
}

#[test]
fn the_queue_that_is_held_stays_small_behind_a_deep_buffer() {
    for seed in 0..2 {
        let judged = judge(&RatePath::new("rate=20Mbit,queue=5M"), seed);
        assert!(judged.queue_p95 <= millis(30), "{}", judged.queue_p95);
        assert_eq!(judged.result.confidence(), Confidence::High);
    }
}

#[test]
fn the_push_shows_what_load_does_to_the_queue_and_to_another_flow() {
    let judged = judge(&RatePath::new("rate=10Mbit,queue=250k"), 1);
    let pushed = judged.result.pushed.unwrap();
    assert!((pushed.received / 10e6 - 1.0).abs() < 0.02, "{}", pushed.received);
    // 250 kB at 10 Mbit/s are 200 ms.
    let (own, other) = (pushed.own.unwrap(), pushed.other.unwrap());
    for max in [own.max, other.max] {
        assert!((max - millis(200)).abs() < millis(20), "{max}");
    }
    let recovery = judged.result.recovery.unwrap();
    assert!((millis(150)..millis(400)).contains(&recovery), "{recovery}");
    let received: Vec<f64> = judged.result.steps.iter().map(|step| step.received / 10e6).collect();
    for (share, received) in [0.5, 0.8, 0.95].iter().zip(&received) {
        assert!((received - share).abs() < 0.02, "{received} at {share}");
    }
}

#[test]
fn a_push_that_ends_early_shows_what_the_other_flow_waited() {
    let settings = Settings { max_queue: millis(80), ..Settings::default() };
    let judged = judge_rate(&RatePath::new("rate=10Mbit,queue=250k"), settings, 1);
    let pushed = judged.result.pushed.expect("a push");
    let [own, other] = [pushed.own, pushed.other].map(|delays| delays.expect("delays").max);
    assert!(own > millis(80) && other > millis(60), "{own} and {other}");
}

#[test]
fn a_fair_queue_keeps_the_other_flow_fast() {
    let judged = judge(&RatePath::new("rate=10Mbit,queue=250k,fq"), 1);
    assert!(judged.error().abs() <= 0.02, "{}", judged.error());
    let pushed = judged.result.pushed.unwrap();
    assert!(pushed.own.unwrap().max > millis(150), "{}", pushed.own.unwrap().max);
    assert!(pushed.other.unwrap().p95 < millis(5), "{}", pushed.other.unwrap().p95);
}

#[test]
fn a_policers_burst_is_told_within_a_quarter() {
    for (line, burst) in
        [("rate=20Mbit,queue=0,burst=250k", 250e3), ("rate=20Mbit,queue=0,burst=2500k", 2.5e6)]
    {
        let judged = judge(&RatePath::new(line), 1);
        let told = judged.result.burst.unwrap();
        assert!((told / burst - 1.0).abs() < 0.25, "{told} of {burst}");
        assert!(judged.error().abs() <= 0.02, "{}", judged.error());
    }
}

#[test]
fn others_that_come_in_bursts_are_told() {
    let bursty = Others::OnOff { mean: 6e6, half_period: millis(100) };
    let judged = judge(&with_others("rate=20Mbit,queue=1M", bursty), 1);
    assert!(judged.result.others_in_bursts(), "{}", judged.result.idle_share);
    assert!(judged.error() <= 0.02, "{}", judged.error());
    assert_ne!(judged.result.confidence(), Confidence::High);
}

#[test]
fn beside_a_greedy_flow_spare_and_pushed_rate_are_two_numbers() {
    let judged = judge(&with_others("rate=20Mbit,queue=200k", Others::Greedy { rtt: millis(20) }), 1);
    assert!(judged.result.busy_before);
    let (spare, pushed) = (judged.result.rate, judged.result.pushed.unwrap().received);
    assert!(spare <= 0.5 * 20e6, "{spare}");
    assert!(pushed >= 0.9 * 20e6, "{pushed} of {spare}");
}

/// The rate changes each second.
fn fading(seconds: i64) -> impl Iterator<Item = (Duration, Change)> {
    (0..seconds).map(|second| {
        let rate = if second % 2 == 0 { "rate=7Mbit,queue=500k" } else { "rate=20Mbit,queue=500k" };
        (Duration::from_secs(second), Change::Line(rate.to_owned()))
    })
}

#[test]
fn a_fading_radio_is_never_sure() {
    let path = RatePath {
        changes: fading(40).collect(),
        aggregate: Some(millis(4)),
        ..RatePath::new("rate=20Mbit,queue=500k")
    };
    assert_ne!(judge(&path, 1).result.confidence(), Confidence::High);
}

#[test]
fn a_new_route_and_a_host_that_sleeps_do_not_mislead_it() {
    for change in [Change::Delay(millis(20)), Change::Delay(millis(-5)), Change::Asleep(millis(2_000))] {
        let changes = vec![(millis(4_000), change.clone())];
        let judged = judge(&RatePath { changes, ..RatePath::new("rate=10Mbit,queue=250k") }, 1);
        assert!(judged.error().abs() <= 0.05, "{change:?}: {:+.3}", judged.error());
        assert!(judged.answered <= millis(17_000), "{change:?}: {}", judged.answered);
    }
}

#[test]
fn the_limits_that_were_set_end_it_with_a_lower_bound() {
    let path = RatePath::new("rate=50Mbit,queue=1M");
    let judged = judge_rate(&path, Settings { max_rate: 8e6, ..Settings::default() }, 1);
    assert_eq!(judged.result.limited_by, Some(LimitedBy::MaxRate));
    assert!((judged.result.rate / 8e6 - 1.0).abs() < 0.02, "{}", judged.result.rate);
    let judged = judge_rate(&path, Settings { max_bytes: 500_000, ..Settings::default() }, 1);
    assert_eq!((judged.result.limited_by, judged.result.out_of_bytes), (Some(LimitedBy::MaxBytes), true));
    assert!(judged.result.bytes < 1_500_000);
    assert_eq!(judged.result.confidence(), Confidence::Low);
}

/// The sender is late by 30 ms in the mean, and what is more than 10 ms late does not leave.
fn beside_a_busy_host(settings: Settings) -> RateResult {
    let path = RatePath { lateness: millis(30), ..RatePath::new("rate=20Mbit,queue=250k") };
    judge_rate(&path, settings, 1).result
}

#[test]
fn a_host_too_slow_to_fill_the_path_ends_the_search_before_the_steps() {
    let result = beside_a_busy_host(Settings::default());
    assert_eq!((result.kind(), result.limited_by), (Kind::Host, Some(LimitedBy::Client)));
    assert!(0.0 < result.rate && result.rate < 20e6, "{}", result.rate);
    assert!(result.steps.is_empty() && result.pushed.is_none(), "{result:?}");
    assert_eq!((result.burst, result.out_of_bytes), (None, false));
}

#[test]
fn beside_a_busy_host_the_bytes_end_the_search_and_the_host_bounds_the_rate() {
    let result = beside_a_busy_host(Settings { max_bytes: 1_500_000, ..Settings::default() });
    assert!(result.out_of_bytes && result.bytes < 1_600_000, "{}", result.bytes);
    assert_eq!(result.limited_by, Some(LimitedBy::Client));
    // Too few bytes for the hold: the host has not been judged yet.
    let result = beside_a_busy_host(Settings { max_bytes: 50_000, ..Settings::default() });
    assert_eq!((result.out_of_bytes, result.limited_by), (true, Some(LimitedBy::MaxBytes)));
}

#[test]
fn a_path_that_loses_everything_ends_the_search() {
    let judged = judge(&RatePath::new("rate=10Mbit,queue=64k loss=100%"), 1);
    assert_eq!(judged.result.rate, 0.0);
    assert!(judged.took < millis(15_000), "{}", judged.took);
}

/// One second without a report in the eleventh of the hold.
#[test]
fn a_short_blackout_late_in_a_search_does_not_end_it() {
    let changes = fading(13).chain([
        (millis(12_600), Change::Line("rate=20Mbit,queue=500k loss=100%".to_owned())),
        (millis(13_900), Change::Line("rate=20Mbit,queue=500k".to_owned())),
    ]);
    let path = RatePath { changes: changes.collect(), ..RatePath::new("rate=20Mbit,queue=500k") };
    let judged = judge(&path, 1);
    assert!(judged.answered > millis(13_900), "{}", judged.answered);
    assert!(!judged.result.silent && judged.result.pushed.is_some());
}

#[test]
fn silence_never_raises_the_rate() {
    let mut now = Instant::from_nanos(1_000_000_000);
    let mut search = RateSearch::new(Settings::default(), now);
    let rate = |search: &RateSearch| match search.command() {
        Command::Load { rate } => rate,
        other => panic!("{other:?}"),
    };
    search.idle_delay(now, millis(10));
    now += Duration::from_secs(1);
    search.handle_timeout(now);
    // 50 kbit/s of what is sent arrives, and a queue stands.
    for number in 0..20 {
        let before = now;
        now += millis(200);
        search.report(now, &slow(before, now, number));
    }
    let held = rate(&search);
    assert!(held < 100e3, "{held}");
    let mut rates = vec![held];
    while search.command() != Command::Done {
        rates.push(rate(&search));
        now = search.poll_timeout().expect("a timeout");
        search.handle_timeout(now);
    }
    assert!(rates.is_sorted_by(|before, after| after <= before), "{rates:?}");
}

/// One packet of 1,250 bytes each 200 ms, of 2 that were sent.
fn slow(from: Instant, until: Instant, number: i64) -> Report {
    let delay = millis(300 + number);
    Report {
        sent: 2,
        arrived: 1,
        bytes: 1_250,
        first_arrival: from,
        last_arrival: until,
        delay_p10: delay,
        delay_p50: delay,
        delay_p90: delay,
        delay_max: delay,
    }
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let path = RatePath { lateness: millis(1), ..RatePath::new("rate=5Mbit,queue=250k loss=1%") };
    assert_eq!(judge(&path, 7).result, judge(&path, 7).result);
    assert_ne!(judge(&path, 7).result, judge(&path, 8).result);
}
