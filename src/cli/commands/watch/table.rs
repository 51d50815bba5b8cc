//! The table on a terminal: a row a target, refreshed each second; and the summary at the end, in the
//! form of fping.

use std::num::NonZero;

use crate::cli::printer::{Printer, lines_on_the_terminal, terminal_width};
use crate::fleet::{Snapshot, TargetView};
use crate::printable::printable;
use crate::probe::Cause;
use crate::report::milliseconds_bare;

/// Columns of a target's name.
pub(in crate::cli::commands) const NAME: usize = 23;

/// The table that is on the screen.
#[derive(Default)]
pub(super) struct Screen {
    /// Its rows, above which the next one is drawn.
    drawn: usize,
    /// Lines on stderr at that time; the next table is not drawn over later ones.
    lines_before: usize,
}

impl Screen {
    /// Draws at most this many rows, or as many as fit, in place of the table before.
    pub(super) fn draw(&mut self, now: &Snapshot, most: Option<NonZero<usize>>, printer: &Printer) {
        let Some(width) = terminal_width() else { return };
        let height = ratatui::crossterm::terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let most = most.map_or(height.saturating_sub(4).max(1), NonZero::get);
        let lines = rows(now, most, width.saturating_sub(1));
        let lines_before = std::mem::replace(&mut self.lines_before, lines_on_the_terminal());
        let up = match self.drawn {
            1.. if lines_before == self.lines_before => format!("\r\x1b[{}A", self.drawn),
            _ => String::new(),
        };
        self.drawn = lines.len();
        let text: String = lines.iter().map(|line| format!("\x1b[2K{}\n", printable(line))).collect();
        printer.text(format!("{up}{text}\x1b[0J"));
    }
}

/// Lines for a terminal of this width: a header and as many rows as fit.
fn rows(now: &Snapshot, most: usize, width: usize) -> Vec<String> {
    let mut targets: Vec<&TargetView> = now.targets.iter().collect();
    let shown = targets.len().min(most);
    if shown < targets.len() {
        let loss =
            |target: &TargetView| (!target.figures.is_up(), target.figures.loss_share().unwrap_or(0.0));
        targets.sort_by(|a, b| loss(b).partial_cmp(&loss(a)).expect("shares are numbers"));
    }
    let header = format!(
        "{:<NAME$} {:>8} {:>6} {:>6} {:>5} {:>5} {:>8} {}",
        "target", "resolved", "lost", "loss", "up", "down", "rtt ms", "state"
    );
    let mut lines = vec![header];
    lines.extend(targets.iter().take(shown).map(|target| row(target)));
    let hidden = now.targets.len() - shown;
    if hidden > 0 {
        lines.push(format!("and {hidden} more with less loss"));
    }
    lines.into_iter().map(|line| line.chars().take(width).collect()).collect()
}

fn row(target: &TargetView) -> String {
    let figures = &target.figures;
    let share = figures.loss_share().map_or_else(|| "-".into(), percent);
    let rtt = figures.last_rtt().map_or_else(|| "-".into(), milliseconds_bare);
    let dialect = target.wanted.group.dialect;
    let lost_by = |cause: Cause| match dialect.may_tell(cause) {
        true => figures.lost_by(cause).to_string(),
        false => "-".to_owned(),
    };
    format!(
        "{:<NAME$} {:>8} {:>6} {share:>6} {:>5} {:>5} {rtt:>8} {}",
        cut(&target.wanted.key.target),
        figures.resolved(),
        figures.lost(),
        lost_by(Cause::Up),
        lost_by(Cause::Down),
        flows(target).unwrap_or_else(|| figures.state().label().to_owned()),
    )
}

/// The flows that lose half of their probes or more, by their ports, unless all do.
fn flows(target: &TargetView) -> Option<String> {
    let (figures, count) = (&target.figures, u32::from(target.wanted.group.flows));
    let lossy: Vec<u32> = figures.lossy_flows().collect();
    if count < 2 || lossy.is_empty() || lossy.len() as u32 == count {
        return None;
    }
    let ports: Vec<String> =
        lossy.iter().filter_map(|flow| figures.flow_port(*flow)).map(|port| port.to_string()).collect();
    Some(format!("{} of {count} flows lossy: source port {}", lossy.len(), ports.join(", ")))
}

pub(in crate::cli::commands) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 9.95 { format!("{percent:.0}%") } else { format!("{percent:.2}%") }
}

/// A long name keeps both ends.
pub(in crate::cli::commands) fn cut(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= NAME {
        return name.to_owned();
    }
    let end = NAME / 2;
    let start = NAME - 1 - end;
    letters[..start].iter().chain(&['…']).chain(&letters[letters.len() - end..]).collect()
}

/// As fping -c ends: the same words, so that what reads those reads these.
pub(super) fn summary(now: &Snapshot) -> Vec<String> {
    let width = now.targets.iter().map(|target| target.wanted.key.target.chars().count()).max().unwrap_or(0);
    let line = |target: &TargetView| {
        let figures = &target.figures;
        let name = &target.wanted.key.target;
        let (sent, received) = (figures.resolved(), figures.replies());
        let loss = figures.loss_share().unwrap_or(0.0) * 100.0;
        let counts = format!("{name:<width$} : xmt/rcv/%loss = {sent}/{received}/{loss:.0}%");
        let rtt = figures.rtt_range().map_or_else(String::new, |[least, mean, most]| {
            let [least, mean, most] = [least, mean, most].map(milliseconds_bare);
            format!(", min/avg/max = {least}/{mean}/{most}")
        });
        let causes = Cause::ALL.into_iter().filter(|cause| figures.lost_by(*cause) > 0);
        let causes: Vec<String> =
            causes.map(|cause| format!("{} {}", figures.lost_by(cause), cause.label())).collect();
        let flows = flows(target).map_or_else(String::new, |flows| format!(", {flows}"));
        let lost = if causes.is_empty() { String::new() } else { format!(", lost: {}", causes.join(", ")) };
        // 0 % of no probe reads as if all were well.
        let state = if figures.is_up() { String::new() } else { format!(", {}", figures.state().label()) };
        counts + &rtt + &lost + &flows + &state
    };
    now.targets.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Figures;

    fn snapshot(names: &[&str]) -> Snapshot {
        let view = |name: &&str| TargetView::of_test("default", name, Figures::default());
        Snapshot { targets: names.iter().map(view).collect(), ..Snapshot::default() }
    }

    #[test]
    fn a_row_fits_80_columns_and_rows_that_do_not_fit_are_counted() {
        let now = snapshot(&["a", "a-host-with-a-very-long-name.example.net:8080", "c"]);
        let lines = rows(&now, 2, 80);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert_eq!(lines[3], "and 1 more with less loss");
        assert!(rows(&now, 9, 80)[2].starts_with("a-host-with…le.net:8080 "));
    }

    #[test]
    fn the_summary_is_fping_s() {
        let now = snapshot(&["a", "bcd"]);
        let expected = ["a   : xmt/rcv/%loss = 0/0/0%, opening", "bcd : xmt/rcv/%loss = 0/0/0%, opening"];
        assert_eq!(summary(&now), expected);
    }
}
