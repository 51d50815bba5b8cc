//! Options of a STAMP run: TLVs, key, and a pace that suits other people's routers.

use anyhow::bail;

use crate::cli::args::{Ping, StampTime, StampTlv};
use crate::cli::key;
use crate::net::wall_clock_error;
use crate::probe::StampOptions;
use crate::time::Duration;
use crate::units::Interval;
use crate::wire::stamp::{Format, HmacKey, TlvKind};

/// A reflector may work in a router's control plane.
const SHORTEST_UNASKED: Duration = Duration::from_millis(10);

pub(super) fn options(arguments: &Ping) -> anyhow::Result<StampOptions> {
    let asked = &arguments.stamp_request;
    // TWAMP is spoken in open mode, whatever key the environment holds.
    let secret = if arguments.twamp { None } else { key::secret(arguments.destination.key_file.as_deref())? };
    let (synchronized, clock_error) = wall_clock_error().unwrap_or((false, Duration::from_secs(1)));
    Ok(StampOptions {
        ssid: asked.ssid,
        format: match asked.stamp_time {
            StampTime::Ntp => Format::Ntp,
            StampTime::Ptp => Format::Ptp,
        },
        tlvs: asked.tlv.iter().map(|tlv| kind(*tlv)).collect(),
        key: secret.map(|secret| HmacKey::new(&secret)),
        dscp: arguments.destination.dscp.unwrap_or(0),
        synchronized,
        clock_error,
    })
}

fn kind(tlv: StampTlv) -> TlvKind {
    match tlv {
        StampTlv::Cos => TlvKind::ClassOfService,
        StampTlv::Direct => TlvKind::DirectMeasurement,
        StampTlv::Time => TlvKind::TimestampInfo,
        StampTlv::FollowUp => TlvKind::FollowUp,
    }
}

/// Other people's routers are asked more than 100 times a second only if that is said.
pub(super) fn check_pace(arguments: &Ping, interval: Interval) -> anyhow::Result<()> {
    let shrinks = arguments.decay.is_some() || arguments.poisson;
    let shortest = if shrinks { arguments.min_interval.unwrap_or(interval).get() } else { interval.get() };
    if arguments.rate.is_none() && shortest < SHORTEST_UNASKED {
        bail!(
            "more than 100 probes a second may be too many for a router: say that you want them with --rate, as in \
             --rate {}",
            1_000_000_000 / interval.get().as_nanos().max(1)
        );
    }
    Ok(())
}

/// The size that was asked for, or the least.
pub(super) fn size(asked: Option<u64>, options: &StampOptions) -> anyhow::Result<u64> {
    let least = u64::from(options.least_size());
    let size = asked.unwrap_or(least);
    if size < least {
        bail!(
            "'{size}' for '--size' is too small: a request has {least} bytes at least; for example -s {least}"
        );
    }
    if !u32::try_from(size).is_ok_and(|size| options.allows_size(size)) {
        bail!(
            "'{size}' for '--size' leaves no room for the header of the padding: {least} bytes, or {} and more",
            least + 4
        );
    }
    Ok(size)
}
