//! A mesh of monitors in virtual time, as in the tests: the fleet core counts each probe, keeps an hour, a day and a
//! week of each target, and `locate` judges each minute. Prints how long it took, the most memory it had, and the
//! verdicts that named something.
//!
//! `cargo bench --bench fleet -- [DAYS [HOSTS]]`: a day of 100 hosts by default

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use udpecho::net::Clock;

#[path = "../tests/common/mesh.rs"]
#[allow(dead_code, reason = "faults are of the tests")]
mod mesh;

use mesh::SimulatedMesh;

const DAY: i64 = 86_400;
const PEERS: usize = 10;
/// The memory that the design allows a process with 1,000 targets.
const MOST_BYTES: u64 = 40 << 20;

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<i64>().ok());
    let (days, hosts) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(100) as usize);
    let mut mesh = SimulatedMesh::new(hosts, PEERS, 1);
    let clock = Clock::start();
    let begun = clock.now();
    let mut alarms = 0;
    let mut after_a_week = None;
    for second in 0..days * DAY {
        mesh.second(second, &[]);
        if second % 60 == 59 {
            alarms += u64::from(!mesh.verdict(second).findings.is_empty());
        }
        if second == 8 * DAY {
            after_a_week = Some(resident_bytes());
        }
    }
    let took = (clock.now() - begun).as_secs_f64();
    let probes: u64 = mesh.targets.iter().map(|target| target.figures.resolved()).sum();
    let lost: u64 = mesh.targets.iter().map(|target| target.figures.lost()).sum();
    let most = resident_bytes();
    println!("{days} days of {hosts} hosts with {PEERS} peers each: {probes} probes, {lost} lost");
    println!("in {took:.0} s: {:.1} million probes/s", probes as f64 / took / 1e6);
    println!("{alarms} of {} verdicts named something", days * DAY / 60);
    println!("memory at the end: {:.1} MB", most as f64 / 1e6);
    assert_eq!(probes, days as u64 * DAY as u64 * (hosts * PEERS) as u64);
    assert!(hosts > 100 || most < MOST_BYTES, "more than {MOST_BYTES} bytes");
    if let Some(before) = after_a_week {
        println!("after 8 days: {:.1} MB", before as f64 / 1e6);
        assert!(most < before + before / 10, "it grows: {before} after 8 days, {most} after {days}");
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
}
