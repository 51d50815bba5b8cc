//! One second of a host in one line, as the members of a room see it.

use super::counters::Process;
use super::figures::Figures;
use super::verdict::reasons;

/// `busy: steal 12 % (CPU 97 %, load 8.1, 3.1 GiB free)`, or `not busy: CPU 12 %, load 0.4, 3.1 GiB free`; then
/// the busiest processes, each with its share of one processor's time of `ticks`.
pub fn in_words(figures: &Figures, busiest: &[(Process, u64)], ticks: u64) -> String {
    const GIB: f64 = (1_u64 << 30) as f64;
    let why: Vec<String> = reasons(figures).iter().map(ToString::to_string).collect();
    let parts = [
        figures.cpu_share.map(|share| format!("CPU {:.0} %", share * 100.0)),
        figures.load.map(|load| format!("load {load:.1}")),
        figures.memory_available.map(|bytes| format!("{:.1} GiB free", bytes as f64 / GIB)),
    ];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let mut line = match (why.is_empty(), parts.is_empty()) {
        (true, true) => "not busy".to_owned(),
        (true, false) => format!("not busy: {parts}"),
        (false, true) => format!("busy: {}", why.join(", ")),
        (false, false) => format!("busy: {} ({parts})", why.join(", ")),
    };
    let processes: Vec<String> = busiest
        .iter()
        .map(|(process, used)| {
            format!("{} {:.0} %", process.name, 100.0 * *used as f64 / ticks.max(1) as f64)
        })
        .collect();
    if !processes.is_empty() {
        line += "; ";
        line += &processes.join(", ");
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
            "busy: steal 12 %, frozen 2 times by its CPU quota (CPU 12 %, load 0.4, 3.0 GiB free); rustc 85 %"
        );
        let alone = Figures { throttled: Some(1), ..Figures::default() };
        assert_eq!(in_words(&alone, &[], 200), "busy: frozen once by its CPU quota");
        assert_eq!(in_words(&Figures::default(), &[], 200), "not busy");
    }
}
