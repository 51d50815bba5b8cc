//! The full screen of a server.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::pausable::{Model, PausableScreen};
use super::widgets::{BOLD, Palette, columns, ends, fitted, footer, heading, panel};
use crate::live::{Client, ServerModel, ServerSecond, ServerSnapshot, clock, server_line, unanswered};
use crate::reflect::{Counter, Metric};
use crate::report::{bit_rate, milliseconds, percent};

pub(crate) type ServerScreen = PausableScreen<ServerModel>;

const KEYS: [(&str, &str); 3] = [("q", "stop the server"), ("space", "pause"), ("?", "help")];

impl Model for ServerModel {
    type Snapshot = ServerSnapshot;

    const HELP: &[&str] = &[
        "q      stop the server; twice: at once",
        "space  pause the display; the server goes on",
        "?      close this help",
        "",
        "lost up: share of the sequence numbers that never came",
        "dropped: by injection",
    ];
    const PAUSED: &str = "display paused, the server is not; space resumes";

    fn snapshot(&self) -> ServerSnapshot {
        ServerModel::snapshot(self)
    }

    fn draw(frame: &mut Frame, now: &ServerSnapshot, note: &str, palette: &Palette) {
        draw(frame, now, note, palette);
    }
}

/// From this size on the screen has three charts and a panel of totals; below it one chart.
const LARGE: (u16, u16) = (100, 34);

fn draw(frame: &mut Frame, now: &ServerSnapshot, note: &str, palette: &Palette) {
    let area = frame.area();
    if area.width < 60 || area.height < 16 {
        return small(frame, now);
    }
    let is_large = area.width >= LARGE.0 && area.height >= LARGE.1;
    // Two borders and the head of the table; a large screen leaves the table no empty rows.
    let rows = u16::try_from(now.clients.len().max(3)).unwrap_or(u16::MAX).saturating_add(3);
    let [charts_height, table_height] = if is_large {
        [Constraint::Min(22), Constraint::Length(rows.min(area.height / 2))]
    } else {
        [Constraint::Length(7), Constraint::Fill(1)]
    };
    let [head, charts, table, keys] =
        Layout::vertical([Constraint::Length(3), charts_height, table_height, Constraint::Length(1)])
            .areas(area);
    header(frame, head, now);
    if is_large {
        grid(frame, charts, now, palette);
    } else {
        probes(frame, charts, now, palette);
    }
    clients(frame, table, &now.clients, palette);
    footer(frame, keys, &KEYS, note);
}

fn header(frame: &mut Frame, area: Rect, now: &ServerSnapshot) {
    let [first, second, third] = Layout::vertical([Constraint::Length(1); 3]).areas(area);
    let since = format!("{} so far", clock(now.elapsed));
    heading(frame, first, &format!("udpecho serves {}", now.place), &since);
    frame.render_widget(Line::raw(fitted(&format!("injects {}", now.injects), area.width)), second);
    frame.render_widget(Line::styled(fitted(&server_line(now), area.width), BOLD), third);
}

/// Two charts above, a chart and the totals below.
fn grid(frame: &mut Frame, area: Rect, now: &ServerSnapshot, palette: &Palette) {
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [above, below] = Layout::vertical(halves).areas(area);
    let [top_left, top_right] = Layout::horizontal(halves).areas(above);
    let [bottom_left, bottom_right] = Layout::horizontal(halves).areas(below);
    probes(frame, top_left, now, palette);
    let sent = |second: &ServerSecond| second.sent_bytes * 8;
    let rate = |bits: u64| bit_rate(bits as f64);
    seconds(frame, top_right, now, ("sent", palette.reply), sent, rate, palette);
    let missing = |second: &ServerSecond| second.dropped + second.refused;
    let title = ("datagrams per second without a reply", palette.buffer);
    seconds(frame, bottom_left, now, title, missing, |count| count.to_string(), palette);
    totals(frame, bottom_right, now, palette);
}

fn probes(frame: &mut Frame, area: Rect, now: &ServerSnapshot, palette: &Palette) {
    let title = ("probes per second", palette.reply);
    seconds(frame, area, now, title, |second| second.probes, |count| count.to_string(), palette);
}

/// A column for each of the newest seconds.
fn seconds(
    frame: &mut Frame,
    area: Rect,
    now: &ServerSnapshot,
    (title, colour): (&str, Color),
    value: impl Fn(&ServerSecond) -> u64,
    text: impl Fn(u64) -> String,
    palette: &Palette,
) {
    let last = now.seconds.back().map_or(String::new(), |second| text(value(second)) + " ");
    let block = panel(format!(" {title} {last}"), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [bars, axis] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inside);
    let width = usize::from(bars.width);
    let mut values = vec![0; width.saturating_sub(now.seconds.len())];
    values.extend(now.seconds.iter().skip(now.seconds.len().saturating_sub(width)).map(value));
    columns(frame, bars, &values, Style::new().fg(colour));
    let most = values.into_iter().max().unwrap_or(0);
    ends(frame, axis, "1 s each", &format!("max {}", text(most)));
}

