//! Named impairments, with the source of their numbers.

use super::spec::SpecError;

/// A named impairment. `spec` is its line exactly as an impairment prints itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// As `--profile` takes it.
    pub name: &'static str,
    /// In the grammar of impairments.
    pub spec: &'static str,
    /// The network that it emulates, and the source of its numbers.
    pub about: &'static str,
}

/// All of them, the default first.
pub const fn profiles() -> &'static [Profile] {
    &PROFILES
}

const PROFILES: [Profile; 7] = [
    Profile::CLASSIC,
    Profile { name: "clean", spec: Profile::CLEAN, about: "nothing is injected" },
    Profile {
        name: "wifi",
        spec: "delay=lognormal:9ms±25ms,ordered loss=gilbert:p=0.1%,r=50%",
        about: "a busy wireless network: median 3 ms and 90th percentile 20 ms as measured on a campus \
                (Sui et al., MobiSys 2016), but a 99th of 90 ms, not 250; the loss that retries leave, in \
                short bursts, is assumed",
    },
    Profile {
        name: "lte",
        spec: "delay=normal:35ms±8ms,ordered loss=gilbert:p=0.05%,r=25% direction=both",
        about: "a 4G mobile network with an RTT of 70 ms: round numbers, assumed and not measured; empirical: emulates a network that you measured",
    },
    Profile {
        name: "satellite",
        spec: "delay=normal:300ms±10ms,ordered loss=0.25% direction=both",
        about: "a geostationary satellite: light alone needs an RTT of 477 ms, real paths have about 600 ms \
                (Huston, APNIC, May 2022); jitter and loss are assumed",
    },
    Profile {
        name: "dsl-bloated",
        spec: "delay=constant:30ms rate=1Mbit,queue=256000 direction=up",
        about: "an uplink behind a buffer that holds 2 s of traffic (Gettys, Nichols: Bufferbloat, CACM 55(1), \
                2012, describes the problem; these numbers are assumed): probes alone meet 30 ms, load fills it",
    },
    Profile {
        name: "lossy",
        spec: "delay=uniform:10ms..100ms loss=gilbert:p=3%,r=27% duplicate=1% corrupt=0.1% reorder=2%,by=50ms",
        about: "a bit of every impairment, for testing software: 10 % lost in bursts of 3.7 on average; \
                chosen, not measured",
    },
];

impl Profile {
    /// The line of an impairment without effect.
    pub(super) const CLEAN: &str = "clean";

    pub(super) const CLASSIC: Self = Self {
        name: "classic",
        spec: "delay=uniform:100us..500ms loss=10%",
        about: "the default, that of the classic UDP pinger exercise: each reply held 0.1 to 500 ms, one probe \
                in ten unanswered",
    };

    pub(crate) fn named(name: &str) -> Result<&'static Self, SpecError> {
        profiles().iter().find(|profile| profile.name == name).ok_or_else(|| {
            let names: Vec<&str> = profiles().iter().map(|profile| profile.name).collect();
            let why = format!("unknown profile '{name}' ({})", names.join(", "));
            SpecError::new(why, "wifi").within("profile")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_profile_lists_the_known_ones() {
        assert_eq!(
            Profile::named("modem").unwrap_err().to_string(),
            "profile: unknown profile 'modem' (classic, clean, wifi, lte, satellite, dsl-bloated, lossy); \
             for example wifi"
        );
    }
}
