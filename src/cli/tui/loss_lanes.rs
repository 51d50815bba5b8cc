//! The loss lanes under the chart: where each probe was lost, and whether it was injected.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::rtt;
use super::widgets::Palette;
use crate::live::{Bin, RunSnapshot};
use crate::probe::{Cause, Group, NotOnTime};

/// The legend and the lanes.
pub(super) const HEIGHT: u16 = 1 + LANES.len() as u16;

/// Each lane with its reasons, the first of which wins a tie. Lane and mark say what the colour says.
const LANES: [(&str, &[(NotOnTime, char)]); 3] = [
    ("up", &[(NotOnTime::Lost(Cause::Up), '█'), (NotOnTime::Lost(Cause::InjectedUp), '▒')]),
    ("down", &[(NotOnTime::Lost(Cause::Down), '█'), (NotOnTime::Lost(Cause::InjectedDown), '▒')]),
    (
        "else",
        &[
            (NotOnTime::Lost(Cause::ServerOverflow), 'B'),
            (NotOnTime::Lost(Cause::ClientOverflow), 'b'),
            (NotOnTime::Lost(Cause::Refused), 'R'),
            (NotOnTime::NotSent, 'x'),
            (NotOnTime::Late, 'L'),
            (NotOnTime::Lost(Cause::Unknown), '?'),
        ],
    ),
];

pub(super) fn draw(frame: &mut Frame, area: Rect, now: &RunSnapshot, palette: &Palette) {
    let [title, lanes] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let legend = "lost: █ network ▒ injected L late R refused B full buffer ? not known (yet)";
    frame.render_widget(Line::styled(super::widgets::fitted(legend, area.width), palette.muted), title);
    let bins: Vec<&Bin> = now.bins.last(rtt::bins(area)).map(|(_, bin)| bin).collect();
    for ((name, kinds), row) in LANES.into_iter().zip(lanes.rows()) {
        let margin = usize::from(rtt::MARGIN) - 1;
        frame.render_widget(Line::raw(format!("{name:>margin$}│")), row);
        let inside = Rect { x: row.x + rtt::MARGIN, width: row.width.saturating_sub(rtt::MARGIN), ..row };
        if !kinds.iter().any(|(reason, _)| is_told(now, *reason)) {
            frame.render_widget(Line::styled(" unknown in this dialect", palette.muted), inside);
            continue;
        }
        let cells: Vec<Span> = bins
            .rchunks(rtt::DOTS)
            .rev()
            .map(|bins| {
                let (mark, colour) = mark(bins, kinds, palette).unwrap_or((' ', Color::Reset));
                Span::styled(mark.to_string(), Style::new().fg(colour))
            })
            .collect();
        frame.render_widget(Line::from(cells).right_aligned(), inside);
    }
}

/// Whether the dialect could tell such a loss from others.
fn is_told(now: &RunSnapshot, reason: NotOnTime) -> bool {
    !matches!(reason, NotOnTime::Lost(cause) if !now.knows.tells(cause))
}

/// The most frequent reason of these probes in this lane; with many probes the mark shows their share.
fn mark(bins: &[&Bin], kinds: &[(NotOnTime, char)], palette: &Palette) -> Option<(char, Color)> {
    let count = |reason: NotOnTime| {
        let open = |bin: &Bin| if reason == NotOnTime::Lost(Cause::Unknown) { bin.open } else { 0 };
        bins.iter().map(|bin| bin.outcomes.of(reason) + u64::from(open(bin))).sum::<u64>()
    };
    let (reason, mark) = kinds.iter().copied().rev().max_by_key(|(reason, _)| count(*reason))?;
    let probes: u64 = bins.iter().map(|bin| bin.probes()).sum();
    let share = count(reason) as f64 / probes.max(1) as f64;
    if share == 0.0 {
        return None;
    }
    let (mark, colour) = match reason.group() {
        Group::NetworkUp | Group::NetworkDown => (graded(&NETWORK, share, probes), palette.network),
        Group::Injected => (graded(&INJECTED, share, probes), palette.injected),
        Group::Host => (mark, palette.buffer),
        Group::Late => (mark, palette.late),
        Group::NotSent | Group::Unknown => (mark, palette.muted),
    };
    Some((mark, colour))
}

const NETWORK: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const INJECTED: [char; 2] = ['░', '▒'];

/// Two probes or less have the full mark; more show a share.
fn graded<const N: usize>(marks: &[char; N], share: f64, probes: u64) -> char {
    const FEW: u64 = rtt::DOTS as u64;
    let grade = if probes <= FEW { N - 1 } else { (share * N as f64) as usize };
    marks[grade.min(N - 1)]
}
