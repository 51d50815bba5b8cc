//! The part of this host in a measurement on order: opens a socket, looks for a way, then measures or answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::files::Files;
use super::host_seconds;
use super::measure::{Measuring, measure};
use super::reflector::Reflector;
use super::send;
use crate::cli::printer::stderr_line;
use crate::net::{RoomSender, WayFinder};
use crate::room::{FoundWay, Message, OrderEvent, OrderFigures, OrderNumber, OrderTerms};

/// The orders of one connection to a room. Dropped, with the connection, all that belongs to them ends.
pub(super) struct Orders {
    sender: Arc<Mutex<RoomSender>>,
    /// Recorded runs go to the shelf.
    files: Arc<Files>,
    room: SocketAddr,
    /// With which this host reaches the room.
    own: SocketAddr,
    key_file: Option<std::path::PathBuf>,
    current: Option<Current>,
}

/// The order that this host takes part in now.
struct Current {
    order: OrderNumber,
    key: [u8; 32],
    key_text: String,
    answers: bool,
    terms: OrderTerms,
    port: u16,
    /// Ends the search for a way, the sampling, and the measurement.
    over: Arc<AtomicBool>,
    way: Option<Arc<WayFinder>>,
    way_over: Arc<AtomicBool>,
    searching: Option<JoinHandle<()>>,
    found: Arc<Mutex<Option<SocketAddr>>>,
    reflector: Option<Reflector>,
    measuring: Arc<Measuring>,
    files: Arc<Files>,
}

impl Orders {
    pub(super) fn new(
        sender: &Arc<Mutex<RoomSender>>,
        files: &Arc<Files>,
        room: SocketAddr,
        key_file: Option<std::path::PathBuf>,
    ) -> std::io::Result<Self> {
        let own = lock(sender).local_address()?;
        let (sender, files) = (Arc::clone(sender), Arc::clone(files));
        Ok(Self { sender, files, room, own, key_file, current: None })
    }

