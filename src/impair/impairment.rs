//! An impairment, and the line that specifies it.
//!
//! The line is a list of words, `delay=uniform:100us..500ms loss=10%`, of at most 240 bytes, since
//! the wire carries it: one that prints longer is refused. An impairment reads back what it prints.

use std::fmt;
use std::str::FromStr;

use super::delay::Delay;
use super::direction::Ways;
use super::duplicate::Duplicate;
use super::loss::Loss;
use super::marking::{Dscp, Ecn};
use super::mtu::Mtu;
use super::only::Only;
use super::outage::Outage;
use super::packet::Packet;
use super::profile::Profile;
use super::rate::{RateLimit, RateTrace};
use super::reorder::Reorder;
use super::rounding::Share;
use super::spec::{Fields, Fingerprint, ReadFile, SpecError, WholeNumber};
use crate::time::Duration;
use crate::units::{UnitError, parse_duration};

const EXAMPLE: &str = "delay=uniform:0.1ms..500ms loss=10%";

/// A rate that is a trace begins with this word.
const TRACE: &str = "trace:";

/// The models to apply, and the directions in which a session applies them.
#[derive(Clone, Debug, PartialEq)]
pub struct Impairment {
    /// How long each datagram is held.
    pub delay: Delay,
    /// The datagrams that are dropped.
    pub loss: Loss,
    /// The datagrams that are sent twice, and when the copy leaves.
    pub duplicate: Duplicate,
    /// Share of datagrams in which one payload bit is flipped.
    pub corrupt: Share,
    /// Share of datagrams that are held back so that later ones overtake.
    pub reorder: Reorder,
    /// A bottleneck and its queue; `None` is no limit.
    pub rate: Option<RateLimit>,
    /// A link that a trace drives, instead of the rate.
    pub rate_trace: Option<RateTrace>,
    /// Longer packets vanish.
    pub mtu: Option<Mtu>,
    /// The path is gone at times.
    pub outage: Option<Outage>,
    /// The change of the ECN field.
    pub ecn: Option<Ecn>,
    /// The change of the DSCP.
    pub dscp: Option<Dscp>,
    /// The packets that loss, duplicates, corruption, reordering and marking act on.
    pub only: Option<Only>,
    /// The directions in which a session applies all this.
    pub direction: Ways,
    /// Set in the notice of a server whose impairment changes over time; the rest is then empty.
    pub scenario: Option<ScenarioNotice>,
}

/// A server's description of its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenarioNotice {
    pub(super) steps: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) longest: Duration,
}

impl Impairment {
    /// The longest line that the wire carries.
    pub const MAX_LINE: usize = 240;

    pub(super) const CLEAN: Self = Self {
        delay: Delay::NONE,
        loss: Loss::NONE,
        duplicate: Duplicate::NONE,
        corrupt: Share::ZERO,
        reorder: Reorder::NONE,
        rate: None,
        rate_trace: None,
        mtu: None,
        outage: None,
        ecn: None,
        dscp: None,
        only: None,
        direction: Ways::Down,
        scenario: None,
    };

    /// The default of `serve`: each reply held 0.1 to 500 ms, one probe in ten unanswered.
    pub fn classic() -> Self {
        Self::of_profile(&Profile::CLASSIC)
    }

    /// The impairment that the profile's line describes.
    pub fn of_profile(profile: &Profile) -> Self {
        if profile.spec == Profile::CLEAN {
            return Self::CLEAN;
        }
        profile.spec.parse().expect("the specification of a profile is valid")
    }

    /// One that does nothing.
    pub const fn clean() -> Self {
        Self::CLEAN
    }

    /// Whether it has no effect.
    pub fn is_clean(&self) -> bool {
        Self { direction: Ways::Down, ..self.clone() } == Self::CLEAN
    }

    /// The longest possible hold; a client waits this long for a late reply.
    pub fn longest_hold(&self) -> Duration {
        if let Some(scenario) = self.scenario {
            return scenario.longest;
        }
        let trace = self.rate_trace.as_ref().map(RateTrace::longest);
        let rate = trace.or(self.rate.map(RateLimit::longest)).unwrap_or_default();
        (self.delay.longest() + self.reorder.longest() + rate) * self.direction.count()
    }

