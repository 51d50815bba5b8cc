//! Tells the room how busy this host is, on a thread of its own, for as long as the connection lasts.

use std::sync::{Arc, Mutex};

use anyhow::Context;

use super::send;
use crate::cli::args::Share;
use crate::host::{Process, busiest_processes, in_words};
use crate::net::{HostSampler, RoomSender, lower_priority, processes};
use crate::room::Message;
use crate::time::Duration;

const PERIOD: Duration = Duration::from_secs(2);
/// Of a processor, which the kernel counts in hundredths of a second.
const TICKS: u64 = 200;
const SHOWN: usize = 3;

pub(super) fn start(share: Share, sender: &Arc<Mutex<RoomSender>>) -> anyhow::Result<()> {
    let with_processes = match share {
        Share::Nothing => return Ok(()),
        Share::Load => false,
        Share::Processes => true,
    };
    let sender = Arc::downgrade(sender);
    let tell = move || {
        lower_priority();
        let mut sampler = HostSampler::start(None);
        let mut before: Vec<Process> = if with_processes { processes() } else { Vec::new() };
        loop {
            std::thread::sleep(PERIOD.to_std());
            let figures = sampler.next_second();
            let mut busiest = Vec::new();
            if with_processes {
                let now = processes();
                busiest = busiest_processes(&before, &now, SHOWN);
                before = now;
            }
            let load = Message::Load(in_words(&figures, &busiest, TICKS));
            let Some(sender) = sender.upgrade() else { return };
            if send(&sender, &load).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("load".into()).spawn(tell).context("cannot start a thread")?;
    Ok(())
}
