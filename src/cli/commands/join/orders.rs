//! The part of this host in an order: opens a socket, looks for a way, then measures or answers; or listens on
//! ports, or knocks at them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::files::Files;
use super::measure::{Measuring, measure};
use super::reflector::Reflector;
use super::{host_seconds, lock, send};
use crate::cli::printer::stderr_line;
use crate::net::{PortListeners, RoomSender, WayFinder, knock_ports, own_addresses};
use crate::room::{
    Accept, FoundWay, Message, OrderEvent, OrderFigures, OrderNumber, OrderTask, OrderTerms, OuterAddress,
    PortCheck, PortSet, Task,
};

/// The orders of one connection to a room. Dropped, with the connection, all that belongs to them ends.
pub(super) struct Orders {
    connection: Arc<Connection>,
    current: Option<Current>,
}

/// Shared by all orders of a connection.
struct Connection {
    sender: Arc<Mutex<RoomSender>>,
    /// Recorded runs go to the shelf.
    files: Arc<Files>,
    room: SocketAddr,
    /// By which this host reaches the room.
    own: IpAddr,
    key_file: Option<PathBuf>,
    /// The limits of an agent. A person has none: the program asks for consent.
    accepts: Option<Accept>,
}

/// The order that this host takes part in now.
struct Current {
    connection: Arc<Connection>,
    order: OrderNumber,
    key: [u8; 32],
    key_text: String,
    answers: bool,
    task: OrderTask,
    port: u16,
    /// Ends the search for a way, the sampling, and the knocking.
    over: Arc<AtomicBool>,
    way: Option<Arc<WayFinder>>,
    way_over: Arc<AtomicBool>,
    /// Asks the room how it sees this host, then looks for the other host: its result.
    searching: Option<JoinHandle<Option<SocketAddr>>>,
    /// Where the other host answered.
    found: Option<SocketAddr>,
    reflector: Option<Reflector>,
    /// Close with the order.
    _listeners: Option<PortListeners>,
    measuring: Arc<Measuring>,
}

impl Orders {
    pub(super) fn new(
        sender: &Arc<Mutex<RoomSender>>,
        files: &Arc<Files>,
        room: SocketAddr,
        (key_file, accepts): (Option<PathBuf>, Option<Accept>),
    ) -> std::io::Result<Self> {
        let own = lock(sender).local_address()?.ip().to_canonical();
        let (sender, files) = (Arc::clone(sender), Arc::clone(files));
        let connection = Arc::new(Connection { sender, files, room, own, key_file, accepts });
        Ok(Self { connection, current: None })
    }

    /// Does what the room asks of this host, and tells the room if it cannot.
    pub(super) fn handle(&mut self, event: &OrderEvent) {
        let Err(error) = self.obey(event) else { return };
        match self.current {
            Some(Current { order, .. }) => {
                let figures = OrderFigures::failed(&format!("{error:#}"));
                self.connection.tell(&Message::Result { order, figures });
                self.connection.tell(&Message::Recorded { order });
            }
            None => stderr_line(format_args!("udpecho: order {}: {error:#}", event.number())),
        }
    }

    fn obey(&mut self, event: &OrderEvent) -> anyhow::Result<()> {
        if let OrderEvent::Prepare { order, key, answers, terms, second_port } = event {
            return self.prepare(*order, key, (*answers, *terms), *second_port);
        }
        let number = event.number();
        let Some(current) = self.current.as_mut().filter(|current| current.order == number) else {
            return Ok(());
        };
        match event {
            OrderEvent::FindWay { candidates, .. } => current.find(candidates.clone())?,
            OrderEvent::Way { way, .. } => current.way_is_known(way)?,
            OrderEvent::Measure { to, .. } => current.measure_to(*to)?,
            OrderEvent::MeasureRoom { .. } => current.measure_room()?,
            OrderEvent::Knock { at, ports, .. } => current.knock(*at, ports)?,
            OrderEvent::Second { figures, .. } => current.measuring.other_second(figures.clone()),
            OrderEvent::Close { .. } => self.current = None,
            _ => {}
        }
        Ok(())
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
        let accepts = self.connection.accepts;
        anyhow::ensure!(is_accepted(&task.into(), accepts), "the room asks for more than this host accepts");
        let way = WayFinder::open()?;
        let key = key_of(key_text).ok_or_else(|| anyhow::anyhow!("the room sent no key"))?;
        let listeners = match task {
            OrderTask::Ports(check) if answers => Some(listen(order, check, key, &self.connection)?),
            _ => None,
        };
        let mut current = Current {
            connection: Arc::clone(&self.connection),
            order,
            key,
            key_text: key_text.to_owned(),
            answers,
            task,
            port: way.port()?,
            over: Arc::default(),
            way: Some(Arc::new(way)),
            way_over: Arc::default(),
            searching: None,
            found: None,
            reflector: None,
            _listeners: listeners,
            measuring: Arc::default(),
        };
        let room = self.connection.room;
        let second = second_port.map(|port| SocketAddr::new(room.ip(), port));
        current.tell_addresses(std::iter::once(room).chain(second).collect())?;
        self.current = Some(current);
        Ok(())
    }
}

