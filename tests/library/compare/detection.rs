//! Two runs over a path that did change: with probes enough it is found, named and not overstated.

use udpecho::report::compare::{Change, Changes, Figure, Headline, Margin, Sample, Verdict, changes, table};
use udpecho::time::Duration;

use super::paths::{MARGIN, Path, STEADY, WAVES, differences, losing};

const PAIRS: u64 = 20;

/// In how many pairs of runs the figure is called worse.
fn found(figure: Figure, count: u64, before: Path, after: Path) -> u64 {
    let is_found = |k: &u64| {
        let changes = differences(before.sample(2 * k, count), after.sample(2 * k + 1, count));
        change(&changes, figure).is_regression()
    };
    (0..PAIRS).filter(is_found).count() as u64
}

fn change(changes: &Changes, figure: Figure) -> &Change {
    changes.0.iter().find(|change| change.figure == figure).expect("the figure is compared")
}

#[test]
fn loss_of_five_per_cent_instead_of_one() {
    let after = |path: Path| Path { fall: path.fall * 5.0, ..path };
    assert!(found(Figure::Loss, 1000, STEADY, after(STEADY)) >= PAIRS - 1);
    assert!(found(Figure::Loss, 4000, WAVES, after(WAVES)) >= PAIRS - 1);
}

#[test]
fn a_median_a_tenth_higher() {
    let after = |path: Path| Path { base: path.base + 1.05e6, ..path };
    assert!(found(Figure::Rtt(0.5), 300, STEADY, after(STEADY)) >= PAIRS - 1);
    assert!(found(Figure::Rtt(0.5), 3000, WAVES, after(WAVES)) >= PAIRS - 1);
}

#[test]
fn a_99th_percentile_twice_as_high() {
    let after = |path: Path| Path { slow: 54e6, ..path };
    assert!(found(Figure::Rtt(0.99), 20_000, STEADY, after(STEADY)) >= PAIRS - 1);
}

/// An improvement is no regression, and the table shows it.
#[test]
fn the_other_way_round_it_is_better() {
    let lossy = Path { fall: 0.05, base: 9.05e6, ..STEADY };
    let changes = differences(lossy.sample(1, 2000), STEADY.sample(2, 2000));
    assert_eq!(changes.regressions().count(), 0);
    for figure in [Figure::Loss, Figure::Rtt(0.5)] {
        assert_eq!(change(&changes, figure).verdict, Verdict::Better);
    }
    for change in &changes.0 {
        let Some((low, high)) = change.interval else { continue };
        assert!((low..=high).contains(&change.difference().unwrap()), "{change:?}");
    }
}

/// 100 us of 8 ms.
#[test]
fn a_change_below_either_margin_is_the_same() {
    let quiet = Path { spread: 0.1e6, outliers: 0.0, ..STEADY };
    let after = Path { base: 8.1e6, ..quiet };
    let pair = || [quiet.sample(1, 2000), after.sample(2, 2000)];
    let judged = |share, micros| {
        let margin = Margin { share, time: Duration::from_micros(micros) };
        change(&changes(&pair(), margin)[0], Figure::Rtt(0.5)).verdict
    };
    assert_eq!(judged(0.05, 50), Verdict::Same);
    assert_eq!(judged(0.01, 500), Verdict::Same);
    assert_eq!(judged(0.01, 50), Verdict::Worse);
}

/// 3 us of 20 are 15 %, and less than a host's time stamps are good for.
#[test]
fn a_change_of_3_us_is_no_regression() {
    let quiet = Path { base: 20e3, spread: 0.5e3, outliers: 0.0, ..STEADY };
    let after = Path { base: 23e3, ..quiet };
    let pair = [quiet.sample(1, 2000), after.sample(2, 2000)];
    let found = changes(&pair, MARGIN).remove(0);
    assert_eq!(found.regressions().count(), 0, "{found:?}");
    assert_eq!(change(&found, Figure::Rtt(0.5)).verdict, Verdict::Same);
    let found = changes(&pair, Margin { time: Duration::from_micros(2), ..MARGIN }).remove(0);
    assert_eq!(change(&found, Figure::Rtt(0.5)).verdict, Verdict::Worse);
}

/// A plain test at 5 % finds 40 of them; this one leaves 1.5 % for the other figures.
#[test]
fn independent_losses_of_5_and_9_per_cent_of_300_are_told_apart_in_25_of_80_pairs() {
    let (before, after) = (losing(0.05), losing(0.09));
    let is_found = |seed: &u64| {
        let found = differences(before.sample(*seed, 300), after.sample(*seed + 1000, 300));
        change(&found, Figure::Loss).is_regression()
    };
    let found = (1..=80).filter(is_found).count();
    assert!(found >= 25, "{found}");
}

