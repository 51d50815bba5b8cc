//! The status line under the lines of the probes, and the line per second of a server.

use super::RunSnapshot;
use super::proxy_model::{ProxySnapshot, lost};
use super::server_model::ServerSnapshot;
use crate::report::{bit_rate, milliseconds_bare, percent};
use crate::time::Duration;

/// The status line in five versions, from the longest to the shortest, for terminals of any width.
pub fn status(now: &RunSnapshot) -> Vec<String> {
    let sent = format!("{} sent", now.sent);
    let in_flight = format!("{} in flight", now.in_flight());
    let lost = now.loss().map(|loss| format!("{} lost or late", percent(loss)));
    let delays = now.rtt.at(0.5).zip(now.rtt.at(0.99));
    let delays =
        delays.map(|(p50, p99)| format!("p50/p99 {}/{} ms", milliseconds_bare(p50), milliseconds_bare(p99)));
    let time = match (now.left(), now.elapsed) {
        (Some(left), _) => Some(format!("{} left", clock(left))),
        (None, Some(elapsed)) => Some(format!("{} so far", clock(elapsed))),
        (None, None) => None,
    };
    let [sent, in_flight] = [sent, in_flight].map(Some);
    let least = lost.clone().or(sent.clone());
    [
        &[&sent, &in_flight, &lost, &delays, &time][..],
        &[&sent, &lost, &delays, &time],
        &[&sent, &lost, &delays],
        &[&sent, &lost],
        &[&least],
    ]
    .into_iter()
    .map(|parts| parts.iter().copied().flatten().map(String::as_str).collect::<Vec<_>>().join(", "))
    .collect()
}

/// The state of a server in one line.
pub fn server_line(now: &ServerSnapshot) -> String {
    let clients = now.clients_now();
    let plural = if clients == 1 { "" } else { "s" };
    let counters = &now.counters;
    let load = now.seconds.back().map_or(String::new(), |second| load(second.load_bytes));
    format!(
        "{clients} client{plural}, {} probes per second{load}, {} held, {} dropped (injected), {} refused",
        now.rate(),
        counters.held,
        counters.dropped,
        counters.refused
    )
}

/// `, load 94.0 Mbit/s down`; nothing without load.
fn load(bytes: [u64; 2]) -> String {
    let ways = bytes.into_iter().zip(["up", "down"]).filter(|(bytes, _)| *bytes > 0);
    ways.map(|(bytes, way)| format!(", load {} {way}", bit_rate(bytes as f64 * 8.0))).collect()
}

/// `0:48`, `1:02:03`; rounded up to a second.
pub fn clock(time: Duration) -> String {
    let seconds = (time.as_nanos().max(0) as u64).div_ceil(1_000_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The line per second of a proxy.
pub fn proxy_line(now: &ProxySnapshot) -> String {
    let last = now.last();
    let [up, down] = now.tallies();
    let flows: u64 = now.figures.mappings.iter().map(|mapping| mapping.counters.flows).sum();
    let way = |name: &str, at: usize| {
        let second = &last.directions[at];
        format!("{name} {}/s, {} lost", second.arrived, second.lost)
    };
    format!(
        "{} {flows} {}, {}, {}; in all {} lost of {}",
        clock(now.figures.elapsed),
        if flows == 1 { "flow" } else { "flows" },
        way("up", 0),
        way("down", 1),
        lost(&up) + lost(&down),
        up.arrived + down.arrived,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{RunInfo, RunModel};
    use crate::probe::Event;
    use crate::time::Instant;

    #[test]
    fn a_late_reply_is_not_on_time() {
        let mut live = RunModel::new(RunInfo::default());
        live.event(&Event::Started { zero: Instant::ZERO });
        for (seq, late_by) in [(0, None), (1, None), (2, None), (3, Some(Duration::from_millis(9)))] {
            live.event(&Event::Reply { seq, rtt: Duration::from_millis(1), hold: None, late_by, copy: 1 });
        }
        live.tick(Instant::ZERO + Duration::from_secs(2), None);
        assert_eq!(
            status(live.now()),
            [
                "4 sent, 0 in flight, 25 % lost or late, p50/p99 1.00/1.00 ms, 0:02 so far",
                "4 sent, 25 % lost or late, p50/p99 1.00/1.00 ms, 0:02 so far",
                "4 sent, 25 % lost or late, p50/p99 1.00/1.00 ms",
                "4 sent, 25 % lost or late",
                "25 % lost or late",
            ]
        );
    }

    #[test]
    fn a_servers_line_tells_its_load_while_there_is_one() {
        use crate::live::ServerSecond;
        let of = |load_bytes| {
            let second = ServerSecond { load_bytes, ..ServerSecond::default() };
            server_line(&ServerSnapshot { seconds: [second].into(), ..ServerSnapshot::default() })
        };
        let ends = ", 0 held, 0 dropped (injected), 0 refused";
        assert_eq!(of([0, 0]), format!("0 clients, 0 probes per second{ends}"));
        assert_eq!(
            of([0, 11_750_000]),
            format!("0 clients, 0 probes per second, load 94.0 Mbit/s down{ends}")
        );
    }

    #[test]
    fn times_are_minutes_and_seconds_or_hours() {
        for (millis, text) in [(0, "0:00"), (1, "0:01"), (48_000, "0:48"), (3_723_000, "1:02:03")] {
            assert_eq!(clock(Duration::from_millis(millis)), text);
        }
    }
}