    /// Does what the room asks of this host.
    pub(super) fn handle(&mut self, event: &OrderEvent) {
        let done = match event {
            OrderEvent::Prepare { order, key, answers, terms } => self.prepare(*order, key, *answers, *terms),
            OrderEvent::FindWay { order, candidates } => {
                self.of(*order, |current, sender| current.find(sender, candidates.clone()))
            }
            OrderEvent::Way { order, way, .. } => {
                self.of(*order, |current, sender| current.way_is_known(sender, way))
            }
            OrderEvent::Measure { order, to, .. } => {
                self.of(*order, |current, sender| current.measure_to(sender, *to))
            }
            OrderEvent::MeasureRoom { order, .. } => {
                let (room, key_file) = (self.room, self.key_file.clone());
                self.of(*order, |current, sender| current.measure_room(sender, room, key_file))
            }
            OrderEvent::Second { order, figures } => self.of(*order, |current, _| {
                current.measuring.other_second(figures.clone());
                Ok(())
            }),
            OrderEvent::Close { order } => {
                self.current.take_if(|current| current.order == *order);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.fail(&format!("{error:#}"));
        }
    }

    fn of(
        &mut self,
        order: OrderNumber,
        act: impl FnOnce(&mut Current, &Arc<Mutex<RoomSender>>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.current.as_mut().filter(|current| current.order == order) {
            Some(current) => act(current, &self.sender),
            None => Ok(()),
        }
    }

    fn prepare(
        &mut self,
        order: OrderNumber,
        key_text: &str,
        answers: bool,
        terms: OrderTerms,
    ) -> anyhow::Result<()> {
        let way = WayFinder::open()?;
        let port = way.port()?;
        let key = key_of(key_text).ok_or_else(|| anyhow::anyhow!("the room sent no key"))?;
        let current = Current {
            order,
            key,
            key_text: key_text.to_owned(),
            answers,
            terms,
            port,
            over: Arc::default(),
            way: Some(Arc::new(way)),
            way_over: Arc::default(),
            searching: None,
            found: Arc::default(),
            reflector: None,
            measuring: Arc::default(),
            files: Arc::clone(&self.files),
        };
        self.current = Some(current);
        let candidates = vec![SocketAddr::new(self.own.ip().to_canonical(), port)];
        send(&self.sender, &Message::Addresses { order, candidates, port_varies: false })?;
        Ok(())
    }

    /// The room hears why; a host that does not measure is not waited for.
    fn fail(&self, why: &str) {
        let Some(current) = &self.current else { return };
        let figures = OrderFigures { failed: Some(why.to_owned()), ..OrderFigures::default() };
        let order = current.order;
        let _ = send(&self.sender, &Message::Result { order, figures });
        let _ = send(&self.sender, &Message::Recorded { order });
    }
}

impl Current {
    fn find(&mut self, sender: &Arc<Mutex<RoomSender>>, candidates: Vec<SocketAddr>) -> anyhow::Result<()> {
        let Some(way) = self.way.clone() else { return Ok(()) };
        let (order, key, answers) = (self.order, self.key, self.answers);
        let (over, found, sender) = (Arc::clone(&self.way_over), Arc::clone(&self.found), Arc::clone(sender));
        let search = move || {
            if let Ok(Some(at)) = way.find(&key, answers, &candidates, &over) {
                *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
                let _ = send(&sender, &Message::Found { order, at });
            }
        };
        self.searching = Some(std::thread::Builder::new().name("way".into()).spawn(search)?);
        Ok(())
    }

    /// From now on the port belongs to the measurement, and each second of this host is told.
    fn way_is_known(&mut self, sender: &Arc<Mutex<RoomSender>>, way: &FoundWay) -> anyhow::Result<()> {
        self.release_port();
        host_seconds::start(self.order, &self.over, sender)?;
        if self.answers && matches!(way, FoundWay::Direct(_)) {
            self.reflector = Some(Reflector::start(self.port, &self.key, self.terms)?);
        }
        Ok(())
    }

    fn release_port(&mut self) {
        self.way_over.store(true, Ordering::Release);
        if let Some(searching) = self.searching.take() {
            let _ = searching.join();
        }
        self.way = None;
    }

    /// The room may name no address but the one that this host found.
    fn measure_to(&mut self, sender: &Arc<Mutex<RoomSender>>, to: SocketAddr) -> anyhow::Result<()> {
        let found = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(found == Some(to), "{to} did not answer");
        // The other host may not listen yet: its client takes a moment to hand the port to the server.
        let mut words = vec!["--wait".to_owned(), "--source-port".to_owned(), self.port.to_string()];
        words.extend(self.words(to));
        self.start(sender, words, Some(self.key_text.clone()))
    }

    fn measure_room(
        &mut self,
        sender: &Arc<Mutex<RoomSender>>,
        room: SocketAddr,
        key_file: Option<std::path::PathBuf>,
    ) -> anyhow::Result<()> {
        let mut words = self.words(room);
        if let Some(file) = key_file {
            words.extend(["--key-file".to_owned(), file.display().to_string()]);
        }
        self.start(sender, words, None)
    }

    fn words(&self, to: SocketAddr) -> Vec<String> {
        let OrderTerms { count, interval_us, size } = self.terms;
        let interval = format!("{interval_us}us");
        ["-n", &count.to_string(), "-i", &interval, "-s", &size.to_string(), &to.to_string()]
            .map(str::to_owned)
            .to_vec()
    }

    fn start(
        &self,
        sender: &Arc<Mutex<RoomSender>>,
        words: Vec<String>,
        key: Option<String>,
    ) -> anyhow::Result<()> {
        let (order, measuring, sender) = (self.order, Arc::clone(&self.measuring), Arc::clone(sender));
        let files = Arc::clone(&self.files);
        let run = move || {
            let (figures, folder) = measure(order, &words, key, &measuring);
            let _ = send(&sender, &Message::Result { order, figures });
            let offer = folder.map(|folder| files.run_of(order, &folder));
            if let Some(Err(error)) = &offer {
                stderr_line(format_args!("udpecho: the run of order {order}: {error:#}"));
            }
            let next = offer.and_then(Result::ok).unwrap_or(Message::Recorded { order });
            let _ = send(&sender, &next);
        };
        std::thread::Builder::new().name("measure".into()).spawn(run)?;
        Ok(())
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.measuring.stop();
        self.release_port();
    }
}

fn lock(sender: &Mutex<RoomSender>) -> std::sync::MutexGuard<'_, RoomSender> {
    sender.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert_eq!(key_of(&"0f".repeat(32)), Some([15; 32]));
        for text in ["", "zz", &"0g".repeat(32), &"é".repeat(32)] {
            assert_eq!(key_of(text), None);
        }
    }
}
