//! Pictures of made-up runs: sound SVG, true numbers, nothing cut, nothing in another's way.

use crate::fixtures::drawing::{self, texts};
use crate::fixtures::{MadeRun, Transit, busy_at_times, classic, exponential, path, summary};
use udpecho::host::Figures;
use udpecho::probe::Cause;
use udpecho::record::Event;
use udpecho::report::{ChartData, Theme, chart, percent, png};
use udpecho::rng::Draws;

/// Runs that have broken pictures before: nothing, one, all alike, all lost, far out, very long.
fn made_runs() -> Vec<(&'static str, MadeRun)> {
    let lost =
        |cause| move |_: u64, _: f64, _: &mut _| Transit { loss: Some(cause), ..Transit::answered(1e6, 0.0) };
    vec![
        ("none", MadeRun::new(0, 0.5, classic(0.0))),
        ("one", MadeRun::new(1, 0.5, classic(0.0))),
        ("one, lost", MadeRun::new(1, 0.5, lost(Cause::Unknown))),
        (
            "ten in a tenth of a second",
            MadeRun::new(10, 0.01, |_, _, draws| Transit::answered(2e6 + exponential(draws, 1e6), 0.0)),
        ),
        ("the classic hundred", MadeRun::new(100, 0.5, classic(0.1))),
        ("the classic hundred, often late", MadeRun::new(100, 0.5, classic(0.1)).deadline(0.4)),
        ("all lost", MadeRun::new(100, 0.5, lost(Cause::Up))),
        (
            "never sent",
            MadeRun::new(20, 0.5, |_, _, _| Transit { send_error: true, ..Transit::answered(1e6, 0.0) }),
        ),
        (
            "one reply",
            MadeRun::new(100, 0.5, |seq, _, _| Transit {
                loss: (seq != 37).then_some(Cause::Refused),
                ..Transit::answered(23.4e6, 0.0)
            }),
        ),
        ("all late", MadeRun::new(50, 0.1, |_, _, _| Transit::answered(300e6, 0.0))),
        ("all equal", MadeRun::new(500, 0.1, |_, _, _| Transit::answered(10e6, 0.0))),
        ("no time at all", MadeRun::new(100, 0.1, |_, _, _| Transit::answered(0.0, 0.0))),
        (
            "below a microsecond",
            MadeRun::new(1_000, 0.01, |_, _, draws| {
                Transit::answered(300.0 + exponential(draws, 120.0), 20.0)
            }),
        ),
        (
            "one enormous outlier",
            MadeRun::new(1_000, 0.1, |seq, _, draws| {
                Transit::answered(if seq == 400 { 9e9 } else { 10e6 + exponential(draws, 1e6) }, 0.0)
            })
            .deadline(20.0),
        ),
        (
            "far and steady",
            MadeRun::new(3_000, 0.02, |_, _, draws| {
                Transit::answered(80e6 + exponential(draws, 0.8e6), 50e3)
            })
            .deadline(1.0),
        ),
        ("a path", MadeRun::new(600, 0.1, path(60.0))),
        ("ten thousand", MadeRun::new(10_000, 0.01, path(100.0)).deadline(0.2)),
        ("an hour", MadeRun::new(36_000, 0.1, path(3_600.0))),
        ("decaying", MadeRun::new(200, 0.5, classic(0.1)).decay(0.05)),
        ("decaying to the floor", MadeRun::new(20_000, 0.5, path(12.0)).decay(0.05)),
        ("every cause", every_cause()),
        ("every cause, decaying", every_cause().decay(0.05)),
        ("a knee", knee()),
        ("long names and many events", long_names()),
        ("hosts busy at times", MadeRun::new(600, 0.1, path(60.0)).hosts(61, busy_at_times)),
        ("hosts never busy", MadeRun::new(600, 0.1, path(60.0)).hosts(60, |_| Figures::default())),
        ("hosts busy for an hour", MadeRun::new(36_000, 0.1, path(3_600.0)).hosts(3_600, busy_at_times)),
        ("hosts, decaying", every_cause().decay(0.005).hosts(10, |s| busy_at_times(s + 16))),
        ("hosts, half a second", MadeRun::new(50, 0.01, path(0.5)).hosts(1, |_| busy_at_times(31))),
    ]
    .into_iter()
    .chain(sizes())
    .collect()
}

