//! Accuracy of the engine, measured in its own process: the engine on core 1, its load on core 0.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use udpecho::impair::Impairment;
use udpecho::net::{Clock, Control, RelayEngine, RelayMapping, RelayObservation};
use udpecho::relay::{Fate, Limits, MappingSettings};

use super::servers::{SERVER_CORE, pin_this_thread_to};

/// Sends `rate` datagrams of `size` bytes a second through a line for `length`. Returns by how many nanoseconds each
/// was late, and the bytes of IP packets per second behind the line.
fn run(line: &str, size: usize, rate: u32, length: Duration) -> (Vec<i64>, f64) {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let upstream = server.local_addr().expect("an address");
    let up: Arc<Impairment> = Arc::new(line.parse().expect("a line"));
    let settings = MappingSettings::new("m1".to_owned(), up, Arc::new(Impairment::clean()), 1);
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mapping = RelayMapping { listen, upstream, server: upstream.to_string(), settings };
    let mut engine = RelayEngine::bind(vec![mapping], Limits::default(), Clock::start()).expect("an engine");
    let address = engine.local_addr(0);
    let control = Arc::new(Control::new().expect("a control"));
    let (stop, passed) = (Arc::clone(&control), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&passed);
    let relaying = thread::spawn(move || {
        pin_this_thread_to(SERVER_CORE);
        let mut late = Vec::with_capacity(1 << 20);
        let mut observe = |observation: RelayObservation, payload: &[u8]| {
            if let RelayObservation::Sent { leaving, fate: Fate::Passed, released } = observation {
                late.push((released - leaving.due).as_nanos());
                count.fetch_add(payload.len() as u64 + 28, Ordering::Relaxed);
            }
        };
        engine.run(&stop, &mut observe).expect("it runs");
        late.sort_unstable();
        late
    });
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(address).expect("a route");
    let datagram = vec![7; size];
    let begin = Instant::now();
    let gap = Duration::from_secs(1) / rate;
    let mut sent = 0;
    // The first second fills the queue.
    let mut before = None;
    while begin.elapsed() < length {
        if begin.elapsed() >= gap * sent {
            client.send(&datagram).expect("sent");
            sent += 1;
        }
        if before.is_none() && begin.elapsed() >= Duration::from_secs(1) {
            before = Some((Instant::now(), passed.load(Ordering::Relaxed)));
        }
    }
    let (from, at_first) = before.expect("longer than a second");
    let per_second = (passed.load(Ordering::Relaxed) - at_first) as f64 / from.elapsed().as_secs_f64();
    control.stop();
    (relaying.join().expect("the engine ends"), per_second)
}

pub fn release_error() {
    let (late, _) = run("delay=constant:20ms", 512, 50_000, Duration::from_secs(4));
    for (name, share, goal) in [("p50", 0.5, 30), ("p99", 0.99, 300)] {
        let error = late[((late.len() - 1) as f64 * share) as usize] as f64 / 1e3;
        println!("| release error {name}, 20 ms at 50,000/s, us | | {error:.1} | | <= {goal} |");
    }
}

pub fn bottleneck() {
    let (_, per_second) = run("rate=100Mbit,queue=100k", 1_172, 12_000, Duration::from_secs(11));
    let share = per_second * 8.0 / 100e6;
    println!("| delivered of rate=100Mbit over 10 s | | {share:.4} | | 0.995 to 1.005 |");
}
