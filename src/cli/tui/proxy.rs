//! The full screen of a proxy.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::pausable::{Model, PausableScreen};
use super::widgets::{BOLD, Palette, columns, ends, fitted, footer, heading, panel};
use crate::live::{DirectionSecond, ProxyModel, ProxySnapshot, clock, lost, proxy_line};
use crate::relay::{DropCause, Tally};
use crate::report::{bit_rate, milliseconds};

pub(crate) type ProxyScreen = PausableScreen<ProxyModel>;

const KEYS: [(&str, &str); 3] = [("q", "stop the proxy"), ("space", "pause"), ("?", "help")];

impl Model for ProxyModel {
    type Snapshot = ProxySnapshot;

    const HELP: &[&str] = &[
        "q      stop the proxy; twice: at once",
        "space  pause the display; the proxy goes on",
        "?      close this help",
        "",
        "up: toward the server, down: toward the client",
        "queue now: how long a datagram that arrives now waits",
    ];
    const PAUSED: &str = "display paused, the proxy is not; space resumes";

    fn snapshot(&self) -> ProxySnapshot {
        ProxyModel::snapshot(self)
    }

    fn draw(frame: &mut Frame, now: &ProxySnapshot, note: &str, palette: &Palette) {
        draw(frame, now, note, palette);
    }
}

fn draw(frame: &mut Frame, now: &ProxySnapshot, note: &str, palette: &Palette) {
    let area = frame.area();
    if area.width < 60 || area.height < 16 {
        return small(frame, now);
    }
    let mappings = now.figures.mappings.iter().filter(|mapping| !mapping.is_removed).count();
    let rows = u16::try_from(2 * mappings.max(1)).unwrap_or(u16::MAX).saturating_add(3).min(area.height / 3);
    let [head, charts, table, flows, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(2),
        Constraint::Length(rows),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, now);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(charts);
    for (area, direction, name) in [(left, 0, "up"), (right, 1, "down")] {
        let [above, below] = Layout::vertical([Constraint::Fill(1); 2]).areas(area);
        let [arrived, missing] = [
            (format!("{name}: arrived per second"), palette.reply),
            (format!("{name}: not passed per second"), palette.injected),
        ];
        seconds(frame, above, now, direction, &arrived, |second| second.arrived, palette);
        seconds(frame, below, now, direction, &missing, |second| second.lost, palette);
    }
    mapping_table(frame, table, now, palette);
    flow_table(frame, flows, now, palette);
    footer(frame, keys, &KEYS, note);
}

fn header(frame: &mut Frame, area: Rect, now: &ProxySnapshot) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let since = format!("{} so far", clock(now.figures.elapsed));
    heading(frame, first, "udpecho proxy", &since);
    frame.render_widget(Line::styled(fitted(&proxy_line(now), area.width), BOLD), second);
}

/// A column for each of the newest seconds.
fn seconds(
    frame: &mut Frame,
    area: Rect,
    now: &ProxySnapshot,
    direction: usize,
    (title, colour): &(String, Color),
    value: impl Fn(&DirectionSecond) -> u64,
    palette: &Palette,
) {
    let of = |second: &crate::live::ProxySecond| value(&second.directions[direction]);
    let last = now.seconds.back().map_or(String::new(), |second| format!("{} ", of(second)));
    let block = panel(format!(" {title} {last}"), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [bars, axis] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inside);
    let width = usize::from(bars.width);
    let mut values = vec![0; width.saturating_sub(now.seconds.len())];
    values.extend(now.seconds.iter().skip(now.seconds.len().saturating_sub(width)).map(of));
    columns(frame, bars, &values, Style::new().fg(*colour));
    let most = values.into_iter().max().unwrap_or(0);
    ends(frame, axis, "1 s each", &format!("max {most}"));
}