/// A queue that fills once probes come faster than it empties.
fn knee() -> MadeRun {
    let delay = |_: u64, at: f64, _: &mut _| Transit::answered(4e6 + (at - 9.0).max(0.0).powi(2) * 90e6, 0.0);
    let mut made = MadeRun::new(300, 0.2, delay).decay(0.02).deadline(1.0);
    made.run.summary = Some(summary(&made));
    made
}

fn long_names() -> MadeRun {
    let mut made = every_cause();
    let run = &mut made.run;
    run.config.host = "a-name-that-never-ends.".repeat(6) + "example.org";
    run.argv = vec!["udpecho ping --with --many --words".repeat(12)];
    run.server.as_mut().unwrap().injects = "delay=uniform:100us..500ms loss=10% ".repeat(8);
    let event = |k: usize| Event {
        at_us: 4.1e6 * k as f64,
        kind: ["server restarted", "clock step"][k % 2].to_owned(),
        text: String::new(),
    };
    run.events = (0..12).map(event).collect();
    made
}

/// From ten probes to ten thousand, from no loss to nothing else; the million is a test of its own.
fn sizes() -> impl Iterator<Item = (&'static str, MadeRun)> {
    let names = [
        ["10 probes, no loss", "10 probes, 10 % lost", "10 probes, all lost"],
        ["100 probes, no loss", "100 probes, 10 % lost", "100 probes, all lost"],
        ["10000 probes, no loss", "10000 probes, 10 % lost", "10000 probes, all lost"],
    ];
    let counts = [(10, 1.0), (100, 0.5), (10_000, 0.01)];
    counts.into_iter().zip(names).flat_map(|((count, interval), names)| {
        let losses = [0.0, 0.1, 1.0].into_iter().zip(names);
        losses.map(move |(loss, name)| (name, MadeRun::new(count, interval, every(loss)).deadline(1.0)))
    })
}

/// The classic server's delays; this share is lost, as evenly as can be.
fn every(share: f64) -> impl Fn(u64, f64, &mut Draws) -> Transit {
    move |seq, at, draws| {
        let lost = (seq as f64 * share + share).floor() > (seq as f64 * share).floor();
        Transit { loss: lost.then_some(Cause::Down), ..classic(0.0)(seq, at, draws) }
    }
}

fn every_cause() -> MadeRun {
    use Cause::{ClientOverflow, Down, InjectedDown, InjectedUp, Refused, ServerOverflow, Unknown, Up};
    const CAUSES: [Cause; 8] =
        [Up, Down, InjectedUp, InjectedDown, Refused, ServerOverflow, ClientOverflow, Unknown];
    MadeRun::new(1_200, 0.05, |seq, _, draws| Transit {
        loss: CAUSES.get((draws.unit() * 80.0) as usize).copied(),
        send_error: seq % 97 == 5,
        ..Transit::answered(10e6 + exponential(draws, 9e6), 3e6)
    })
}

fn data(made: &MadeRun) -> ChartData {
    let mut data = ChartData::new(&made.run);
    made.probes().for_each(|probe| data.push(&probe, |_| {}));
    data
}

fn draw(made: &MadeRun) -> String {
    chart::svg(&made.run, &data(made), Theme::Light)
}

/// What is inside the group of this name.
fn layer<'a>(svg: &'a str, name: &str) -> &'a str {
    let (_, rest) = svg.split_once(&format!("<g id=\"{name}\">")).expect("the layer is there");
    rest.split_once("</g>").expect("it ends").0
}

/// One mark is one element.
fn marks(svg: &str, name: &str) -> usize {
    layer(svg, name).lines().filter(|line| line.starts_with('<')).count()
}