impl Connection {
    /// Where it is lost, the receiver says so.
    fn tell(&self, message: &Message) {
        let _ = send(&self.sender, message);
    }
}

impl Current {
    /// Asks the ports of the room's server how they see this host, and tells the room.
    fn tell_addresses(&mut self, servers: Vec<SocketAddr>) -> anyhow::Result<()> {
        let (order, port, connection) = (self.order, self.port, Arc::clone(&self.connection));
        self.search(move |way, over| {
            let outside = way.ask_outside(&servers, over).ok();
            let seen = outside.as_ref().and_then(OuterAddress::seen);
            let own = std::iter::once(connection.own).chain(own_addresses());
            let candidates = own.map(|ip| SocketAddr::new(ip, port)).chain(seen).collect();
            let port_varies = outside.is_some_and(|outside| outside.varies());
            connection.tell(&Message::Addresses { order, candidates, port_varies });
            None
        })
    }

    fn find(&mut self, claimed: Vec<SocketAddr>) -> anyhow::Result<()> {
        let (order, key, answers) = (self.order, self.key, self.answers);
        let connection = Arc::clone(&self.connection);
        self.search(move |way, over| {
            let at = way.find(&key, answers, (&claimed, connection.own), over).ok().flatten()?;
            connection.tell(&Message::Found { order, at });
            Some(at)
        })
    }

    /// The one before is over: the room would not ask otherwise.
    fn search(
        &mut self,
        search: impl FnOnce(&WayFinder, &AtomicBool) -> Option<SocketAddr> + Send + 'static,
    ) -> anyhow::Result<()> {
        let Some(way) = self.way.clone() else { return Ok(()) };
        self.searching.take().map(JoinHandle::join);
        let over = Arc::clone(&self.way_over);
        self.searching = Some(thread("way", move || search(&way, &over))?);
        Ok(())
    }

    /// From now on the port belongs to the measurement, and each second of this host is told.
    fn way_is_known(&mut self, way: &FoundWay) -> anyhow::Result<()> {
        self.release_port();
        host_seconds::start(self.order, &self.over, &self.connection.sender)?;
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
        if let Some(Ok(found)) = self.searching.take().map(JoinHandle::join) {
            self.found = found;
        }
        self.way = None;
    }

    /// The room may name no address but the one that this host found.
    fn measure_to(&self, to: SocketAddr) -> anyhow::Result<()> {
        anyhow::ensure!(self.found == Some(to), "{to} did not answer");
        // The other host may not listen yet: its client takes a moment to hand the port to the server.
        let mut words = vec!["--wait".to_owned(), "--source-port".to_owned(), self.port.to_string()];
        words.extend(self.words(to)?);
        self.start(words, Some(self.key_text.clone()))
    }

    fn measure_room(&self) -> anyhow::Result<()> {
        let mut words = self.words(self.connection.room)?;
        if let Some(file) = &self.connection.key_file {
            words.extend(["--key-file".to_owned(), file.display().to_string()]);
        }
        self.start(words, None)
    }