    /// Fails if its line is longer than the wire carries.
    pub fn fits_a_line(self) -> Result<Self, SpecError> {
        match self.to_string().len() {
            length if length > Self::MAX_LINE => Err(SpecError::new(
                format!("takes {length} bytes, and a line has at most {}: use fewer parts", Self::MAX_LINE),
                EXAMPLE,
            )),
            _ => Ok(self),
        }
    }

    /// Sets one part by its key in the command line or a scenario.
    pub fn set(&mut self, key: &str, value: &str, files: ReadFile<'_>) -> Result<(), SpecError> {
        match key {
            "delay" => self.delay = Delay::from_spec(value, files)?,
            "loss" => self.loss = Loss::from_spec(value, files)?,
            "rate" if value.starts_with(TRACE) => {
                let trace = RateTrace::from_spec(&value[TRACE.len()..], files);
                self.set_trace(trace.map_err(|error| error.within("rate"))?);
            }
            _ => self.set_plain(key, value)?,
        }
        Ok(())
    }

    /// Reads a typed line, which may begin with a profile (`wifi loss=5%`) and name files.
    pub fn from_spec(text: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        Self::read(text, |impairment, key, value| impairment.set(key, value, files))
    }

    /// Whether loss, duplication, corruption, reordering and marking act on this packet.
    pub(crate) fn chooses(&self, packet: &Packet) -> bool {
        self.only.as_ref().is_none_or(|only| only.takes(packet))
    }

    /// Fails if a server cannot do it: it answers on its own, and its probes have no bytes but its protocol's.
    pub fn servable(&self) -> Result<(), SpecError> {
        let needs_proxy = |key| SpecError::new("is for udpecho proxy", EXAMPLE).within(key);
        match self {
            Self { ecn: Some(_), .. } => Err(needs_proxy("ecn")),
            Self { dscp: Some(_), .. } => Err(needs_proxy("dscp")),
            Self { only: Some(only), .. } if only.reads_bytes() => Err(needs_proxy("only=byte")),
            _ if self.duplicate.delay() > Duration::ZERO => Err(needs_proxy("duplicate: after")),
            _ => self.runnable(),
        }
    }

    /// Fails if a part is only described, as the wire carries it.
    pub fn runnable(&self) -> Result<(), SpecError> {
        let missing =
            |key| SpecError::new("only a description is here, without its data", EXAMPLE).within(key);
        if self.delay.is_described_only() {
            return Err(missing("delay"));
        }
        if self.loss.is_described_only() {
            return Err(missing("loss"));
        }
        if self.rate_trace.as_ref().is_some_and(RateTrace::is_described_only) {
            return Err(missing("rate"));
        }
        self.scenario.map_or(Ok(()), |_| Err(missing("scenario")))
    }

    /// For a line that has its direction already: that of a profile does not count, and `text` may name none.
    pub fn one_way(self, text: &str) -> Result<Self, SpecError> {
        if text.split_whitespace().any(|word| word.starts_with("direction=")) {
            let error = SpecError::new("a proxy has a line for each direction", "--up loss=1%");
            return Err(error.within("direction"));
        }
        Ok(Self { direction: Ways::Down, ..self })
    }

    fn read(
        text: &str,
        set: impl Fn(&mut Self, &str, &str) -> Result<(), SpecError>,
    ) -> Result<Self, SpecError> {
        let mut impairment = Self::CLEAN;
        let mut seen: Vec<&str> = Vec::new();
        for (at, word) in text.split_whitespace().enumerate() {
            match word.split_once('=') {
                Some((key, _)) if seen.contains(&key) => {
                    return Err(SpecError::new("given twice", EXAMPLE).within(key));
                }
                Some((key, value)) => {
                    set(&mut impairment, key, value)?;
                    seen.push(key);
                }
                None if at == 0 => impairment = Self::of_profile(Profile::named(word)?),
                None => return Err(SpecError::new(format!("'{word}' is not key=value"), EXAMPLE)),
            }
        }
        impairment.fits_a_line()
    }

    fn set_trace(&mut self, trace: RateTrace) {
        (self.rate, self.rate_trace) = (None, Some(trace));
    }

