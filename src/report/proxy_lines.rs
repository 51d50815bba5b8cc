//! The closing lines of a proxy: what became of the datagrams of each mapping and direction.

use super::proxy_data::{ProxyData, Totals, lost_names};
use crate::report::format::{counted, milliseconds_bare};
use crate::time::Duration;

/// Two lines for each mapping.
pub fn proxy_lines(data: &ProxyData) -> Vec<String> {
    let both = data.mappings.iter().flat_map(|(name, [up, down])| [(name, "up", up), (name, "down", down)]);
    both.map(|(name, direction, totals)| format!("{name} {direction}: {}", words(totals))).collect()
}

fn words(totals: &Totals) -> String {
    let mut parts = vec![format!("{} arrived", totals.arrived), format!("{} passed", totals.passed)];
    let lost = totals.lost.iter().zip(lost_names()).map(|(count, name)| {
        let words = if name == "send_error" { ["send error", "send errors"] } else { [name; 2] };
        (*count, words)
    });
    for (count, [one, many]) in lost.chain([(totals.copies, ["copy", "copies"])]).filter(|(n, _)| *n > 0) {
        parts.push(counted(count, one, many));
    }
    if let (Some(p50), Some(p99), Some(max)) = (totals.hold(0.5), totals.hold(0.99), totals.hold(1.0))
        && max > 0.0
    {
        let ms = |nanos: f64| milliseconds_bare(Duration::from_secs_f64(nanos / 1e9));
        parts.push(format!("held p50/p99/max = {}/{}/{} ms", ms(p50), ms(p99), ms(max)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::Direction;
    use crate::relay::{DropCause, Fate};
    use crate::report::proxy_data::tests::row;

    #[test]
    fn a_line_has_what_happened_and_nothing_else() {
        let mut data = ProxyData::default();
        for (millis, direction, fate) in [
            (0, Direction::Up, Fate::Passed),
            (5, Direction::Up, Fate::Dropped(DropCause::Queue)),
            (6, Direction::Up, Fate::SendError),
            (7, Direction::Down, Fate::SendError),
            (8, Direction::Down, Fate::SendError),
        ] {
            data.push(&row(millis, direction, fate));
        }
        assert_eq!(
            proxy_lines(&data),
            [
                "m1 up: 3 arrived, 1 passed, 1 queue, 1 send error, held p50/p99/max = 20.0/20.0/20.0 ms",
                "m1 down: 2 arrived, 0 passed, 2 send errors",
            ]
        );
    }
}
