//! The full screen of a server.

use std::sync::{Arc, Mutex, PoisonError};

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::ScreenView;
use super::widgets::{BOLD, Palette, columns, ends, fitted, footer, heading, help, panel};
use crate::live::{Client, ServerModel, ServerSnapshot};
use crate::live::{clock, server_line};
use crate::report::{milliseconds, percent};

pub struct ServerScreen {
    service: Arc<Mutex<ServerModel>>,
    /// Shown instead of what is.
    paused: Option<Box<ServerSnapshot>>,
    help: bool,
    palette: Palette,
}

const KEYS: [(&str, &str); 3] = [("q", "stop the server"), ("space", "pause"), ("?", "help")];
const HELP: [&str; 6] = [
    "q      stop the server in good order; twice: at once",
    "space  hold the display; the server goes on",
    "?      close this",
    "",
    "lost up: numbers that never came, of those so far",
    "dropped: on purpose, as the injection has it",
];

impl ServerScreen {
    pub fn new(service: Arc<Mutex<ServerModel>>) -> Self {
        Self { service, paused: None, help: false, palette: Palette::of_environment() }
    }

    fn now(&self) -> Box<ServerSnapshot> {
        Box::new(self.service.lock().unwrap_or_else(PoisonError::into_inner).snapshot())
    }
}

impl ScreenView for ServerScreen {
    fn draw(&mut self, frame: &mut Frame) {
        let now = self.paused.clone().unwrap_or_else(|| self.now());
        let note = if self.paused.is_some() { "held: space goes on; the server has not stopped" } else { "" };
        draw(frame, &now, note, &self.palette);
        if self.help {
            help(frame, &HELP);
        }
    }

    fn press(&mut self, key: char) {
        match key {
            ' ' => self.paused = if self.paused.is_some() { None } else { Some(self.now()) },
            '?' => self.help = !self.help,
            '\x1b' => self.help = false,
            _ => {}
        }
    }
}

fn draw(frame: &mut Frame, now: &ServerSnapshot, note: &str, palette: &Palette) {
    let area = frame.area();
    if area.width < 60 || area.height < 16 {
        return small(frame, now);
    }
    let [head, rates, table, keys] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(if area.height >= 36 { 12 } else { 7 }),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let [first, second, third] = Layout::vertical([Constraint::Length(1); 3]).areas(head);
    let since = format!("{} so far", clock(now.elapsed));
    heading(frame, first, &format!("udpecho serves {}", now.place), &since);
    frame.render_widget(Line::raw(fitted(&format!("injects {}", now.injects), area.width)), second);
    frame.render_widget(Line::styled(fitted(&server_line(now), area.width), BOLD), third);
    seconds(frame, rates, now, palette);
    clients(frame, table, &now.clients, palette);
    footer(frame, keys, &KEYS, note);
}

/// The figures alone.
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

fn seconds(frame: &mut Frame, area: Rect, now: &ServerSnapshot, palette: &Palette) {
    let block = panel(" probes a second ".to_owned(), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [bars, axis] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inside);
    let width = usize::from(bars.width);
    let mut rates = vec![0; width.saturating_sub(now.seconds.len())];
    rates.extend(now.seconds.iter().skip(now.seconds.len().saturating_sub(width)));
    columns(frame, bars, &rates, Style::new().fg(palette.reply));
    let most = rates.into_iter().max().unwrap_or(0);
    ends(frame, axis, "1 s each", &format!("top {most}"));
}

fn clients(frame: &mut Frame, area: Rect, clients: &[Client], palette: &Palette) {
    let block = panel(format!(" clients: {} ", clients.len()), palette);
    if clients.is_empty() {
        return frame.render_widget(Paragraph::new("nobody yet").centered().block(block), area);
    }
    let head = ["client", "speaks", "size", "probes", "each s", "lost up", "dropped", "silent"];
    let widths = [0, 6, 5, 8, 6, 7, 7, 8].map(|width| match width {
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
    busiest.sort_by(|a, b| b.rate.total_cmp(&a.rate).then(a.figures.remote.cmp(&b.figures.remote)));
    let rows = busiest.into_iter().map(|client| {
        let figures = &client.figures;
        row([
            figures.remote.to_string(),
            figures.dialect.to_owned(),
            figures.size.map_or("-".to_owned(), |size| size.to_string()),
            figures.probes.to_string(),
            format!("{:.0}", client.rate),
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
        Client { figures, rate }
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
            seconds: (0..75).map(|second| second * 3 % 50).collect(),
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