#[test]
fn bursts_of_loss_against_none_are_a_finding() {
    let lossy = Path { fall: 0.028, recover: 0.28, ..STEADY };
    let clean = Path { fall: 0.0, ..STEADY };
    for seed in 1..=10 {
        let found = differences(clean.sample(seed, 1500), lossy.sample(seed + 100, 1500));
        assert_eq!(change(&found, Figure::Loss).verdict, Verdict::Worse, "{seed}");
        assert!(Headline::of('B', &found).to_string().starts_with("B is worse than A: loss "));
    }
}

#[test]
fn the_table_says_why_a_figure_of_many_replies_has_no_interval() {
    const WHY: &str = "no interval: neighbouring replies are alike";
    let said = |memory: f64| {
        let path = Path { memory, ..STEADY };
        let pair = [path.sample(1, 3000), path.sample(2, 3000)];
        table(&pair, &changes(&pair, MARGIN), MARGIN).join("\n")
    };
    let drifting = said(0.9999);
    assert!(drifting.contains(WHY) && drifting.contains("RTT p50"), "{drifting}");
    assert!(!said(0.0).contains(WHY));
}

/// Delays in waves of hundreds of probes: the replies are enough, what they tell is not.
#[test]
fn a_median_of_3000_replies_is_never_too_few() {
    for memory in [0.9, 0.99, 0.999, 0.9999] {
        let path = Path { memory, ..STEADY };
        let found = differences(path.sample(1, 3000), path.sample(2, 3000));
        let verdict = change(&found, Figure::Rtt(0.5)).verdict;
        assert!(matches!(verdict, Verdict::Same | Verdict::Undecided), "{memory}: {verdict:?}");
    }
}

#[test]
fn the_headline_says_which_figure_and_no_change_only_where_it_is_shown() {
    let said = |a: Sample, b: Sample| Headline::of('B', &differences(a, b)).to_string();
    let quiet = Path { spread: 0.1e6, outliers: 0.0, fall: 0.001, ..STEADY };
    let same = said(quiet.sample(1, 3000), quiet.sample(2, 3000));
    assert_eq!(
        same,
        "no change found between A and B: loss, RTT p50 and RTT p99 are the same within the margin"
    );
    let few = said(quiet.sample(1, 300), quiet.sample(2, 300));
    assert_eq!(
        few,
        "undecided between A and B: too few probes to tell for loss and RTT p99; the same within the \
         margin: RTT p50"
    );
    let lossy = Path { fall: 0.1, base: 6e6, ..quiet };
    let mixed = said(quiet.sample(1, 1000), lossy.sample(2, 1000));
    assert!(mixed.starts_with("B is worse than A: loss ") && mixed.contains("; better: RTT p50 "), "{mixed}");
}

/// Of a hundred replies the 99th percentile is the last but one: no interval holds it.
#[test]
fn few_probes_are_said_to_be_few() {
    let changes = differences(STEADY.sample(1, 100), STEADY.sample(2, 100));
    let p99 = change(&changes, Figure::Rtt(0.99));
    assert!(matches!(p99.verdict, Verdict::TooFew { needed } if needed > 400), "{p99:?}");
    assert_eq!(p99.interval, None);
    for count in [0, 1, 2] {
        let changes = differences(STEADY.sample(1, count), STEADY.sample(2, 1000));
        assert_eq!(changes.regressions().count(), 0, "{changes:?}");
        assert!(changes.0.iter().flat_map(|change| change.interval).all(|(low, high)| low <= high));
    }
}

#[test]
fn a_dead_path_is_a_finding() {
    let dead = Path { fall: 1.0, recover: 0.0, ..STEADY };
    for count in [50, 300] {
        let found = differences(STEADY.sample(1, count), dead.sample(2, count));
        assert_eq!(change(&found, Figure::Loss).verdict, Verdict::Worse, "{count}");
    }
}

/// More runs are more intervals, and each of them is wider.
#[test]
fn the_level_is_shared_by_all_runs() {
    let samples = |runs: u64| (1..=runs).map(|k| STEADY.sample(k, 1000)).collect::<Vec<Sample>>();
    let width = |runs| {
        let (low, high) = change(&changes(&samples(runs), MARGIN)[0], Figure::Loss).interval.unwrap();
        high - low
    };
    assert!(width(5) > width(2) * 1.05);
}

#[test]
fn the_table_fits_80_columns_and_says_what_changed() {
    let after = Path { fall: 0.05, base: 9.05e6, ..STEADY };
    let samples = [STEADY.sample(1, 2000), after.sample(2, 2000), STEADY.sample(3, 2000)];
    let changes = changes(&samples, MARGIN);
    let lines = table(&samples, &changes, MARGIN);
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", lines.join("\n"));
    let text = lines.join("\n");
    for said in ["lost or late: A ", " bursts); B "] {
        assert!(text.contains(said), "no '{said}' in\n{text}");
    }
    let headline = lines[..4].join(" ");
    assert!(headline.contains(" A and C"), "{text}");
    assert!(headline.starts_with("B is worse than A: loss ") && headline.contains(" RTT p50"), "{text}");
}
