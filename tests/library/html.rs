//! The report as a page: whole in one file, true to the run, bounded, and safe whatever a host is called.

use crate::fixtures::{MadeRun, Transit, busy_at_times, classic, path, summary};
use serde_json::Value;
use udpecho::probe::Cause;
use udpecho::report::{ChartData, Theme, html, percent};

fn page(made: &mut MadeRun, theme: Theme) -> String {
    made.run.summary = Some(summary(made));
    let mut data = ChartData::new(&made.run);
    made.probes().for_each(|probe| data.push(&probe, |_| {}));
    html(&made.run, &data, theme)
}

fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("the data");
    serde_json::from_str(rest.split_once("</script>").expect("its end").0).expect("sound JSON")
}

fn made_runs() -> Vec<(&'static str, MadeRun)> {
    let lost = |_: u64, _: f64, _: &mut _| Transit { loss: Some(Cause::Up), ..Transit::answered(1e6, 0.0) };
    vec![
        ("none", MadeRun::new(0, 0.5, classic(0.0))),
        ("one", MadeRun::new(1, 0.5, classic(0.0))),
        ("all lost", MadeRun::new(100, 0.5, lost)),
        ("the classic hundred", MadeRun::new(100, 0.5, classic(0.1)).deadline(0.4)),
        ("a path", MadeRun::new(600, 0.1, path(60.0))),
        ("hosts busy for an hour", MadeRun::new(36_000, 0.1, path(3_600.0)).hosts(3_600, busy_at_times)),
        ("decaying", MadeRun::new(200, 0.5, classic(0.1)).decay(0.05)),
        ("an hour", MadeRun::new(36_000, 0.1, path(3_600.0))),
    ]
}

/// Only a name space looks like an address.
#[test]
fn nothing_is_fetched() {
    for (name, mut made) in made_runs() {
        let page = page(&mut made, Theme::Light);
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
    let mut made = MadeRun::new(600, 0.1, path(60.0));
    let page = page(&mut made, Theme::Light);
    let (data, summary) = (data(&page), made.run.summary.clone().unwrap());
    let rows = |id: &str| {
        let panels = data["panels"].as_array().expect("panels");
        let panel = panels.iter().find(|panel| panel["id"] == id).expect("the panel");
        panel["hover"]["rows"].as_array().expect("rows").clone()
    };
    let text = |row: &Value| row[1].as_str().expect("text").to_owned();
    assert_eq!(rows("rtt").len() as u64, summary.ok + summary.late);
    assert_eq!(rows("loss").len() as u64, summary.sent - summary.ok);
    let probe = made.probes().find(|probe| probe.rtt.is_some()).unwrap();
    assert_eq!(rows("rtt")[0][2].as_i64(), probe.rtt.map(|rtt| rtt.as_nanos()));
    assert_eq!(rows("throughput").len(), 60);
    // The second line begins with how many were sent.
    let sent =
        |row: &Value| text(row).lines().nth(1).and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    assert_eq!(rows("delay").iter().filter_map(sent).sum::<u64>(), summary.sent);
    let answered = percent(summary.ok as f64 / summary.sent as f64);
    assert!(text(rows("cdf").last().unwrap()).ends_with(&format!("{answered} answered")));
    let replies =
        |row: &Value| text(row).lines().nth(1).and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    assert_eq!(rows("histogram").iter().filter_map(replies).sum::<u64>(), summary.ok);
    // The same seconds as text, and the causes.
    assert_eq!(page.matches("<th scope=\"row\">60</th>").count(), 1);
    for cause in ["network up", "network down", "unknown"] {
        assert!(page.contains(&format!("<th scope=\"row\">{cause}</th>")), "{cause}");
    }
}

#[test]
fn a_long_run_makes_no_larger_page() {
    let long = page(&mut MadeRun::new(300_000, 0.1, path(30_000.0)), Theme::Light);
    assert!(long.len() < 3 << 20, "{}", long.len());
    let data = data(&long);
    let panels = data["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| panel["hover"]["rows"].as_array().unwrap().len() < 4000));
    let columns = panels[0]["hover"]["rows"].as_array().unwrap();
    let sent = |row: &Value| row[1].as_str()?.lines().nth(1)?.split(' ').next()?.parse::<u64>().ok();
    assert_eq!(columns.iter().filter_map(sent).sum::<u64>(), 300_000);
}

#[test]
fn a_hostile_name_is_only_text() {
    let mut made = MadeRun::new(3, 0.5, classic(0.0));
    made.run.config.host = "</title><script>alert(1)</script>\"'&\u{1b}\u{202e}".to_owned();
    made.run.argv = vec!["</script><img onerror=x>".to_owned()];
    made.run.server.as_mut().unwrap().injects = "<b onload=\"x\">".to_owned();
    made.run.started = "<i>".to_owned();
    let page = page(&mut made, Theme::Light);
    assert_eq!(page.matches("<script").count(), 2, "the data and ours");
    for word in ["<img", "<b ", "<i>", "</title><", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn the_page_is_light_or_dark_as_its_reader_prefers_or_always_dark() {
    let of = |theme| page(&mut MadeRun::new(100, 0.5, classic(0.1)), theme);
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
