//! Thresholds end a run with exit code 3, and say which and by how much.

use tempfile::TempDir;

use crate::common::process::{Finished, Serve, command, run};

fn ping(serve: &Serve, options: &str) -> Finished {
    let place = TempDir::new().unwrap();
    let words = format!("ping -ip 127.0.0.1 -p {} -n 20 -i 0.01 -W 2 --no-record {options}", serve.port);
    run(command(place.path(), &words))
}

#[test]
fn each_threshold_that_is_not_kept_has_its_line() {
    let serve = Serve::start("--delay constant:20ms --loss nth:2");
    let all = "--fail-loss 1% --fail-p99 5ms --fail-jitter 1h --fail-reorder 0%";
    let finished = ping(&serve, all);
    assert_eq!((finished.code, finished.stderr.len()), (Some(3), 2), "{finished:#?}");
    assert_eq!(
        finished.stderr[0],
        "udpecho: failed: loss 50 % exceeds --fail-loss 1% by 49 percentage points"
    );
    // Held for 20 ms, and however long the machine took besides.
    let line = finished.stderr[1].strip_prefix("udpecho: failed: the RTT's p99 ").unwrap();
    let (p99, by) = line.split_once(" exceeds --fail-p99 5ms by ").unwrap();
    let [p99, by] = [p99, by].map(|time| {
        let (number, unit) = time.split_once(' ').unwrap();
        number.parse::<f64>().unwrap() * if unit == "s" { 1000.0 } else { 1.0 }
    });
    assert!(p99 >= 20.0 && (p99 - 5.0 - by).abs() <= p99 / 100.0, "{finished:#?}");
    assert!(finished.has_line(" packets transmitted"), "{finished:#?}");
    let kept = ping(&serve, "--fail-loss 50% --fail-p99 10s --fail-jitter 1h --fail-reorder 50%");
    assert_eq!((kept.code, kept.stderr.len()), (Some(0), 0), "{kept:#?}");
}

#[test]
fn nothing_known_is_nothing_kept() {
    let serve = Serve::start("--loss 100%");
    let finished = ping(&serve, "--fail-p99 1h");
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    assert!(finished.stderr[0].contains("the RTT's p99 is unknown"), "{finished:#?}");
    // Without a threshold it is no reply.
    assert_eq!(ping(&serve, "").code, Some(1));
}

#[test]
fn a_threshold_is_parsed_like_any_quantity() {
    let place = TempDir::new().unwrap();
    for (words, mentions) in [
        ("--fail-loss 101%", "between 0 and 1"),
        ("--fail-loss -1", "--fail-loss"),
        ("--fail-p99 0", "longer than zero"),
        ("--fail-jitter soon", "--fail-jitter"),
        ("--fail-reorder many", "--fail-reorder"),
    ] {
        let finished = run(command(place.path(), &format!("ping {words}")));
        assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
        assert!(
            finished.stderr[0].contains(mentions) && finished.stderr[0].contains("for example"),
            "{finished:#?}"
        );
    }
}
