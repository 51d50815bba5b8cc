//! What one of two runs does not know is not compared: the table, the JSON and the picture say so.

use udpecho::probe::Dialect;
use udpecho::report::Theme;
use udpecho::report::chart::overlay;
use udpecho::report::compare::{Document, Figure, Sample, Verdict, changes, table};
use udpecho::time::Duration;

use super::paths::{MARGIN, STEADY, run};

/// Of the native dialect, with 2 ms at the server; of another one, as if its server told no times.
fn sample(dialect: Dialect) -> Sample {
    let mut run = run();
    (run.config.dialect, run.knows) = (dialect, Some(dialect.knows()));
    let mut sample = Sample::new("run", run);
    let at_server = Some(Duration::from_millis(2)).filter(|_| dialect == Dialect::Native);
    for probe in STEADY.probes(1, 1000) {
        let server = probe.rtt.and(at_server);
        sample.push(&udpecho::probe::Resolved { server, hold: server, ..probe });
    }
    sample
}

#[test]
fn the_time_at_the_server_is_not_compared_with_a_run_that_does_not_know_it() {
    for (pair, side) in [
        ([sample(Dialect::Native), sample(Dialect::Plain)], "B"),
        ([sample(Dialect::Plain), sample(Dialect::Native)], "A"),
    ] {
        let found = changes(&pair, MARGIN);
        let net = found[0].0.iter().filter(|change| matches!(change.figure, Figure::Net(_)));
        let unknown = Verdict::Unknown { before: side == "A", after: side == "B" };
        let verdicts: Vec<Verdict> = net.map(|change| change.verdict).collect();
        assert_eq!(verdicts, [unknown; 3]);
        let lines = table(&pair, &found, MARGIN).join("\n");
        let said = format!("not compared: {side}, plain dialect, does not tell network p50, network p90");
        assert!(lines.contains(&said), "{lines}");
        let row = lines.lines().find(|line| line.starts_with("network p50")).unwrap();
        assert!(row.contains(" - ") && row.ends_with("unknown"), "{row}");
        let json = Document::new(&pair, &found, MARGIN).text();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let figures = json["comparisons"][0]["figures"].as_array().unwrap();
        let figure = figures.iter().find(|figure| figure["figure"] == "network_p50").unwrap();
        assert_eq!((&figure["verdict"], &figure["unknown_in"]), (&"unknown".into(), &vec![side].into()));
        assert!(figure["difference"].is_null() && figure["low"].is_null());
        assert!(overlay(&pair, &found, MARGIN, Theme::Light).contains("unknown"));
    }
}

#[test]
fn runs_that_both_know_a_figure_are_compared() {
    let pair = [sample(Dialect::Native), sample(Dialect::Native)];
    let found = changes(&pair, MARGIN);
    assert!(found[0].0.iter().any(|change| change.figure == Figure::Net(0.5)));
    assert!(!table(&pair, &found, MARGIN).join("\n").contains("not compared"));
}
