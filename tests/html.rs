//! The report as a page: whole in one file, true to the run, bounded, and safe whatever a host is called.

#[allow(dead_code, reason = "each test uses its own part")]
mod specimen;

use serde_json::Value;
use specimen::{SecondOutcome, Specimen, classic, path, summary};
use udpecho::probe::Cause;
use udpecho::report::{ChartData, Theme, html};

fn page(specimen: &mut Specimen, theme: Theme) -> String {
    specimen.run.summary = Some(summary(specimen));
    let mut data = ChartData::new(&specimen.run);
    specimen.probes().for_each(|probe| data.push(&probe, |_| {}));
    html(&specimen.run, &data, theme)
}

fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("the data");
    serde_json::from_str(rest.split_once("</script>").expect("its end").0).expect("sound JSON")
}

fn specimens() -> Vec<(&'static str, Specimen)> {
    let lost = |_: u64, _: f64, _: &mut _| SecondOutcome {
        loss: Some(Cause::Up),
        ..SecondOutcome::answered(1e6, 0.0)
    };
    vec![
        ("none", Specimen::new(0, 0.5, classic(0.0))),
        ("one", Specimen::new(1, 0.5, classic(0.0))),
        ("all lost", Specimen::new(100, 0.5, lost)),
        ("the classic hundred", Specimen::new(100, 0.5, classic(0.1)).deadline(0.4)),
        ("a path", Specimen::new(600, 0.1, path(60.0))),
        ("decaying", Specimen::new(200, 0.5, classic(0.1)).decay(0.05)),
        ("an hour", Specimen::new(36_000, 0.1, path(3_600.0))),
    ]
}

/// Only a name space looks like an address.
#[test]
fn nothing_is_fetched() {
    for (name, mut specimen) in specimens() {
        let page = page(&mut specimen, Theme::Light);
        let addresses: Vec<&str> = page.split("http").skip(1).collect();
        assert!(
            addresses
                .iter()
                .all(|rest| rest.starts_with("://www.w3.org/2000/svg\"") || rest.starts_with("-equiv"))
        );
        for word in
            ["src=", "@import", "url(", "fetch(", "XMLHttp", "<iframe", "<object", "<img", "NaN", "-inf"]
        {
            assert!(!page.contains(word), "{name}: {word}");
        }
        assert!(page.contains("default-src 'none'") && page.contains("name=\"viewport\""));
        assert_eq!(page.matches("href=").count(), 1, "{name}: the empty icon");
        if let Some(folder) = std::env::var_os("PAGES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), page).unwrap();
        }
    }
}

#[test]
fn the_data_are_the_runs() {
    let mut specimen = Specimen::new(600, 0.1, path(60.0));
    let page = page(&mut specimen, Theme::Light);
    let (data, summary) = (data(&page), specimen.run.summary.clone().unwrap());
    let rows = |name: &str| data[name].as_array().expect("rows").clone();
    assert_eq!(rows("replies").len() as u64, summary.ok + summary.late);
    assert_eq!(rows("losses").len() as u64, summary.sent - summary.ok);
    let probe = specimen.probes().find(|probe| probe.rtt.is_some()).unwrap();
    assert_eq!(rows("replies")[0][1].as_i64(), probe.rtt.map(|rtt| rtt.as_nanos()));
    let seconds = data["seconds"]["rows"].as_array().unwrap();
    assert_eq!(seconds.len(), 60);
    assert_eq!(seconds.iter().map(|row| row[0].as_u64().unwrap()).sum::<u64>(), summary.sent);
    let bits: u64 = seconds.iter().map(|row| row[2].as_u64().unwrap()).sum();
    assert_eq!(bits, summary.ok * u64::from(specimen.run.config.size) * 16);
    let answered = summary.ok as f64 / summary.sent as f64;
    assert!((rows("shares").last().unwrap()[1].as_f64().unwrap() - answered).abs() < 1e-9);
    assert_eq!(rows("bars").iter().map(|bar| bar[2].as_u64().unwrap()).sum::<u64>(), summary.ok);
    // The same seconds as text, and the causes.
    assert_eq!(page.matches("<th scope=\"row\">60</th>").count(), 1);
    for cause in ["network up", "network down", "unknown"] {
        assert!(page.contains(&format!("<th scope=\"row\">{cause}</th>")), "{cause}");
    }
}

#[test]
fn a_long_run_makes_no_larger_page() {
    let long = page(&mut Specimen::new(300_000, 0.1, path(30_000.0)), Theme::Light);
    assert!(long.len() < 3 << 20, "{}", long.len());
    let data = data(&long);
    assert!(data["shares"].as_array().unwrap().len() < 4000);
    assert!(data["replies"].is_null() && data["losses"].is_null());
    let columns = data["columns"]["rows"].as_array().unwrap();
    assert_eq!(columns.iter().map(|row| row[0].as_u64().unwrap()).sum::<u64>(), 300_000);
}

#[test]
fn a_hostile_name_is_only_text() {
    let mut specimen = Specimen::new(3, 0.5, classic(0.0));
    specimen.run.config.host = "</title><script>alert(1)</script>\"'&\u{1b}\u{202e}".to_owned();
    specimen.run.argv = vec!["</script><img onerror=x>".to_owned()];
    specimen.run.server.as_mut().unwrap().injects = "<b onload=\"x\">".to_owned();
    specimen.run.started = "<i>".to_owned();
    let page = page(&mut specimen, Theme::Light);
    assert_eq!(page.matches("<script").count(), 2, "the data and ours");
    for word in ["<img", "<b ", "<i>", "</title><", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn the_page_is_light_or_dark_as_its_reader_prefers_or_always_dark() {
    let of = |theme| page(&mut Specimen::new(100, 0.5, classic(0.1)), theme);
    let (light, dark) = (of(Theme::Light), of(Theme::Dark));
    assert!(light.contains("@media (prefers-color-scheme: dark)"));
    assert!(!dark.contains("@media (prefers-color-scheme"));
    // Every colour of the light drawing that is not that of the dark one is replaced.
    for kind in ["fill", "stroke"] {
        for colour in light.split(&format!(" {kind}=\"#")).skip(1).map(|rest| &rest[..6]) {
            let same = ["E69F00", "CC79A7", "D55E00", "009E73"];
            let rule = format!("#chart [{kind}=\"#{colour}\"]");
            assert!(same.contains(&colour) || dark.contains(&rule), "{kind} {colour}");
        }
    }
}
