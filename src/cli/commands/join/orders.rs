//! The part of this host in an order: opens a socket, looks for a way, then measures or answers; or listens on
//! ports, or knocks at them.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::files::Files;
use super::host_seconds;
use super::measure::{Measuring, measure};
use super::reflector::Reflector;
use super::send;
use crate::cli::printer::stderr_line;
use crate::net::{PortListeners, RoomSender, WayFinder, knock_ports, own_addresses};
use crate::room::{
    FoundWay, Message, OrderEvent, OrderFigures, OrderNumber, OrderTask, OrderTerms, OuterAddress, PortCheck,
    PortSet,
};

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
    task: OrderTask,
    port: u16,
    /// By which this host reaches the room.
    own: IpAddr,
    /// Ends the search for a way, the sampling, and the measurement.
    over: Arc<AtomicBool>,
    way: Option<Arc<WayFinder>>,
    way_over: Arc<AtomicBool>,
    searching: Option<JoinHandle<()>>,
    found: Arc<Mutex<Option<SocketAddr>>>,
    reflector: Option<Reflector>,
    /// Close with the order.
    _listeners: Option<PortListeners>,
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
            OrderEvent::Prepare { order, key, answers, terms, second_port } => {
                self.prepare(*order, key, (*answers, *terms), *second_port)
            }
            OrderEvent::FindWay { order, candidates } => {
                self.of(*order, |current, sender| current.find(sender, candidates.clone()))
            }
            OrderEvent::Way { order, way, .. } => {
                self.of(*order, |current, sender| current.way_is_known(sender, way))
            }
            OrderEvent::Measure { order, to, .. } => {
                self.of(*order, |current, sender| current.measure_to(sender, *to))
            }
            OrderEvent::Knock { order, at, ports } => {
                self.of(*order, |current, sender| current.knock(sender, *at, ports))
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
        (answers, task): (bool, OrderTask),
        second_port: Option<u16>,
    ) -> anyhow::Result<()> {
        // Processes of the last order end first.
        self.current = None;
        let way = WayFinder::open()?;
        let port = way.port()?;
        let key = key_of(key_text).ok_or_else(|| anyhow::anyhow!("the room sent no key"))?;
        let listeners = match task {
            OrderTask::Ports(check) if answers => Some(listen(order, check, key, &self.sender)?),
            _ => None,
        };
        let mut current = Current {
            order,
            key,
            key_text: key_text.to_owned(),
            answers,
            task,
            port,
            own: self.own.ip().to_canonical(),
            over: Arc::default(),
            way: Some(Arc::new(way)),
            way_over: Arc::default(),
            searching: None,
            found: Arc::default(),
            reflector: None,
            _listeners: listeners,
            measuring: Arc::default(),
            files: Arc::clone(&self.files),
        };
        let second = second_port.map(|port| SocketAddr::new(self.room.ip(), port));
        current.tell_addresses(&self.sender, std::iter::once(self.room).chain(second).collect())?;
        self.current = Some(current);
        Ok(())
    }

    /// The room hears why; a host that does not measure is not waited for.
    fn fail(&self, why: &str) {
        let Some(current) = &self.current else { return };
        let order = current.order;
        let _ = send(&self.sender, &Message::Result { order, figures: OrderFigures::failed(why) });
        let _ = send(&self.sender, &Message::Recorded { order });
    }
}

impl Current {
    /// Asks the ports of the room's server how they see this host, and tells the room.
    fn tell_addresses(
        &mut self,
        sender: &Arc<Mutex<RoomSender>>,
        servers: Vec<SocketAddr>,
    ) -> anyhow::Result<()> {
        let Some(way) = self.way.clone() else { return Ok(()) };
        let (order, own, port) = (self.order, self.own, self.port);
        let (over, sender) = (Arc::clone(&self.way_over), Arc::clone(sender));
        let ask = move || {
            let outside = way.ask_outside(&servers, &over).ok();
            let seen = outside.as_ref().and_then(OuterAddress::seen);
            let own = std::iter::once(own).chain(own_addresses()).map(|ip| SocketAddr::new(ip, port));
            let candidates = own.chain(seen).collect();
            let port_varies = outside.is_some_and(|outside| outside.varies());
            let _ = send(&sender, &Message::Addresses { order, candidates, port_varies });
        };
        self.searching = Some(std::thread::Builder::new().name("way".into()).spawn(ask)?);
        Ok(())
    }

