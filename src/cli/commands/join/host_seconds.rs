//! Tells the room each second of this host while an order runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::send;
use crate::host::reasons;
use crate::net::{HostSampler, RoomSender};
use crate::room::{Message, OrderNumber, ReportedSecond};
use crate::time::Duration;

pub(super) fn start(
    order: OrderNumber,
    over: &Arc<AtomicBool>,
    sender: &Arc<Mutex<RoomSender>>,
) -> std::io::Result<()> {
    const SECOND: Duration = Duration::from_secs(1);
    let (over, sender) = (Arc::clone(over), Arc::downgrade(sender));
    let tell = move || {
        let mut sampler = HostSampler::start(None);
        loop {
            std::thread::sleep(SECOND.to_std());
            let Some(sender) = sender.upgrade().filter(|_| !over.load(Ordering::Acquire)) else { return };
            let mut figures = sampler.next_second();
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
