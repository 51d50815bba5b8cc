//! Runs the measurement of an order as a `ping` of its own, so that its record is that of any run. It stops when
//! its standard input ends: this process closes that on `stop`, the kernel if this process is killed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::lock;
use crate::host::Figures;
use crate::record::{Folder, Hosts};
use crate::room::{OrderFigures, OrderNumber};

/// A measurement that may be stopped, and the seconds of the other host.
#[derive(Default)]
pub(super) struct Measuring {
    measurement: Mutex<Measurement>,
    other: Mutex<Vec<Figures>>,
}

#[derive(Default)]
struct Measurement {
    is_stopped: bool,
    /// Of the process that measures, while it runs.
    stdin: Option<ChildStdin>,
}

impl Measuring {
    /// It sends no more probes; its record is whole up to then.
    pub(super) fn stop(&self) {
        let mut measurement = lock(&self.measurement);
        measurement.is_stopped = true;
        measurement.stdin = None;
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.measurement).is_stopped
    }

    /// A stop may come before the process has started.
    fn started(&self, stdin: Option<ChildStdin>) {
        let mut measurement = lock(&self.measurement);
        measurement.stdin = stdin.filter(|_| !measurement.is_stopped);
    }

    pub(super) fn other_second(&self, figures: Value) {
        const MOST: usize = 120;
        let mut other = lock(&self.other);
        if let Ok(mut figures) = serde_json::from_value::<Figures>(figures)
            && other.len() < MOST
        {
            figures.second = other.len() as u64 + 1;
            other.push(figures);
        }
    }
}

/// The figures for the room, and the folder of the run, `results/order-4` or `results/order-4-2`, …, if that can
/// be written.
pub(super) fn measure(
    order: OrderNumber,
    words: &[String],
    key: Option<String>,
    measuring: &Measuring,
) -> (OrderFigures, Option<PathBuf>) {
    // Made at once, so that two hosts that share a folder do not share a record.
    let folder = Folder::create_new(Path::new("results"), &format!("order-{order}")).ok();
    match run(words, key, folder.as_ref().map(Folder::path), measuring) {
        Ok(run) => {
            if let Some(folder) = &folder {
                // The run itself is whole without them.
                let _ = add_other_host(folder.path(), std::mem::take(&mut *lock(&measuring.other)));
            }
            (figures_of(&run), folder.map(|folder| folder.path().to_owned()))
        }
        Err(error) => {
            // Empty, unless the run began.
            folder.iter().for_each(Folder::discard);
            (OrderFigures::failed(&format!("{error:#}")), None)
        }
    }
}

fn run(
    words: &[String],
    key: Option<String>,
    folder: Option<&Path>,
    measuring: &Measuring,
) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
    command.args(["ping", "--json", "--until-stdin-ends"]).args(words);
    match folder {
        Some(folder) => command.arg("-o").arg(folder),
        None => command.arg("--no-record"),
    };
    if let Some(key) = key {
        command.env("UDPECHO_KEY", key);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start the measurement")?;
    measuring.started(child.stdin.take());
    let stderr = child.stderr.take();
    let errors = std::thread::spawn(move || text(stderr));
    let stdout = text(child.stdout.take());
    let errors = errors.join().unwrap_or_default();
    child.wait().context("cannot wait for the measurement")?;
    serde_json::from_str(&stdout).map_err(|_| {
        let why = errors.lines().last().unwrap_or("it was stopped");
        anyhow!("{}", why.trim_start_matches("udpecho: ").to_owned())
    })
}

fn text(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn add_other_host(folder: &Path, other: Vec<Figures>) -> anyhow::Result<()> {
    let folder = Folder::open(folder)?;
    let mut run = folder.read_run()?;
    let client = run.hosts.take().map(|hosts| hosts.client).unwrap_or_default();
    run.hosts = Some(Hosts { client, server: Some(other) });
    folder.write_run(&run)?;
    Ok(())
}

fn figures_of(run: &Value) -> OrderFigures {
    let summary = &run["summary"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let (up, down) = (count(&summary["causes"]["up"]), count(&summary["causes"]["down"]));
    let quantile = |name: &str| summary["rtt_all_us"][name].as_f64();
    OrderFigures {
        sent: count(&summary["sent"]),
        on_time: count(&summary["ok"]),
        lost_up: up,
        lost_down: down,
        lost_other: count(&summary["lost"]).saturating_sub(up + down),
        rtt_p50_us: quantile("p50"),
        rtt_p99_us: quantile("p99"),
        failed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rooms_figures_are_those_of_run_json() {
        let run = serde_json::json!({"summary": {
            "sent": 100, "ok": 96, "lost": 4, "causes": {"up": 2, "down": 1, "unknown": 1},
            "rtt_all_us": {"p50": 12_100.0, "p99": 40_300.0},
        }});
        let figures = figures_of(&run);
        assert_eq!((figures.sent, figures.on_time), (100, 96));
        assert_eq!((figures.lost_up, figures.lost_down, figures.lost_other), (2, 1, 1));
        assert_eq!((figures.rtt_p50_us, figures.rtt_p99_us), (Some(12_100.0), Some(40_300.0)));
        assert_eq!(figures_of(&serde_json::json!({})), OrderFigures::default());
    }
}
