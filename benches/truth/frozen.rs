//! A server that is stopped for 100 ms of each second, measured at 1 kHz: a hundredth of the probes
//! waits for more than 90 ms, and whoever sends the next probe only after a reply never sees it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Signals, free_port, ping, read, serve};
use crate::{Verdict, within};

const FROZEN: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_secs(1);
const SECONDS: u32 = 20;

#[allow(clippy::disallowed_methods, reason = "a benchmark keeps real time")]
pub fn run() -> Vec<Verdict> {
    let port = free_port();
    let server = serve(None, port);
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("-ip 127.0.0.1 -p {port} -n {} -i 1ms -W 1", SECONDS * 1000);
    let mut signals = Signals::new();
    let mut pinger = ping(None, &words, &folder.path().join("run")).spawn().expect("udpecho ping");
    // Whole periods within the run, begun after the calibration.
    sleep(PERIOD / 2);
    let start = Instant::now();
    for period in 0..SECONDS - 1 {
        let at = start + PERIOD * period;
        sleep(at.saturating_duration_since(Instant::now()));
        signals.send("STOP", server.0.id());
        sleep((at + FROZEN).saturating_duration_since(Instant::now()));
        signals.send("CONT", server.0.id());
    }
    assert!(pinger.wait().expect("its end").success());
    let (_, mut rows) = read(&folder.path().join("run"));
    // Before the first stall and after the last nothing was disturbed.
    rows.retain(|row| (500..SECONDS as i64 * 1000 - 500).contains(&(row.due.as_nanos() / 1_000_000)));
    let mut by_due: Vec<f64> = rows.iter().filter_map(|row| Some(row.due_rtt()?.as_micros_f64())).collect();
    let mean = by_due.iter().sum::<f64>() / by_due.len() as f64;
    vec![
        Verdict {
            text: format!("{} of {} probes answered, from stall to stall", by_due.len(), rows.len()),
            good: by_due.len() == rows.len(),
        },
        within("mean of the RTT by due time", mean, 4_500.0, 5_700.0),
        within("p99 of the RTT by due time", crate::percentile(&mut by_due, 0.99), 88_000.0, 92_000.0),
    ]
}