    fn set_plain(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        match key {
            "duplicate" => self.duplicate = value.parse()?,
            "corrupt" => self.corrupt = share(key, value)?,
            "reorder" => self.reorder = value.parse()?,
            "rate" => (self.rate, self.rate_trace) = (unless_none(value)?, None),
            "mtu" => self.mtu = unless_none(value)?,
            "outage" => self.outage = unless_none(value)?,
            "ecn" => self.ecn = unless_none(value)?,
            "dscp" => self.dscp = unless_none(value)?,
            "only" => self.only = unless_none(value)?,
            "direction" => self.direction = value.parse()?,
            key => {
                const KEYS: &str = "delay, loss, duplicate, corrupt, reorder, rate, mtu, outage, ecn, dscp, \
                                    only, direction";
                return Err(SpecError::new(format!("unknown impairment '{key}' ({KEYS})"), EXAMPLE));
            }
        }
        Ok(())
    }
}

struct Longest(Duration);

impl FromStr for Longest {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_duration(text).map(Self)
    }
}

/// An optional part; `none` turns it off.
fn unless_none<T: FromStr<Err = SpecError>>(value: &str) -> Result<Option<T>, SpecError> {
    if value == "none" { Ok(None) } else { value.parse().map(Some) }
}

fn share(key: &str, value: &str) -> Result<Share, SpecError> {
    if value == "none" {
        return Ok(Share::ZERO);
    }
    value.parse().map_err(|problem| SpecError::from(problem).within(key))
}

/// Reads the wire's form: without files.
impl FromStr for Impairment {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::read(text, |impairment, key, value| {
            match key {
                "delay" => impairment.delay = value.parse()?,
                "loss" => impairment.loss = value.parse()?,
                "scenario" => impairment.scenario = Some(value.parse()?),
                "rate" if value.starts_with(TRACE) => {
                    let trace = RateTrace::from_description(&value[TRACE.len()..]);
                    impairment.set_trace(trace.map_err(|error| error.within("rate"))?);
                }
                _ => impairment.set_plain(key, value)?,
            }
            Ok(())
        })
    }
}

/// The specification in one line, as the command line and the wire carry it.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [(&str, Option<&dyn fmt::Display>); 14] = [
            ("delay", (!self.delay.is_none()).then_some(&self.delay as _)),
            ("loss", (!self.loss.is_none()).then_some(&self.loss as _)),
            ("duplicate", (!self.duplicate.is_none()).then_some(&self.duplicate as _)),
            ("corrupt", (self.corrupt != Share::ZERO).then_some(&self.corrupt as _)),
            ("reorder", (!self.reorder.is_none()).then_some(&self.reorder as _)),
            ("rate", self.rate.as_ref().map(|rate| rate as _)),
            ("rate", self.rate_trace.as_ref().map(|trace| trace as _)),
            ("mtu", self.mtu.as_ref().map(|mtu| mtu as _)),
            ("outage", self.outage.as_ref().map(|outage| outage as _)),
            ("ecn", self.ecn.as_ref().map(|ecn| ecn as _)),
            ("dscp", self.dscp.as_ref().map(|dscp| dscp as _)),
            ("only", self.only.as_ref().map(|only| only as _)),
            ("direction", (self.direction != Ways::Down).then_some(&self.direction as _)),
            ("scenario", self.scenario.as_ref().map(|scenario| scenario as _)),
        ];
        let mut gap = "";
        for (key, part) in parts {
            let Some(part) = part else { continue };
            write!(f, "{gap}{key}={part}")?;
            gap = " ";
        }
        if gap.is_empty() { write!(f, "clean") } else { Ok(()) }
    }
}

impl FromStr for ScenarioNotice {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let mut fields = Fields::read(text, "steps=2,id=1a2b3c4d,longest=500ms")?;
            let WholeNumber(steps) = fields.need("steps")?;
            let fingerprint = fields.need("id")?;
            let longest = fields.need::<Longest>("longest")?.0;
            fields.finish()?;
            Ok(Self { steps, fingerprint, longest })
        };
        read().map_err(|error: SpecError| error.within("scenario"))
    }
}