/// Totals since the start, probes by dialect, and the datagrams without a reply by reason.
fn totals(frame: &mut Frame, area: Rect, now: &ServerSnapshot, palette: &Palette) {
    let block = panel(" totals ".to_owned(), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let counters = &now.counters;
    let total = |counter: Counter| match counter.metric {
        Metric::Total(name) => Some((name, counter.value)),
        Metric::Dropped(_) | Metric::Gauge(_) => None,
    };
    let totals: Vec<_> = counters.list().filter_map(total).collect();
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(inside);
    let [upper, lower] = Layout::vertical([Constraint::Length(5), Constraint::Fill(1)]).areas(right);
    list(frame, left, "datagrams and sessions", &totals);
    list(frame, upper, "probes by dialect", &counters.probes_by_dialect().collect::<Vec<_>>());
    list(frame, lower, "without a reply", &unanswered(counters));
}

fn list(frame: &mut Frame, area: Rect, title: &str, figures: &[(&str, u64)]) {
    let mut rows = area.rows();
    if let Some(row) = rows.next() {
        frame.render_widget(Line::styled(format!(" {title}"), BOLD), row);
    }
    for ((name, count), row) in figures.iter().zip(rows) {
        let width = usize::from(area.width).saturating_sub(2 + name.len() + 1);
        let name = name.replace('_', " ");
        frame.render_widget(Line::raw(format!(" {name} {count:>width$}")), row);
    }
}

/// The most important figures, without charts.
fn small(frame: &mut Frame, now: &ServerSnapshot) {
    let counters = &now.counters;
    let lines = [
        format!("{} {} clients", clock(now.elapsed), now.clients_now()),
        format!("{} probes/s", now.rate()),
        format!("{} held", counters.held),
        format!("{} dropped", counters.dropped),
        format!("{} refused", counters.refused),
    ];
    frame.render_widget(Paragraph::new(lines.map(Line::from).to_vec()), frame.area());
}

fn clients(frame: &mut Frame, area: Rect, clients: &[Client], palette: &Palette) {
    let block = panel(format!(" clients: {} ", clients.len()), palette);
    if clients.is_empty() {
        return frame.render_widget(Paragraph::new("no client yet").centered().block(block), area);
    }
    let head = ["client", "dialect", "size", "probes", "per s", "lost up", "dropped", "silent"];
    let widths = [0, 7, 5, 9, 7, 7, 8, 8].map(|width| match width {
        0 => Constraint::Fill(1),
        width => Constraint::Length(width),
    });
    let right = |text: String, column: usize| {
        let line = Line::raw(text);
        Cell::from(if column < 2 { line } else { line.right_aligned() })
    };
    let row = |cells: [String; 8]| Row::new(cells.into_iter().enumerate().map(|(k, text)| right(text, k)));
    // The busiest first; the table is as long as the screen.
    let mut busiest: Vec<&Client> = clients.iter().collect();
    busiest.sort_by(|a, b| {
        b.probes_per_second.total_cmp(&a.probes_per_second).then(a.figures.remote.cmp(&b.figures.remote))
    });
    let rows = busiest.into_iter().map(|client| {
        let figures = &client.figures;
        row([
            figures.remote.to_string(),
            figures.dialect.to_owned(),
            figures.size.map_or("-".to_owned(), |size| size.to_string()),
            figures.probes.to_string(),
            format!("{:.0}", client.probes_per_second),
            figures.missing.map_or("-".to_owned(), percent),
            figures.dropped.map_or("-".to_owned(), |dropped| dropped.to_string()),
            milliseconds(figures.silent),
        ])
    });
    let table = Table::new(rows, widths).header(row(head.map(str::to_owned)).style(BOLD)).block(block);
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::tui::tests::assert_drawn;
    use crate::reflect::{ClientFigures, Counters};
    use crate::time::Duration;

    fn client(remote: &str, rate: f64, missing: Option<f64>) -> Client {
        let figures = ClientFigures {
            remote: remote.parse().unwrap(),
            dialect: if missing.is_some() { "native" } else { "text" },
            size: missing.map(|_| 512),
            probes: 1234,
            missing,
            dropped: missing.map(|_| 123),
            silent: Duration::from_micros(12_345),
        };
        Client { figures, probes_per_second: rate }
    }

    fn now() -> ServerSnapshot {
        let mut counters = Counters { held: 7, dropped: 246, ..Counters::default() };
        counters.dialects[0].clients = 3;
        ServerSnapshot {
            place: "UDP port 8080 of all addresses".to_owned(),
            injects: "nothing".to_owned(),
            elapsed: Duration::from_secs(75),
            counters,
            second: 75,
            seconds: (0..75)
                .map(|k| ServerSecond {
                    second: k + 1,
                    probes: k * 3 % 50,
                    received_bytes: k * 3 % 50 * 512,
                    sent_bytes: k * 3 % 50 * 500,
                    load_bytes: [0; 2],
                    dropped: k % 5,
                    refused: k / 60,
                })
                .collect(),
            clients: vec![
                client("192.0.2.1:40000", 10.0, Some(0.0125)),
                client("[2001:db8::2]:50000", 500.0, Some(0.0)),
                client("10.0.0.3:60000", 2.0, None),
            ],
        }
    }

    fn screen(now: &ServerSnapshot, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, now, "", &Palette::PLAIN)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn screens_are_exactly_these() {
        assert_drawn("serve-80x24", &screen(&now(), (80, 24)));
        assert_drawn("serve-200x60", &screen(&now(), (200, 60)));
        assert_drawn("serve-20x5", &screen(&now(), (20, 5)));
    }

    #[test]
    fn a_server_is_drawn_at_any_size() {
        for width in [1, 2, 10, 59, 60, 61, 80, 300] {
            for height in [1, 2, 5, 15, 16, 24, 35, 36, 100] {
                screen(&now(), (width, height));
                screen(&ServerSnapshot::default(), (width, height));
            }
        }
    }
}