/// To be looked at: `PICTURES` names a folder.
fn keep(name: &str, png: &[u8]) {
    if let Some(folder) = std::env::var_os("PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}

/// A picture's width and height, as its first chunk has them.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn every_picture_has_the_same_size() {
    for (name, made) in made_runs() {
        let png = png::rasterise(&draw(&made)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n", "{name}");
        assert_eq!(size(&png), (1600, 1200), "{name}");
        keep(name, &png);
    }
}

fn a_million_probes_are_drawn(loss: f64) {
    let made = MadeRun::new(1_000_000, 0.001, every(loss)).deadline(1.0);
    let svg = draw(&made);
    let faults = drawing::faults(&svg);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let png = png::rasterise(&svg).expect("a picture");
    assert_eq!(size(&png), (1600, 1200));
    keep(&format!("1000000 probes, {} % lost", loss * 100.0), &png);
}

#[test]
fn a_million_probes_without_a_loss_are_drawn() {
    a_million_probes_are_drawn(0.0);
}

#[test]
fn a_million_probes_of_which_one_in_ten_is_lost_are_drawn() {
    a_million_probes_are_drawn(0.1);
}

#[test]
fn a_million_lost_probes_are_drawn() {
    a_million_probes_are_drawn(1.0);
}

#[test]
fn no_picture_has_a_number_that_is_none() {
    for (name, made) in made_runs() {
        let svg = draw(&made);
        for word in ["NaN", "nan", ">inf", "\"inf", "-inf"] {
            assert!(!svg.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn texts_keep_clear_of_each_other_and_of_the_edges() {
    let mut faults = Vec::new();
    for (name, made) in made_runs() {
        let svg = draw(&made);
        let texts = texts(&svg);
        assert!(texts.len() > 40, "{name}: only {} texts", texts.len());
        faults.extend(drawing::faults(&svg).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_text_is_smaller_than_twelve_pixels() {
    for (name, made) in made_runs() {
        let svg = draw(&made);
        for size in svg.split("font-size=\"").skip(1) {
            // Units are tenths of a pixel.
            let size: f64 = size.split('"').next().unwrap().parse().unwrap();
            assert!(size > 119.9, "{name}: {size}");
        }
    }
}

#[test]
fn every_reply_and_every_loss_has_its_mark() {
    for (name, made) in made_runs() {
        let (data, svg) = (data(&made), draw(&made));
        let missed: u64 = data.statistics.outcomes.reasons().map(|(_, count)| count).sum();
        if data.marks.is_some() {
            assert_eq!(marks(&svg, "loss-marks") as u64, missed, "{name}");
        }
    }
    let svg = draw(&MadeRun::new(100, 0.5, classic(0.1)));
    assert_eq!(marks(&svg, "loss-marks") + marks(&svg, "replies"), 100);
}

#[test]
fn the_key_figures_are_the_runs() {
    let mut made = MadeRun::new(100, 0.5, classic(0.1));
    let summary = summary(&made);
    let rtt = summary.rtt_us.clone().unwrap();
    made.run.summary = Some(summary.clone());
    let texts = texts(&draw(&made));
    let shows = |text: String| assert!(texts.iter().any(|(shown, _)| *shown == text), "no '{text}'");
    shows(format!("{} / {}", summary.sent, summary.ok));
    shows(percent(summary.loss_share.unwrap()));
    let [low, high] = summary.loss_interval.unwrap();
    shows(format!("95 % CI {}–{}", percent(low).trim_end_matches(" %"), percent(high)));
    for micros in [rtt.p50, rtt.p90, rtt.p99, rtt.max] {
        shows(format!("{:.1} ms", micros / 1e3));
    }
    shows(format!("{:.1} ± {:.1} ms", rtt.mean / 1e3, rtt.stddev.unwrap() / 1e3));
    shows("udpecho ping → 192.0.2.10:8080 (UDP, IPv4)".to_owned());
    shows("server injects delay=uniform:100us..500ms loss=10% (seed 7)".to_owned());
}

/// A killed run has no summary; its probes say the same, but for the histogram's last digit.
#[test]
fn without_a_summary_the_figures_come_from_the_probes() {
    let mut made = MadeRun::new(100, 0.5, classic(0.1));
    let of_probes: Vec<String> = texts(&draw(&made)).into_iter().map(|(text, _)| text).collect();
    let summary = summary(&made);
    let p90 = format!("{:.1} ms", summary.rtt_us.clone().unwrap().p90 / 1e3);
    assert!(of_probes.contains(&p90), "no '{p90}' in {of_probes:?}");
    assert!(of_probes.contains(&format!("{} / {}", summary.sent, summary.ok)));
    made.run.summary = Some(summary);
    let of_summary = texts(&draw(&made));
    assert_eq!(of_probes.len(), of_summary.len());
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let made = MadeRun::new(600, 0.1, path(60.0));
    let (first, second) = (draw(&made), draw(&made));
    assert_eq!(first, second);
    assert_eq!(png::rasterise(&first).unwrap(), png::rasterise(&second).unwrap());
    assert_ne!(first, chart::svg(&made.run, &data(&made), Theme::Dark));
}

/// Nearly seven seconds without a reply in a run of forty: neither the median nor the delay goes on there,
/// and the throughput is zero.
#[test]
fn no_line_crosses_a_gap() {
    let made = MadeRun::new(400, 0.1, |_, at, draws| Transit {
        loss: (15.0..22.0).contains(&at).then_some(Cause::Down),
        ..Transit::answered(10e6 + exponential(draws, 3e6), 0.0)
    });
    let data = data(&made);
    let drawing = chart::drawing(&made.run, &data, Theme::Light);
    let svg = &drawing.svg;
    let crosses = |name: &str, wide: &str, id: &str| {
        let panel = drawing.panels().find(|panel| panel.id == id).expect("the panel");
        let at = |seconds: f64| panel.left + seconds / 40.0 * (panel.right - panel.left);
        let lines = layer(svg, name).lines().filter(|line| line.contains(wide));
        lines.filter_map(|line| line.split("points=\"").nth(1)).any(|points| {
            let xs = points.trim_end_matches("\"/>").split_whitespace();
            let xs: Vec<f64> = xs.map(|point| point.split(',').next().unwrap().parse().unwrap()).collect();
            xs.windows(2).any(|pair| pair[0] < at(15.5) && pair[1] > at(21.5))
        })
    };
    assert!(!crosses("rtt-lines", "stroke-width=\"20\"", "rtt"));
    assert!(!crosses("delay", "stroke-width=\"20\"", "delay"));
    let seconds = data.seconds();
    assert!(seconds.slots()[16..22].iter().all(|second| second.bits == 0 && second.delay().is_none()));
}

/// The load of the hosts: the reason stands beside its seconds, a quiet host says so, and a run
/// without figures has no such panel.
#[test]
fn a_busy_host_is_named_and_a_quiet_one_is_not() {
    let made = MadeRun::new(600, 0.1, path(60.0)).hosts(60, busy_at_times);
    let data = data(&made);
    let drawing = chart::drawing(&made.run, &data, Theme::Light);
    let texts: Vec<String> = texts(&drawing.svg).into_iter().map(|(text, _)| text).collect();
    for shown in
        ["C Load of the hosts", "steal 12 %", "busy 8 of 60 s", "client's host", "server's host", "not busy"]
    {
        assert!(texts.iter().any(|text| text == shown), "no '{shown}' in {texts:?}");
    }
    assert!(drawing.panels().any(|panel| panel.id == "hosts"));
    let without = MadeRun::new(600, 0.1, path(60.0));
    let data = ChartData::new(&without.run);
    assert!(chart::drawing(&without.run, &data, Theme::Light).panels().all(|panel| panel.id != "hosts"));
}

/// The host's name is written as text, whatever it contains.
#[test]
fn a_hostile_name_is_only_text() {
    let mut made = MadeRun::new(3, 0.5, classic(0.0));
    made.run.config.host = "</text><script>&\u{1}\u{1b}".to_owned();
    made.run.argv = vec!["]]>".to_owned()];
    let svg = draw(&made);
    assert!(!svg.contains("<script"));
    assert!(texts(&svg).iter().any(|(text, _)| text.contains("</text><script>&??")));
}
