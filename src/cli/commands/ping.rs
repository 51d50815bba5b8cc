//! `udpecho ping`: one run, and what its exit code says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::find_rate;
use crate::cli::args::{Fail, Ping};
use crate::cli::exit::{self, Exit};
use crate::cli::measurement::{Config, Measurement, Outcome};
use crate::cli::signals;
use crate::net::Control;
use crate::report::Thresholds;

pub(crate) fn run(arguments: &Ping, argv: Vec<String>) -> anyhow::Result<Exit> {
    if arguments.rate_search.find_rate.is_some() {
        return find_rate::run(arguments, argv);
    }
    let config = Config::new(arguments, argv)?;
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    let interim = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interim);
    signals::watch(&control, move || asked.store(true, Ordering::Release))
        .context("cannot watch for signals")?;
    if arguments.until_stdin_ends {
        signals::stop_when_stdin_ends(&control).context("cannot watch standard input")?;
    }
    let (summary, failures) = match Measurement::prepare(config, &control)?.run(&interim)? {
        Outcome::Complete { summary, failures } => (summary, failures),
        Outcome::NotStarted { why, exit } => return Ok(exit::print_error(&why, exit)),
        Outcome::Aborted => return Ok(Exit::Interrupted),
    };
    let breaches = thresholds(&arguments.fail).breaches(&summary);
    breaches.iter().for_each(|breach| exit::print_breach(breach));
    for failure in &failures {
        exit::print_error(failure, Exit::Error);
    }
    Ok(match () {
        () if !failures.is_empty() => Exit::Error,
        () if !breaches.is_empty() => Exit::Failed,
        () if summary.ok + summary.late == 0 => Exit::NoReply,
        () => Exit::Success,
    })
}

fn thresholds(fail: &Fail) -> Thresholds {
    Thresholds {
        loss: fail.fail_loss,
        p99: fail.fail_p99,
        jitter: fail.fail_jitter,
        reordering: fail.fail_reorder,
    }
}
