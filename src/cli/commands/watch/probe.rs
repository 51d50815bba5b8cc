//! `/probe?target=HOST:PORT[&module=GROUP][&debug=true]`: one target, at once, as blackbox_exporter does it. It is bounded: few at
//! a time, few a second, and only addresses of the networks that the configuration allows.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use super::keys::with_key;
use super::probe_log::ProbeLog;
use crate::cli::target::{Family, Target};
use crate::endpoints::is_private;
use crate::fleet::{Config, Group};
use crate::live::{SingleProbing, of_probe};
use crate::meter::Meter;
use crate::net::{ClientEngine, Clock, Control, Observation, Outgoing, SlowRequest, Timer, random_bytes};
use crate::probe::{Event, Settings};
use crate::schedule::Schedule;
use crate::time::{Duration, Instant};
use crate::units::Interval;
use crate::wire::auth::Key;

/// Answers requests; each request's thread has it.
#[derive(Clone)]
pub(super) struct Prober {
    config: Arc<Mutex<Arc<Config>>>,
    meter: Arc<Mutex<Meter>>,
    key: Option<Key>,
    clock: Clock,
}

/// A status and why.
type Refusal = (u16, String);

impl Prober {
    pub(super) const AT_ONCE: usize = 16;
    /// Between two requests in the long run: a scrape of a few hundred targets every 15 s.
    const COST: Duration = Duration::from_millis(20);
    /// A burst of requests up to this length is answered.
    const BURST: Duration = Duration::from_secs(2);
    const PROBES: i64 = 10;
    const INTERVAL: Duration = Duration::from_millis(20);
    /// Left for the handshake.
    const OPENING: Duration = Duration::from_millis(200);

    pub(super) fn new(config: Config, key: Option<Key>, clock: Clock) -> Self {
        let config = Arc::new(Mutex::new(Arc::new(config)));
        Self { config, meter: Arc::default(), key, clock }
    }

    /// After a reload.
    pub(super) fn set(&self, config: Config) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(super) fn answer(&self, request: &SlowRequest) -> (u16, String) {
        self.probe(request).unwrap_or_else(|(status, why)| (status, format!("{why}\n")))
    }

    fn probe(&self, request: &SlowRequest) -> Result<(u16, String), Refusal> {
        let began = self.clock.now();
        let config = Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner));
        let module = |name: &str| {
            let group = config.groups.iter().find(|group| group.name == name);
            group.cloned().ok_or_else(|| (400, format!("Unknown module \"{name}\"")))
        };
        let module = request.parameter("module").map(module).transpose()?;
        let timeout = timeout(request.scrape_timeout.as_deref()).map_err(|why| (500, why))?;
        let target = request.parameter("target").ok_or((400, "Target parameter is missing".to_owned()))?;
        let group = module.unwrap_or_else(|| Config::of_targets(vec![target.to_owned()]).groups.remove(0));
        let parsed = Target::parse(target, None, group.dialect.default_port());
        let parsed = parsed.map_err(|error| (400, format!("{error:#}")))?;
        if !self.meter.lock().unwrap_or_else(PoisonError::into_inner).admits(began, Self::COST, Self::BURST) {
            return Err((429, "too many probes within a second".to_owned()));
        }
        let mut probing = SingleProbing { timeout, ..SingleProbing::default() };
        let mut log = ProbeLog::new(self.clock, began);
        let fields = format!(" target={target:?} timeout_seconds={}", timeout.as_secs_f64());
        log.info("Beginning probe", fields);
        match parsed.resolve(Family::default()) {
            Ok(address) => {
                probing.lookup = self.clock.now() - began;
                probing.ip_protocol = if address.ip().to_canonical().is_ipv4() { 4 } else { 6 };
                if !is_allowed(&config, address) {
                    let why =
                        format!("{} is in no network of probe-allow [default: private ones]", address.ip());
                    return Err((403, why));
                }
                log.info("Resolved target address", format!(" ip={}", address.ip()));
                self.measure(address, &group, began + timeout, &mut probing, &mut log);
            }
            Err(error) => log.error("Error resolving address", format!(" err={:?}", format!("{error:#}"))),
        }
        probing.duration = self.clock.now() - began;
        log.end(&probing);
        let metrics = of_probe(&probing);
        let is_debug = request.parameter("debug") == Some("true");
        Ok((200, if is_debug { log.page(&metrics, &group) } else { metrics }))
    }

    /// A target that cannot be measured has no reply.
    fn measure(
        &self,
        address: SocketAddr,
        group: &Group,
        end: Instant,
        probing: &mut SingleProbing,
        log: &mut ProbeLog,
    ) {
        let left = end - self.clock.now();
        let Some(settings) = self.settings(group, left) else { return };
        let outgoing = Outgoing { dscp: group.dscp, timer: Timer::Sleep, ..Outgoing::default() };
        let (Ok(mut engine), Ok(control)) =
            (ClientEngine::connect(address, settings, &outgoing, self.clock), Control::new().map(Arc::new))
        else {
            return;
        };
        let (over, is_over) = channel::<()>();
        let guard = Arc::clone(&control);
        let guarding = std::thread::Builder::new().name("timeout".into()).spawn(move || {
            // It ends with an error when the other end is dropped, too.
            if is_over.recv_timeout(left.to_std()) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                guard.abort();
            }
        });
        if guarding.is_err() {
            return;
        }
        let mut observe = |observation| {
            if let Observation::Event { event, .. } = observation {
                if let Event::Reply { rtt, copy: 1, .. } = event {
                    probing.rtts.push(rtt);
                }
                log.observe(&event);
                probing.figures.observe(&event);
            }
        };
        // A failure shows in the figures.
        let _ = engine.run(&control, &mut observe);
        drop(over);
    }

    /// As many probes as there is time for.
    fn settings(&self, group: &Group, left: Duration) -> Option<Settings> {
        let deadline = group.deadline.min(left / 2);
        let interval = Interval::new(Self::INTERVAL).ok()?;
        let room = (left - deadline - Self::OPENING).as_nanos() / Self::INTERVAL.as_nanos();
        let settings = Settings {
            dialect: group.dialect,
            size: group.size,
            schedule: Schedule::Fixed(interval),
            count: Some(room.clamp(1, Self::PROBES) as u64),
            deadline: Some(deadline),
            grace: Duration::ZERO,
            ..Settings::every(interval, u64::from_ne_bytes(random_bytes().ok()?))
        };
        Some(with_key(group, self.key.as_ref(), settings))
    }
}

