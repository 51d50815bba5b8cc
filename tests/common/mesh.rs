//! A mesh of monitors in virtual time: the fleet core with a network that loses known shares at known places. Each
//! monitor sends each of its targets a probe a second, at the phase that the core gives it.

use std::collections::BTreeMap;

use udpecho::fleet::locate::{Host, Suspect};
use udpecho::fleet::{Figures, History, Mesh, MonitorReport, ProbeCounts, TargetReport, Verdict, phase};
use udpecho::probe::{Cause, Event, Outcome, Resolved};
use udpecho::time::{Duration, Instant};

/// Something that loses a share of what passes it, for some seconds.
#[derive(Clone, Debug)]
pub struct Fault {
    pub from: i64,
    pub until: i64,
    pub place: Suspect,
    pub share: f64,
}

pub struct SimulatedMesh {
    pub hosts: Vec<Host>,
    pub targets: Vec<Target>,
    /// Lost on any path and direction.
    base: f64,
    random: u64,
}

pub struct Target {
    from: usize,
    to: usize,
    phase: Duration,
    pub figures: Figures,
    pub history: History,
    /// Lost on the way there, and on the way back.
    loss: [f64; 2],
}

const SECOND: Duration = Duration::from_secs(1);
/// How far around the ring the peers of a host are: near ones of its own rack, and others.
const STEPS: [usize; 10] = [1, 2, 3, 4, 11, 17, 23, 29, 37, 43];

impl SimulatedMesh {
    /// So long after it was due a lost probe is given up; a verdict of this moment knows of nothing later.
    pub const GIVE_UP: i64 = 10;

    /// Racks of ten hosts, half of them in either zone; each host has up to ten peers.
    pub fn new(hosts: usize, peers: usize, seed: u64) -> Self {
        let host = |n: usize| Host {
            name: format!("n{n}"),
            rack: format!("r{}", n / 10),
            zone: format!("z{}", n * 2 / hosts),
        };
        let target = |from: usize, step: usize| {
            let (to, zero) = ((from + step) % hosts, Instant::ZERO);
            let mut figures = Figures::default();
            figures.observe(&Event::Started { zero });
            let phase = phase(&format!("n{from}"), "mesh", &format!("n{to}:8080"), SECOND);
            Target { from, to, phase, figures, history: History::default(), loss: [0.0; 2] }
        };
        let targets = (0..hosts).flat_map(|from| STEPS[..peers].iter().map(move |step| target(from, *step)));
        Self { hosts: (0..hosts).map(host).collect(), targets: targets.collect(), base: 1e-4, random: seed }
    }

    /// All probes that are due within this second.
    pub fn second(&mut self, second: i64, faults: &[Fault]) {
        if faults.iter().any(|fault| fault.from == second || fault.until == second) || second == 0 {
            self.set_losses(second, faults);
        }
        for target in &mut self.targets {
            let draw = unit(&mut self.random);
            let [there, back] = target.loss;
            let cause = match draw {
                draw if draw < there => Some(Cause::Up),
                draw if draw < there + (1.0 - there) * back => Some(Cause::Down),
                _ => None,
            };
            target.resolve(second, cause, draw);
        }
    }

    fn set_losses(&mut self, second: i64, faults: &[Fault]) {
        let active: Vec<&Fault> =
            faults.iter().filter(|fault| (fault.from..fault.until).contains(&second)).collect();
        for target in &mut self.targets {
            let ends = [&self.hosts[target.from], &self.hosts[target.to]];
            let share = |from: &Host, to: &Host| {
                active
                    .iter()
                    .filter(|fault| passes(&fault.place, from, to))
                    .fold(self.base, |loss, fault| 1.0 - (1.0 - loss) * (1.0 - fault.share))
            };
            target.loss = [share(ends[0], ends[1]), share(ends[1], ends[0])];
        }
    }

    /// The verdict of `locate` on the probes that are resolved at the end of this second.
    pub fn verdict(&self, second: i64) -> Verdict {
        let now = Instant::ZERO + SECOND * (second + 1 + Self::GIVE_UP);
        let mut reports: Vec<MonitorReport> = self
            .hosts
            .iter()
            .map(|host| MonitorReport {
                source: host.name.clone(),
                labels: BTreeMap::from([
                    ("rack".into(), host.rack.clone()),
                    ("zone".into(), host.zone.clone()),
                ]),
                targets: Vec::new(),
            })
            .collect();
        for target in &self.targets {
            let recent = target.history.recent(now);
            let causes = recent.causes().map(|(cause, count)| (cause.to_owned(), count)).collect();
            reports[target.from].targets.push(TargetReport {
                target: format!("{}:8080", self.hosts[target.to].name),
                recent: Some(ProbeCounts { sent: recent.sent, causes, median_us: None }),
                ..TargetReport::default()
            });
        }
        Verdict::of_mesh(&Mesh::of(&reports))
    }
}

impl Target {
    fn resolve(&mut self, second: i64, cause: Option<Cause>, draw: f64) {
        let rtt = Duration::from_nanos(500_000 + (draw * 100_000.0) as i64);
        let probe = Resolved {
            due: SECOND * second + self.phase,
            interval: SECOND,
            outcome: if cause.is_some() { Outcome::Lost } else { Outcome::Ok },
            cause,
            rtt: cause.is_none().then_some(rtt),
            copies: u32::from(cause.is_none()),
            ..Resolved::unanswered(second as u64)
        };
        if let Some(sample) = self.figures.sample(&probe) {
            self.history.push(&sample);
        }
        self.figures.observe(&Event::Resolved(probe));
    }
}

fn passes(place: &Suspect, from: &Host, to: &Host) -> bool {
    match place {
        Suspect::HostOut(name) => from.name == *name,
        Suspect::HostIn(name) => to.name == *name,
        Suspect::RackOut(name) => from.rack == *name && to.rack != *name,
        Suspect::RackIn(name) => to.rack == *name && from.rack != *name,
        Suspect::Link(one, other) => from.zone == *one && to.zone == *other,
        Suspect::Path(one, other) => from.name == *one && to.name == *other,
        Suspect::SilentRack(_) | Suspect::Silent(_) | Suspect::SilentPair(..) | Suspect::SilentTo(..) => {
            false
        }
    }
}

/// SplitMix64: from 0 to less than 1.
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