    fn words(&self, to: SocketAddr) -> anyhow::Result<Vec<String>> {
        let OrderTask::Ping(terms) = self.task else { anyhow::bail!("no measurement was agreed on") };
        let OrderTerms { count, interval_us, size } = terms;
        let interval = format!("{interval_us}us");
        let (count, size, to) = (count.to_string(), size.to_string(), to.to_string());
        Ok(["-n", &count, "-i", &interval, "-s", &size, &to].map(str::to_owned).to_vec())
    }

    fn start(&self, words: Vec<String>, key: Option<String>) -> anyhow::Result<()> {
        let (order, measuring) = (self.order, Arc::clone(&self.measuring));
        let connection = Arc::clone(&self.connection);
        let run = move || {
            let (figures, folder) = measure(order, &words, key, &measuring);
            // The room has closed the order, or is lost.
            if measuring.is_stopped() {
                return;
            }
            connection.tell(&Message::Result { order, figures });
            let offer = folder.map(|folder| connection.files.run_of(order, &folder));
            if let Some(Err(error)) = &offer {
                stderr_line(format_args!("udpecho: the run of order {order}: {error:#}"));
            }
            connection.tell(&offer.and_then(Result::ok).unwrap_or(Message::Recorded { order }));
        };
        thread("measure", run).map(drop)
    }

    /// An address that answered as the other host is proven; at another few ports are asked until one answers.
    fn knock(&self, at: IpAddr, ports: &PortSet) -> anyhow::Result<()> {
        let OrderTask::Ports(check) = self.task else { anyhow::bail!("no ports were agreed on") };
        let ports: PortSet =
            check.ports().take(PortCheck::MOST).filter(|port| ports.contains(*port)).collect();
        let is_proven = self.found.is_some_and(|found| found.ip() == at);
        let (order, key, over) = (self.order, self.key, Arc::clone(&self.over));
        let connection = Arc::clone(&self.connection);
        let knock = move || {
            let message = match knock_ports(at, &ports, check.protocol, key, is_proven, &over) {
                Ok(ports) => Message::Knocked { order, ports },
                Err(error) => Message::Result { order, figures: OrderFigures::failed(&error.to_string()) },
            };
            connection.tell(&message);
            connection.tell(&Message::Recorded { order });
        };
        thread("knock", knock).map(drop)
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.measuring.stop();
        self.release_port();
    }
}

/// Checks the limits again here: a hostile room could send an order without asking.
fn is_accepted(task: &Task, accepts: Option<Accept>) -> bool {
    task.is_allowed() && accepts.is_none_or(|accepts| accepts.decide(task) == Some(true))
}

/// Listens where it can, and tells the room where it cannot.
fn listen(
    order: OrderNumber,
    check: PortCheck,
    key: [u8; 32],
    connection: &Arc<Connection>,
) -> anyhow::Result<PortListeners> {
    let telling = Arc::clone(connection);
    let tell = move |ports| telling.tell(&Message::Heard { order, ports });
    let listeners = PortListeners::open(check, key, tell)?;
    connection.tell(&Message::Opened { order, opened: listeners.opened().clone() });
    Ok(listeners)
}

fn thread<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(run)?)
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
    use crate::time::Duration;

    #[test]
    fn a_host_carries_out_no_more_than_any_order_may_have_and_an_agent_than_it_accepts() {
        let ping =
            |count, interval_us, size| Task::from(OrderTask::Ping(OrderTerms { count, interval_us, size }));
        let agent = Some(Accept::UpTo { bits_per_second: 1e6, length: Duration::from_secs(30) });
        for (task, person_does, agent_does) in [
            (ping(100, 50_000, 512), true, true),
            (ping(1_200, 50_000, 512), true, false),
            (ping(100, 5_000, 512), true, false),
            (ping(1_201, 50_000, 512), false, false),
            (ping(u64::MAX, u64::MAX, 512), false, false),
            (ping(100, 1, 512), false, false),
            (ping(100, 50_000, 60_000), false, false),
        ] {
            assert_eq!(
                (is_accepted(&task, None), is_accepted(&task, agent)),
                (person_does, agent_does),
                "{task:?}"
            );
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert_eq!(key_of(&"0f".repeat(32)), Some([15; 32]));
        for text in ["", "zz", &"0g".repeat(32), &"é".repeat(32)] {
            assert_eq!(key_of(text), None);
        }
    }
}
