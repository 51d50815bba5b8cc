//! The places of hosts that are listed by address alone: their servers tell rack and zone, and are asked now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::probe::HostNames;
use crate::time::{Duration, Instant};

/// The names that servers told, and when each is asked next.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    hosts: BTreeMap<SocketAddr, Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    /// None until the server answers; kept when it is silent later, so that no peer of its rack changes.
    names: Option<HostNames>,
    due: Instant,
}

impl Survey {
    /// A host may get another rack, and an address another host.
    const REFRESH: Duration = Duration::from_secs(600);
    /// Between two questions to a server that does not answer.
    const RETRY: Duration = Duration::from_secs(60);

    /// The hosts of this list that are due. Those that are not listed are forgotten.
    pub fn take_due(&mut self, listed: &BTreeSet<SocketAddr>, now: Instant) -> Vec<SocketAddr> {
        self.hosts.retain(|host, _| listed.contains(host));
        let mut due = Vec::new();
        for host in listed {
            let asked = self.hosts.entry(*host).or_insert(Asked { names: None, due: now });
            if now >= asked.due {
                asked.due = now + Self::RETRY;
                due.push(*host);
            }
        }
        due
    }

    /// Takes an answer to a question of this moment. Returns whether it is another than before.
    pub fn answer(&mut self, host: SocketAddr, names: HostNames, now: Instant) -> bool {
        let Some(asked) = self.hosts.get_mut(&host) else { return false };
        asked.due = now + Self::REFRESH;
        asked.names.replace(names.clone()) != Some(names)
    }

    /// The names that the server of this host told last.
    pub fn names(&self, host: SocketAddr) -> Option<&HostNames> {
        self.hosts.get(&host)?.names.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_again_after_a_minute_and_keeps_its_names() {
        let host: SocketAddr = "192.0.2.7:8080".parse().unwrap();
        let (listed, nobody) = (BTreeSet::from([host]), BTreeSet::new());
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let names = |rack: &str| HostNames { rack: rack.into(), ..HostNames::default() };
        let mut survey = Survey::default();
        assert_eq!([0, 59, 60].map(|second| survey.take_due(&listed, at(second)).len()), [1, 0, 1]);
        assert!(survey.answer(host, names("r1"), at(61)) && !survey.answer(host, names("r1"), at(61)));
        assert_eq!(
            [121, 660, 661, 662].map(|second| survey.take_due(&listed, at(second)).len()),
            [0, 0, 1, 0]
        );
        assert_eq!(survey.names(host), Some(&names("r1")), "it did not answer the second time");
        assert!(survey.answer(host, names("r2"), at(662)));
        survey.take_due(&nobody, at(663));
        assert!(
            survey.names(host).is_none() && !survey.answer(host, names("r2"), at(663)),
            "not listed any more"
        );
    }
}