    fn find(&mut self, sender: &Arc<Mutex<RoomSender>>, claimed: Vec<SocketAddr>) -> anyhow::Result<()> {
        let Some(way) = self.way.clone() else { return Ok(()) };
        // It has told its addresses: the room would not ask otherwise.
        self.searching.take().map(JoinHandle::join);
        let (order, key, answers, own) = (self.order, self.key, self.answers, self.own);
        let (over, found, sender) = (Arc::clone(&self.way_over), Arc::clone(&self.found), Arc::clone(sender));
        let search = move || {
            if let Ok(Some(at)) = way.find(&key, answers, (&claimed, own), &over) {
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
        if let OrderTask::Ping(terms) = self.task
            && self.answers
            && matches!(way, FoundWay::Direct(_))
        {
            self.reflector = Some(Reflector::start(self.port, &self.key, terms)?);
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
        anyhow::ensure!(self.found() == Some(to), "{to} did not answer");
        // The other host may not listen yet: its client takes a moment to hand the port to the server.
        let mut words = vec!["--wait".to_owned(), "--source-port".to_owned(), self.port.to_string()];
        words.extend(self.words(to)?);
        self.start(sender, words, Some(self.key_text.clone()))
    }

    fn measure_room(
        &mut self,
        sender: &Arc<Mutex<RoomSender>>,
        room: SocketAddr,
        key_file: Option<std::path::PathBuf>,
    ) -> anyhow::Result<()> {
        let mut words = self.words(room)?;
        if let Some(file) = key_file {
            words.extend(["--key-file".to_owned(), file.display().to_string()]);
        }
        self.start(sender, words, None)
    }

    /// An address that answered as the other host is proven; at another few ports are asked until one answers.
    fn knock(&self, sender: &Arc<Mutex<RoomSender>>, at: IpAddr, ports: &PortSet) -> anyhow::Result<()> {
        let OrderTask::Ports(check) = self.task else { anyhow::bail!("no ports were agreed on") };
        let ports: PortSet =
            check.ports().take(PortCheck::MOST).filter(|port| ports.contains(*port)).collect();
        let is_proven = self.found().is_some_and(|found| found.ip() == at);
        let (order, key, over, sender) = (self.order, self.key, Arc::clone(&self.over), Arc::clone(sender));
        let knock = move || {
            let message = match knock_ports(at, &ports, check.protocol, key, is_proven, &over) {
                Ok(ports) => Message::Knocked { order, ports },
                Err(error) => Message::Result { order, figures: OrderFigures::failed(&error.to_string()) },
            };
            let _ = send(&sender, &message);
            let _ = send(&sender, &Message::Recorded { order });
        };
        std::thread::Builder::new().name("knock".into()).spawn(knock)?;
        Ok(())
    }

    fn found(&self) -> Option<SocketAddr> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self, to: SocketAddr) -> anyhow::Result<Vec<String>> {
        let OrderTask::Ping(terms) = self.task else { anyhow::bail!("no measurement was agreed on") };
        let OrderTerms { count, interval_us, size } = terms;
        let interval = format!("{interval_us}us");
        let (count, size, to) = (count.to_string(), size.to_string(), to.to_string());
        Ok(["-n", &count, "-i", &interval, "-s", &size, &to].map(str::to_owned).to_vec())
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

/// Listens where it can, and tells the room where it cannot.
fn listen(
    order: OrderNumber,
    check: PortCheck,
    key: [u8; 32],
    sender: &Arc<Mutex<RoomSender>>,
) -> anyhow::Result<PortListeners> {
    let telling = Arc::clone(sender);
    let tell = move |ports| drop(send(&telling, &Message::Heard { order, ports }));
    let listeners = PortListeners::open(check, key, tell)?;
    send(sender, &Message::Opened { order, opened: listeners.opened().clone() })?;
    Ok(listeners)
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
