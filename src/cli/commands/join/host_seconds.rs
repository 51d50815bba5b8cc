//! Tells the room each second of this host while an order runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::send;
use crate::host::reasons;
use crate::net::{Clock, HostSampler, RoomSender};
use crate::room::{Message, OrderNumber, ReportedSecond};
use crate::time::Duration;

pub(super) fn start(
    order: OrderNumber,
    over: &Arc<AtomicBool>,
    sender: &Arc<Mutex<RoomSender>>,
) -> std::io::Result<()> {
    let (over, sender) = (Arc::clone(over), Arc::downgrade(sender));
    let tell = move || {
        let mut sampler = HostSampler::start(None);
        loop {
            let stalled = sleep_a_second(&over);
            let Some(sender) = sender.upgrade().filter(|_| !over.load(Ordering::Acquire)) else { return };
            let mut figures = sampler.next_second();
            figures.stalled_us = stalled.map(Duration::as_micros_f64);
            figures.reasons = reasons(&figures).iter().map(ToString::to_string).collect();
            let reasons = figures.reasons.clone();
            let Ok(figures) = serde_json::to_value(figures) else { return };
            if send(&sender, &Message::Second { order, second: ReportedSecond { reasons, figures } }).is_err()
            {
                return;
            }
        }
    };
    std::thread::Builder::new().name("host".into()).spawn(tell).map(drop)
}

/// In short steps, so that the end is seen soon, and so that a step that lasts too long shows how long this
/// process stood still.
fn sleep_a_second(over: &AtomicBool) -> Option<Duration> {
    const STEP: Duration = Duration::from_millis(20);
    /// A busy machine wakes a process this late now and then.
    const STALL: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);
    let clock = Clock::start();
    let began = clock.now();
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::Acquire) && clock.now() - began < SECOND {
        let step = clock.now();
        std::thread::sleep(STEP.to_std());
        longest = longest.max(clock.now() - step - STEP);
    }
    Some(longest).filter(|longest| *longest >= STALL)
}