fn mapping_table(frame: &mut Frame, area: Rect, now: &ProxySnapshot, palette: &Palette) {
    let block = panel(" mappings ".to_owned(), palette);
    let head = ["mapping", "impairments", "arrived", "passed", "lost", "queue", "other", "queue now"];
    let widths = [12, 0, 9, 9, 7, 7, 6, 10];
    let there = now.figures.mappings.iter().filter(|mapping| !mapping.is_removed);
    let rows = there.flat_map(|mapping| {
        let (settings, counters) = (&mapping.settings, &mapping.counters);
        let row = |way: &str, line: String, tally: &Tally, at: usize| {
            let (of_model, queue) = (tally.dropped(DropCause::Lost), tally.dropped(DropCause::Queue));
            let state = if mapping.is_down { " (down)" } else { "" };
            [
                format!("{} {way}{state}", settings.name),
                line,
                tally.arrived.to_string(),
                tally.passed.to_string(),
                of_model.to_string(),
                queue.to_string(),
                (lost(tally) - of_model - queue).to_string(),
                milliseconds(mapping.queues[at]),
            ]
        };
        [
            row("up", settings.up.to_string(), &counters.up, 0),
            row("down", settings.down.to_string(), &counters.down, 1),
        ]
    });
    table(frame, area, head, widths, 2, rows.collect(), block);
}

fn flow_table(frame: &mut Frame, area: Rect, now: &ProxySnapshot, palette: &Palette) {
    let all: u64 = now.figures.mappings.iter().map(|mapping| mapping.counters.flows).sum();
    let block = panel(format!(" flows: {all} "), palette);
    if now.flows.is_empty() {
        return frame.render_widget(Paragraph::new("no client yet").centered().block(block), area);
    }
    let head = ["client", "mapping", "port", "up", "down", "silent"];
    // The newest first; the table is as long as the screen.
    let rows = now.flows.iter().rev().map(|(flow, port)| {
        let name = now.figures.mappings.get(flow.mapping).map(|mapping| mapping.settings.name.clone());
        [
            flow.client.remote.to_string(),
            name.unwrap_or_default(),
            port.map_or("-".to_owned(), |port| port.to_string()),
            flow.directions[0].datagrams.to_string(),
            flow.directions[1].datagrams.to_string(),
            milliseconds(flow.idle),
        ]
    });
    table(frame, area, head, [0, 12, 6, 9, 9, 10], 2, rows.collect(), block);
}

/// A width of 0 takes what is left; columns from this one on are numbers.
fn table<const N: usize>(
    frame: &mut Frame,
    area: Rect,
    head: [&str; N],
    widths: [u16; N],
    numbers: usize,
    rows: Vec<[String; N]>,
    block: ratatui::widgets::Block,
) {
    let cell = |(column, text): (usize, String)| {
        let line = Line::raw(text);
        Cell::from(if column < numbers { line } else { line.right_aligned() })
    };
    let row = |cells: [String; N]| Row::new(cells.into_iter().enumerate().map(cell).collect::<Vec<_>>());
    let widths = widths.map(|width| match width {
        0 => Constraint::Fill(1),
        width => Constraint::Length(width),
    });
    let rows: Vec<Row> = rows.into_iter().map(row).collect();
    let head = row(head.map(str::to_owned)).style(BOLD);
    frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
}

/// The most important figures, without charts.
fn small(frame: &mut Frame, now: &ProxySnapshot) {
    let mut lines = vec![clock(now.figures.elapsed)];
    for (name, (tally, second)) in ["up", "down"].iter().zip(now.tallies().iter().zip(&now.last().directions))
    {
        lines.push(format!("{name} {} passed", tally.passed));
        lines.push(format!("{name} {} lost", lost(tally)));
        lines.push(format!("{name} {}", bit_rate((second.bytes * 8) as f64)));
    }
    frame.render_widget(Paragraph::new(lines.into_iter().map(Line::from).collect::<Vec<_>>()), frame.area());
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::tests::assert_drawn;
    use super::*;
    use crate::live::proxy_example;

    fn screen(now: &ProxySnapshot, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, now, "", &Palette::PLAIN)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn screens_are_exactly_these() {
        let now = proxy_example();
        assert_drawn("proxy-80x24", &screen(&now, (80, 24)));
        assert_drawn("proxy-20x8", &screen(&now, (20, 8)));
    }

    #[test]
    fn a_proxy_is_drawn_at_any_size() {
        for width in [1, 2, 10, 59, 60, 61, 80, 300] {
            for height in [1, 2, 5, 15, 16, 24, 36, 100] {
                screen(&proxy_example(), (width, height));
                screen(&ProxySnapshot::default(), (width, height));
            }
        }
    }
}
