//! stamp-suite, another implementation of STAMP: a sender, or with `--is-reflector` a reflector, by the options of its
//! own program, which is built here with the other peers. Its log goes to stderr.

mod stderr_log;

use std::error::Error;

use stamp_suite::configuration::Configuration;
use stamp_suite::shutdown::{CancellationToken, cancel_on_signal};
use stamp_suite::stats::StatsOutput;
use stamp_suite::{receiver, sender};

fn main() -> Result<(), Box<dyn Error>> {
    let configuration = Configuration::load()?;
    stderr_log::start("stamp_suite", log::LevelFilter::Info);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if configuration.is_reflector {
        runtime.block_on(reflect(&configuration))
    } else {
        runtime.block_on(send(&configuration))
    }
}

async fn reflect(configuration: &Configuration) -> Result<(), Box<dyn Error>> {
    let shared = receiver::create_shared_state(configuration)?;
    cancel_on_signal(shared.shutdown.clone());
    Ok(receiver::run_receiver(configuration, &shared).await?)
}

async fn send(configuration: &Configuration) -> Result<(), Box<dyn Error>> {
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone());
    let output = StatsOutput::new(configuration.output_format)?;
    let observers = sender::SenderObservers::default();
    for statistics in sender::run_senders(configuration, &output, observers, shutdown).await? {
        output.print_final(statistics).await?;
    }
    Ok(())
}
