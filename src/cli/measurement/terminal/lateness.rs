//! Warns in the first second of a run if most replies come after their deadline.

use crate::probe::Event;
use crate::time::{Duration, Instant};

/// Counts first replies until there are enough to judge, or the first second is over.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    started: Option<Instant>,
    replies: u32,
    late: u32,
    longest: Duration,
    judged: bool,
}

impl Lateness {
    const ENOUGH: u32 = 10;
    const FIRST: Duration = Duration::from_secs(1);

    /// The warning, once, if this event makes it due.
    pub(super) fn event(&mut self, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::Started { zero } => self.started = Some(*zero),
            Event::Reply { rtt, late_by, copy: 1, .. } if !self.judged => {
                self.replies += 1;
                self.late += u32::from(late_by.is_some());
                self.longest = self.longest.max(*rtt);
                return self.judge(now);
            }
            _ => {}
        }
        None
    }

    fn judge(&mut self, now: Instant) -> Option<String> {
        let second_is_over = self.started.is_some_and(|zero| now - zero >= Self::FIRST);
        self.judged = self.replies >= Self::ENOUGH || second_is_over;
        (self.judged && self.late * 2 > self.replies).then(|| {
            format!(
                "warning: {} of the first {} replies came after their deadline; -W {} would count them",
                self.late,
                self.replies,
                enough(self.longest)
            )
        })
    }
}

/// At least twice the longest RTT: 1, 2 or 5 times a power of ten.
fn enough(longest: Duration) -> Duration {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_i64.pow(power)));
    let millis = steps.take(30).map(Duration::from_millis).find(|step| *step >= longest * 2);
    millis.unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::Impairment;
    use crate::probe::Settings;
    use crate::reflect::{self, Injection};
    use crate::sim::{Conditions, Simulation};
    use crate::units::Interval;

    /// The warnings of a run to a server this far away, one way, and after how many replies each.
    fn warnings(every: Duration, one_way: Duration, deadline: Option<Duration>) -> Vec<(u32, String)> {
        let injection = Injection::steady(Impairment::clean());
        let server = reflect::Settings { injection, ..reflect::Settings::default() };
        let path = Conditions::ideal(one_way);
        let mut simulation = Simulation::new(server, path.clone(), path, 7);
        let every = Interval::new(every).unwrap();
        simulation.add_client(Settings { size: 64, count: Some(50), deadline, ..Settings::every(every, 1) });
        simulation.run(Duration::from_secs(600));
        let mut lateness = Lateness::default();
        let mut now = Instant::ZERO;
        let mut warnings = Vec::new();
        for event in simulation.take_events(0) {
            match &event {
                Event::Started { zero } => now = *zero + one_way * 2,
                Event::Reply { copy: 1, seq, .. } if *seq > 0 => now += every.get(),
                _ => {}
            }
            let warning = lateness.event(&event, now);
            warnings.extend(warning.map(|warning| (lateness.replies, warning)));
        }
        warnings
    }

    #[test]
    fn a_run_with_late_replies_gets_one_warning_that_suggests_a_sufficient_deadline() {
        let millis = Duration::from_millis;
        assert_eq!(
            warnings(millis(1), millis(5), None),
            [(
                10,
                "warning: 10 of the first 10 replies came after their deadline; -W 20ms would count them"
                    .to_owned()
            )]
        );
        let slow = warnings(millis(400), millis(300), None);
        assert_eq!(slow.len(), 1);
        assert!(slow[0].0 == 2 && slow[0].1.contains("2 of the first 2 replies"), "{slow:?}");
        assert!(slow[0].1.ends_with("-W 2s would count them"), "{slow:?}");
        assert_eq!(warnings(millis(1), millis(5), Some(millis(20))), []);
        assert_eq!(warnings(millis(20), millis(5), None), []);
    }
}