impl fmt::Display for ScenarioNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steps={},id={},longest={}", self.steps, self.fingerprint, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::delay::{Constant, Empirical, Exponential, Law, LogNormal, Normal, Pareto, Uniform};
    use super::super::loss::{Burst, Bursts, GilbertElliott, Nth, Trace};
    use super::super::profile::profiles;
    use super::super::rounding::{Length, MAX_DELAY};
    use super::*;
    use crate::units::{BitRate, ByteSize};

    fn duration() -> impl Strategy<Value = Duration> {
        (0..=MAX_DELAY.as_nanos(), 0_u32..12)
            .prop_map(|(nanos, less)| Duration::from_nanos((nanos / 10_i64.pow(less)).max(1)))
    }

    fn a_share() -> impl Strategy<Value = Share> {
        (0.000_001_f64..=1.0).prop_map(|share| Share::new(share.try_into().unwrap()).unwrap())
    }

    fn delay() -> impl Strategy<Value = Delay> {
        let law = prop_oneof![
            duration().prop_map(|delay| Law::Constant(Constant::new(delay).unwrap())),
            (duration(), duration())
                .prop_map(|(a, b)| Law::Uniform(Uniform::new(a.min(b), a.max(b)).unwrap())),
            (duration(), duration()).prop_map(|(mean, sd)| Law::Normal(Normal::new(mean, sd).unwrap())),
            (duration(), duration()).prop_map(|(mean, sd)| Law::LogNormal(LogNormal::new(mean, sd).unwrap())),
            (duration(), 1.001..100.0).prop_map(|(least, a)| Law::Pareto(Pareto::new(least, a).unwrap())),
            duration().prop_map(|mean| Law::Exponential(Exponential::new(mean).unwrap())),
            prop::collection::vec(duration(), 1..9)
                .prop_map(|samples| Law::Empirical(Empirical::new(samples).unwrap())),
        ];
        (law, any::<bool>()).prop_map(|(law, ordered)| {
            let delay = Delay::from(law);
            if ordered { delay.in_order() } else { delay }
        })
    }

    fn loss() -> impl Strategy<Value = Loss> {
        let burst = (0_u64..1_000, 1_u64..20).prop_map(|(first, length)| Burst { first, length });
        prop_oneof![
            Just(Loss::NONE),
            a_share().prop_map(Loss::Bernoulli),
            (a_share(), a_share(), a_share(), a_share()).prop_filter_map("a fast chain", |(p, r, h, k)| {
                GilbertElliott::new(p, r, h, k).ok().map(Loss::GilbertElliott)
            }),
            (1_u64..).prop_map(|n| Loss::Nth(Nth::new(n.try_into().unwrap()))),
            (burst, prop::option::of(1_020_u64..))
                .prop_map(|(burst, every)| Loss::Bursts(Bursts::new(vec![burst], every).unwrap())),
            prop::collection::vec(any::<bool>(), 1..100)
                .prop_map(|marks| Loss::Trace(Trace::new(marks).unwrap())),
        ]
    }

    fn rate() -> impl Strategy<Value = RateLimit> {
        let limit = (1_u64..99_999_999_999, 0_u64..999_999_999)
            .prop_filter_map("a queue that empties", |(rate, queue)| {
                RateLimit::new(BitRate::new(rate).unwrap(), ByteSize::new(queue)).ok()
            });
        let burst = prop_oneof![Just(0), 0_u64..999_999_999];
        (limit, burst, any::<bool>(), any::<bool>()).prop_map(|(limit, burst, codel, fair)| {
            let limit = limit.with_burst(ByteSize::new(burst)).unwrap_or(limit);
            let limit = if codel { limit.with_codel() } else { limit };
            if fair { limit.with_fair_queues().unwrap_or(limit) } else { limit }
        })
    }

    fn outage() -> impl Strategy<Value = Outage> {
        let turns = (10_i64..3_600_000, 10_i64..3_600_000, any::<bool>());
        turns.prop_map(|(on, off, is_fixed)| {
            // A length keeps six digits.
            let length = |ms: i64| Length::new(Duration::from_millis(ms)).unwrap().get();
            let law = if is_fixed { Outage::fixed } else { Outage::exponential };
            law(length(on), length(off)).unwrap()
        })
    }

    fn ecn() -> impl Strategy<Value = Ecn> {
        prop_oneof![Just(Ecn::Bleach), Just(Ecn::Mangle), a_share().prop_map(Ecn::Mark)]
    }

    prop_compose! {
        fn impairment()(
            delay in delay(),
            loss in loss(),
            duplicate in prop::option::of((a_share(), prop_oneof![Just(Duration::ZERO), duration()])),
            corrupt in prop_oneof![Just(Share::ZERO), a_share()],
            reorder in prop::option::of((a_share(), duration())),
            rate in prop::option::of(rate()),
            mtu in prop::option::of((68_u16..).prop_map(|bytes| Mtu::new(bytes).unwrap())),
            outage in prop::option::of(outage()),
            marking in (prop::option::of(ecn()), prop::option::of(Just(Dscp::Bleach))),
            only in prop::option::of(prop_oneof![
                (any::<u16>(), 0_u16..9_000).prop_map(|(from, more)| {
                    format!("size:{from}-{}", from.saturating_add(more)).parse::<Only>().unwrap()
                }),
                (any::<u16>(), any::<u8>(), any::<u8>()).prop_map(|(at, value, mask)| {
                    format!("byte:{at}={:x}/{mask:x},size:-{at}", value & mask).parse::<Only>().unwrap()
                }),
            ]),
            direction in prop_oneof![Just(Ways::Up), Just(Ways::Down), Just(Ways::Both)],
        ) -> Impairment {
            let duplicate = duplicate.map_or(Duplicate::NONE, |(share, after)| Duplicate::new(share).after(after).unwrap());
            let (ecn, dscp) = marking;
            let reorder = reorder.map_or(Reorder::NONE, |(share, by)| Reorder::new(share, by).unwrap());
            Impairment {
                delay, loss, duplicate, corrupt, reorder, rate, rate_trace: None, mtu, outage, ecn, dscp, only, direction,
                scenario: None,
            }
        }
    }

    proptest! {
        #[test]
        fn every_line_that_fits_reads_back(impairment in impairment()) {
            let line = impairment.to_string();
            match line.parse::<Impairment>() {
                Ok(read) => prop_assert_eq!(read, impairment, "{}", line),
                Err(error) => {
                    prop_assert!(line.len() > Impairment::MAX_LINE, "{}: {}", line, error);
                    prop_assert!(error.to_string().starts_with("takes "), "{}", error);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(
            text in ".{0,60}",
            key in "[a-z]{1,9}",
            value in "[a-z0-9:=,.%@±]{0,30}",
        ) {
            let _ = text.parse::<Impairment>();
            let _ = format!("{key}={value}").parse::<Impairment>();
            for key in ["delay", "loss", "duplicate", "reorder", "rate", "mtu", "outage", "ecn", "only", "scenario"] {
                let _ = format!("{key}={value}").parse::<Impairment>();
            }
        }
    }

    #[test]
    fn the_longest_line_fits() {
        let share = "12.34567%";
        let length = "123.456ms";
        let delay = format!("empirical:n=999999,id=ffffffff,max={length},ordered");
        let losses = [
            format!("gilbert:p={share},r={share},h={share},k={share}"),
            "bursts:12345678@12345678,every=18446744073709551615".to_owned(),
            format!("trace:{}", "x".repeat(48)),
        ];
        for loss in losses {
            let line = format!(
                "delay={delay} loss={loss} duplicate={share} corrupt={share} reorder={share},by={length} \
                 rate=99999999999bit,queue=999999999 direction=both"
            );
            assert_eq!(line.parse::<Impairment>().unwrap().to_string(), line);
            assert!(line.len() <= Impairment::MAX_LINE, "{} bytes: {line}", line.len());
            let longer = line.replace("queue=999999999", "queue=999999999,codel");
            let error = longer.parse::<Impairment>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("takes {} bytes", longer.len())), "{error}");
        }
    }

    #[test]
    fn the_classic_line_is_what_the_server_prints() {
        assert_eq!(Impairment::classic().to_string(), "delay=uniform:100us..500ms loss=10%");
        assert_eq!(Impairment::clean().to_string(), "clean");
        assert_eq!("".parse(), Ok(Impairment::clean()));
        assert!("delay=none loss=0% direction=up".parse::<Impairment>().unwrap().is_clean());
        assert!(!Impairment::classic().is_clean());
    }

    #[test]
    fn a_line_may_begin_with_a_profile() {
        let line: Impairment = "wifi loss=5% rate=none".parse().unwrap();
        let wifi = profile("wifi");
        assert_eq!(line, Impairment { loss: "5%".parse().unwrap(), ..wifi });
    }

    fn profile(name: &str) -> Impairment {
        Impairment::of_profile(Profile::named(name).unwrap())
    }

    #[test]
    fn a_profile_prints_itself_as_it_is_written() {
        for profile in profiles() {
            let impairment = Impairment::of_profile(profile);
            assert_eq!(impairment.to_string(), profile.spec, "{}", profile.name);
            assert!(impairment.runnable().is_ok());
            assert_eq!(profile.name.parse::<Impairment>().unwrap(), impairment);
        }
        assert_eq!(profiles()[0], Profile::CLASSIC);
    }

    #[test]
    fn a_profile_has_the_numbers_that_its_description_names() {
        let longest = |name| profile(name).longest_hold();
        assert_eq!(longest("classic"), Duration::from_millis(500));
        assert_eq!(longest("dsl-bloated"), Duration::from_millis(30 + 2_048));
        let delay = profile("wifi").delay;
        let mut draws = super::super::goodness_of_fit::draws(100_000, |stream, seq| {
            delay.draw(stream, seq).as_millis_f64()
        });
        draws.sort_by(f64::total_cmp);
        assert!((draws[50_000] - 3.0).abs() < 0.15, "median {}", draws[50_000]);
        assert!((draws[90_000] - 20.0).abs() < 0.5, "90th percentile {}", draws[90_000]);
        assert!((draws[99_000] - 90.0).abs() < 5.0, "99th percentile {}", draws[99_000]);
    }

    #[test]
    fn the_longest_hold_counts_every_model() {
        let longest = |line: &str| line.parse::<Impairment>().unwrap().longest_hold().as_millis_f64();
        assert_eq!(longest("clean"), 0.0);
        assert_eq!(longest("delay=constant:20ms direction=both"), 40.0);
        assert_eq!(longest("delay=uniform:1ms..30ms reorder=1%,by=10ms rate=8Mbit,queue=100k"), 140.0);
    }

    #[test]
    fn an_error_names_the_key() {
        for (line, error) in [
            (
                "delay",
                "profile: unknown profile 'delay' (classic, clean, wifi, lte, satellite, \
                 dsl-bloated, lossy); for example wifi",
            ),
            ("loss=10% wifi", "'wifi' is not key=value; for example delay=uniform:0.1ms..500ms loss=10%"),
            ("loss=10% loss=5%", "loss: given twice; for example delay=uniform:0.1ms..500ms loss=10%"),
            (
                "lag=1s",
                "unknown impairment 'lag' (delay, loss, duplicate, corrupt, reorder, rate, mtu, outage, ecn, \
                 dscp, only, direction); for example delay=uniform:0.1ms..500ms loss=10%",
            ),
            ("duplicate=2", "duplicate: must be between 0 and 1 (0% and 100%); for example 10% or 0.1"),
            ("direction=left", "direction: 'left' is not up, down or both; for example up"),
            ("loss=gilbert:p=x,r=1%", "loss: p: not a number; for example 10% or 0.1"),
            ("scenario=steps=2", "scenario: id= is missing; for example steps=2,id=1a2b3c4d,longest=500ms"),
        ] {
            assert_eq!(line.parse::<Impairment>().unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn a_server_refuses_what_only_a_proxy_can_do() {
        let servable = |line: &str| line.parse::<Impairment>().unwrap().servable();
        for line in ["mtu=1300 outage=fixed:on=5s,off=2s", "loss=10% only=size:100-", "duplicate=1%"] {
            assert_eq!(servable(line), Ok(()), "{line}");
        }
        for line in ["ecn=bleach", "dscp=bleach", "loss=10% only=byte:0=c0", "duplicate=1%,after=1s"] {
            let error = servable(line).unwrap_err().to_string();
            assert!(error.contains("is for udpecho proxy"), "{error}");
        }
    }

    #[test]
    fn a_described_impairment_does_not_run() {
        for line in [
            "delay=empirical:n=5,id=0000002a,max=7ms",
            "loss=trace:n=5,lost=1,id=0000002a",
            "scenario=steps=2,id=0000002a,longest=7ms",
            "rate=trace:n=5,ms=9,id=0000002a,queue=64000",
        ] {
            let impairment: Impairment = line.parse().unwrap();
            assert_eq!(impairment.to_string(), line);
            assert!(impairment.runnable().is_err(), "{line}");
            assert!(!impairment.is_clean());
        }
        let files = |_: &str| Ok("1ms\n2ms\n".to_owned());
        let here = Impairment::from_spec("delay=empirical:delays", &files).unwrap();
        assert!(here.runnable().is_ok());
        assert_eq!(here.longest_hold(), Duration::from_millis(2));
        assert_eq!(here.to_string().parse::<Impairment>().unwrap(), here);
    }
}