fn is_allowed(config: &Config, address: SocketAddr) -> bool {
    match &config.probe_allow[..] {
        [] => is_private(address.ip()),
        allowed => allowed.iter().any(|network| network.contains(address.ip())),
    }
}

/// As blackbox_exporter: half a second less than Prometheus waits, which is two minutes if it does not say.
fn timeout(header: Option<&str>) -> Result<Duration, String> {
    const OFFSET: f64 = 0.5;
    const DEFAULT: f64 = 120.0;
    const LEAST: f64 = 0.1;
    let seconds = match header.filter(|text| !text.is_empty()) {
        None => DEFAULT,
        Some(text) => {
            let parsed = text.parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
            let seconds =
                parsed.ok_or_else(|| format!("Failed to parse timeout from Prometheus header: '{text}'"))?;
            if seconds > 0.0 { seconds.min(DEFAULT) } else { DEFAULT }
        }
    };
    Ok(Duration::from_secs_f64((seconds - OFFSET).max(LEAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_second_of_the_scrape_s_timeout_is_left_for_the_answer() {
        let seconds = |header| timeout(header).map(|timeout| timeout.as_secs_f64());
        assert_eq!(
            [
                seconds(None),
                seconds(Some("")),
                seconds(Some("1")),
                seconds(Some("10.5")),
                seconds(Some("inf"))
            ],
            [Ok(119.5), Ok(119.5), Ok(0.5), Ok(10.0), Ok(119.5)]
        );
        assert_eq!([seconds(Some("0")), seconds(Some("0.2"))], [Ok(119.5), Ok(0.1)]);
        for header in ["x", "NaN", "1s"] {
            assert!(timeout(Some(header)).unwrap_err().starts_with("Failed to parse timeout"), "{header}");
        }
    }

    #[test]
    fn a_probe_has_as_many_datagrams_as_there_is_time_for() {
        let prober = Prober::new(Config::of_targets(vec!["h".into()]), None, Clock::start());
        let group = Config::of_targets(vec!["h".into()]).groups.remove(0);
        let count = |millis| prober.settings(&group, Duration::from_millis(millis)).unwrap().count.unwrap();
        assert_eq!([count(9_500), count(500), count(1_000), count(100)], [10, 2, 10, 1]);
    }

    #[test]
    fn without_a_list_only_private_addresses_are_allowed() {
        let mut config = Config::of_targets(vec!["h".into()]);
        let allowed = |config: &Config, address: &str| is_allowed(config, address.parse().unwrap());
        assert!(allowed(&config, "127.0.0.1:1") && allowed(&config, "10.1.2.3:1"));
        assert!(!allowed(&config, "192.0.2.1:1") && !allowed(&config, "[2001:db8::1]:1"));
        config.probe_allow = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(allowed(&config, "192.0.2.1:1") && !allowed(&config, "127.0.0.1:1"));
    }
}
