//! Impairments by name, with their numbers and where these come from.

use super::impairment::Impairment;
use super::spec::SpecError;

/// A named impairment. `spec` is its line exactly as an impairment prints itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: &'static str,
    pub spec: &'static str,
    /// What it rehearses, and where its numbers come from.
    pub about: &'static str,
}

/// All of them, the default first.
pub const fn profiles() -> &'static [Profile] {
    &PROFILES
}

const PROFILES: [Profile; 7] = [
    Profile::CLASSIC,
    Profile { name: "clean", spec: "clean", about: "nothing is injected" },
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
        about: "a mobile network of the fourth generation, 70 ms there and back: round numbers, assumed and not \
                measured; empirical: rehearses a network that you measured",
    },
    Profile {
        name: "satellite",
        spec: "delay=normal:300ms±10ms,ordered loss=0.25% direction=both",
        about: "a geostationary satellite: light alone takes 477 ms there and back, paths in use about 600 ms \
                (Huston, APNIC, May 2022); jitter and loss are assumed",
    },
    Profile {
        name: "dsl-bloated",
        spec: "delay=constant:30ms rate=1Mbit,queue=256000 direction=up",
        about: "an uplink behind a buffer that holds 2 s of traffic (Gettys, Nichols: Bufferbloat, CACM 55(1), \
                2012, describes the ill; these numbers are assumed): probes alone meet 30 ms, load fills it",
    },
    Profile {
        name: "lossy",
        spec: "delay=uniform:10ms..100ms loss=gilbert:p=3%,r=27% duplicate=1% corrupt=0.1% reorder=2%,by=50ms",
        about: "a bit of everything, to try software against: 10 % lost in bursts of 3.7 on average; chosen, \
                not measured",
    },
];

impl Profile {
    pub(super) const CLASSIC: Self = Self {
        name: "classic",
        spec: "delay=uniform:100us..500ms loss=10%",
        about: "the default, that of the classic UDP pinger exercise: each reply held 0.1 to 500 ms, one probe \
                in ten unanswered",
    };

    pub fn named(name: &str) -> Result<&'static Self, SpecError> {
        profiles().iter().find(|profile| profile.name == name).ok_or_else(|| {
            let names: Vec<&str> = profiles().iter().map(|profile| profile.name).collect();
            let why = format!("'{name}' is no profile ({})", names.join(", "));
            SpecError::new(why, "wifi").within("profile")
        })
    }

    pub fn impairment(&self) -> Impairment {
        if self.spec == "clean" {
            return Impairment::clean();
        }
        self.spec.parse().expect("the specification of a profile is valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn each_prints_itself_as_it_is_written() {
        for profile in profiles() {
            let impairment = profile.impairment();
            assert_eq!(impairment.to_string(), profile.spec, "{}", profile.name);
            assert!(impairment.runnable().is_ok());
            assert_eq!(profile.name.parse::<Impairment>().unwrap(), impairment);
        }
        assert_eq!(profiles()[0], Profile::CLASSIC);
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            Profile::named("modem").unwrap_err().to_string(),
            "profile: 'modem' is no profile (classic, clean, wifi, lte, satellite, dsl-bloated, lossy); \
             for example wifi"
        );
    }

    /// What `about` says of the numbers.
    #[test]
    fn the_numbers_are_those_that_are_told() {
        let longest = |name| Profile::named(name).unwrap().impairment().longest_hold();
        assert_eq!(longest("classic"), Duration::from_millis(500));
        assert_eq!(longest("dsl-bloated"), Duration::from_millis(30 + 2_048));
        let delay = Profile::named("wifi").unwrap().impairment().delay;
        let mut draws = super::super::goodness_of_fit::draws(100_000, |stream, seq| {
            delay.draw(stream, seq).as_millis_f64()
        });
        draws.sort_by(f64::total_cmp);
        assert!((draws[50_000] - 3.0).abs() < 0.15, "median {}", draws[50_000]);
        assert!((draws[90_000] - 20.0).abs() < 0.5, "90th percentile {}", draws[90_000]);
        assert!((draws[99_000] - 90.0).abs() < 5.0, "99th percentile {}", draws[99_000]);
    }
}
