//! The picture of a comparison: sound SVG, nothing cut, nothing in another's way.

use udpecho::report::compare::{Sample, changes};
use udpecho::report::{Theme, chart, png};

use super::paths::{MARGIN, Path, STEADY, WAVES, sample};
use crate::fixtures::drawing::{faults, texts};

fn named(name: &str, mut sample: Sample) -> Sample {
    sample.name = name.to_owned();
    sample
}

fn draw(samples: &[Sample], theme: Theme) -> String {
    chart::overlay(samples, &changes(samples, MARGIN), MARGIN, theme)
}

/// Comparisons that might break a picture.
fn comparisons() -> Vec<(&'static str, Vec<Sample>)> {
    let far = Path { base: 250e6, fall: 0.3, ..WAVES };
    let lost = Path { fall: 1.0, recover: 0.0, ..STEADY };
    let many = (0..8).map(|k| Path { base: 8e6 + 1e6 * k as f64, ..WAVES }.sample(k, 600));
    let slow = Path { outliers: 0.001, slow: 9e9, ..STEADY };
    vec![
        ("two", vec![STEADY.sample(1, 600), Path { fall: 0.05, base: 9e6, ..STEADY }.sample(2, 600)]),
        ("empty", vec![sample([]), sample([])]),
        ("one probe", vec![STEADY.sample(1, 1), STEADY.sample(2, 1)]),
        ("all lost", vec![STEADY.sample(1, 600), lost.sample(2, 600)]),
        ("far apart", vec![STEADY.sample(1, 600), far.sample(2, 100)]),
        ("eight", many.collect()),
        ("outliers", vec![slow.sample(1, 2000), slow.sample(2, 5000)]),
        (
            "long names",
            vec![
                named(
                    &"results/20261120T173425Z-a-very-long-host.example.org".repeat(4),
                    STEADY.sample(1, 60),
                ),
                named("</text><script>&\u{1}", STEADY.sample(2, 60)),
            ],
        ),
    ]
}

#[test]
fn texts_keep_clear_of_each_other_and_of_the_edges() {
    for (name, samples) in comparisons() {
        let svg = draw(&samples, Theme::Light);
        assert!(!svg.contains("NaN") && !svg.contains("inf\"") && !svg.contains("<script"), "{name}");
        let faults = faults(&svg);
        assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
        let png = png::rasterise(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(folder) = std::env::var_os("PICTURES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
        }
    }
}

#[test]
fn every_run_has_its_line_in_every_panel_and_its_row() {
    let (_, samples) = comparisons().remove(5);
    let svg = draw(&samples, Theme::Dark);
    let shown: Vec<String> = texts(&svg).into_iter().map(|(text, _)| text).collect();
    for letter in 'A'..='H' {
        assert!(shown.contains(&letter.to_string()), "no {letter}");
    }
    let lines = |layer: &str| {
        let (_, rest) = svg.split_once(&format!("<g id=\"{layer}\">")).expect("the layer is there");
        let inside = rest.split_once("</g>").expect("it ends").0;
        inside
            .lines()
            .filter(|line| line.contains("stroke-width=\"18\"") || line.contains("stroke-width=\"20\""))
            .count()
    };
    // A loss of a whole second may break a line of the delay.
    assert_eq!((lines("distribution"), lines("throughput")), (8, 8));
    assert!(lines("delay") >= 8);
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let pair = || [STEADY.sample(1, 600), WAVES.sample(2, 600)];
    assert_eq!(draw(&pair(), Theme::Light), draw(&pair(), Theme::Light));
    assert_ne!(draw(&pair(), Theme::Light), draw(&pair(), Theme::Dark));
}
