//! One second of a host in one line, as the members of a room see it.

use super::counters::Process;
use super::figures::Figures;
use super::verdict::reasons;

/// `busy: steal 12 %`, or `not busy: CPU 12 %, load 0.4, 3.1 GiB free`; then the busiest processes, each
/// with its share of one processor's time of `ticks`.
pub fn in_words(figures: &Figures, busiest: &[(Process, u64)], ticks: u64) -> String {
    const GIB: f64 = (1_u64 << 30) as f64;
    let why: Vec<String> = reasons(figures).iter().map(ToString::to_string).collect();
    let (verdict, parts) = if why.is_empty() {
        let parts = [
            figures.cpu_share.map(|share| format!("CPU {:.0} %", share * 100.0)),
            figures.load.map(|load| format!("load {load:.1}")),
            figures.memory_available.map(|bytes| format!("{:.1} GiB free", bytes as f64 / GIB)),
        ];
        ("not busy", parts.into_iter().flatten().collect())
    } else {
        ("busy", why)
    };
    let processes: Vec<String> = busiest
        .iter()
        .map(|(process, used)| {
            format!("{} {:.0} %", process.name, 100.0 * *used as f64 / ticks.max(1) as f64)
        })
        .collect();
    let mut line = verdict.to_owned();
    for (before, list) in [(": ", parts), ("; ", processes)] {
        if !list.is_empty() {
            line += before;
            line += &list.join(", ");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_busy_for_a_reason_or_shows_its_figures() {
        let calm = Figures {
            cpu_share: Some(0.12),
            load: Some(0.42),
            memory_available: Some(3 << 30),
            ..Figures::default()
        };
        assert_eq!(in_words(&calm, &[], 200), "not busy: CPU 12 %, load 0.4, 3.0 GiB free");
        let busy = Figures { steal_share: Some(0.12), throttled: Some(2), ..calm };
        let process = Process { pid: 7, name: "rustc".into(), ticks: 900 };
        assert_eq!(
            in_words(&busy, &[(process, 170)], 200),
            "busy: steal 12 %, frozen 2 times by its CPU quota; rustc 85 %"
        );
        assert_eq!(in_words(&Figures::default(), &[], 200), "not busy");
    }
}
