//! Two runs over a path that did change: with probes enough it is found, named and not overstated.

use udpecho::report::compare::{Change, Changes, Figure, Sample, Verdict, changes, table};

use crate::paths::{MARGIN, Path, STEADY, WAVES, differences};

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
    assert!(found(Figure::Loss, 10_000, WAVES, after(WAVES)) >= PAIRS - 1);
}

#[test]
fn a_median_a_tenth_higher() {
    let after = |path: Path| Path { base: path.base + 1.05e6, ..path };
    assert!(found(Figure::Rtt(0.5), 300, STEADY, after(STEADY)) >= PAIRS - 1);
    assert!(found(Figure::Rtt(0.5), 4000, WAVES, after(WAVES)) >= PAIRS - 1);
}

#[test]
fn a_99th_percentile_twice_as_high() {
    let after = |path: Path| Path { slow: 54e6, ..path };
    assert!(found(Figure::Rtt(0.99), 20_000, STEADY, after(STEADY)) >= PAIRS - 1);
}

/// What gets better is no regression; it is told all the same.
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

/// A tenth of a per cent of the delay is nothing to anybody, however sure.
#[test]
fn a_sure_change_below_the_margin_is_small() {
    let quiet = Path { spread: 0.1e6, outliers: 0.0, ..STEADY };
    let after = Path { base: 8.1e6, ..quiet };
    let pair = || [quiet.sample(1, 2000), after.sample(2, 2000)];
    let judged = |margin| change(&changes(&pair(), margin)[0], Figure::Rtt(0.5)).verdict;
    assert_eq!(judged(MARGIN), Verdict::Small);
    assert_eq!(judged(0.01), Verdict::Worse);
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
    for said in [
        "B is worse than A: loss ",
        "B is worse than A: RTT p50 ",
        "nothing is shown to differ between A and C",
    ] {
        assert!(text.contains(said), "no '{said}' in\n{text}");
    }
}
