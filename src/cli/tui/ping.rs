//! The full screen of a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::widgets::{self, BOLD, Palette, columns, fitted, footer, heading, help, panel};
use super::{ScreenView, loss_lanes, rtt};
use crate::live::{RunInfo, RunModel, RunSnapshot, clock, histogram};
use crate::report::{bit_rate, milliseconds, percent, wrapped};

/// Shared by the thread that follows the run and the one that draws. Neither locks it for long.
pub(crate) struct SharedView {
    live: Mutex<RunModel>,
    report: AtomicBool,
    note: Mutex<String>,
}

impl SharedView {
    pub(crate) fn new(info: RunInfo) -> Self {
        Self {
            live: Mutex::new(RunModel::new(info)),
            report: AtomicBool::new(false),
            note: Mutex::new(String::new()),
        }
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, RunModel> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a report was requested since the last call.
    pub(crate) fn wants_report(&self) -> bool {
        self.report.swap(false, Ordering::AcqRel)
    }

    /// Shows a note until the next key.
    pub(crate) fn note(&self, text: String) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn noted(&self) -> String {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) struct PingScreen {
    shared: Arc<SharedView>,
    /// The snapshot that is shown while the display is paused.
    paused: Option<Box<RunSnapshot>>,
    log: bool,
    help: bool,
    palette: Palette,
}

const KEYS: [(&str, &str); 6] =
    [("q", "quit"), ("space", "pause"), ("l", "log"), ("r", "reset"), ("s", "save report"), ("?", "help")];
const HELP: [&str; 11] = [
    "q      end the run and print its summary; twice: at once",
    "space  pause the display; the measurement goes on",
    "l      logarithmic or linear RTT",
    "r      reset the display; the record stays complete",
    "s      draw report.png of what is recorded so far",
    "?      close this help",
    "",
    "Chart: a dot is one probe, or the mean of several; then",
    "grey dots are the slowest of them.",
    "Lost: no reply before the deadline.",
    "Table and histogram: replies on time.",
];

impl PingScreen {
    pub(crate) fn new(shared: Arc<SharedView>) -> Self {
        Self { shared, paused: None, log: false, help: false, palette: Palette::of_environment() }
    }
}

impl ScreenView for PingScreen {
    fn draw(&mut self, frame: &mut Frame) {
        let now = self.paused.clone().unwrap_or_else(|| Box::new(self.shared.live().now().clone()));
        let note = if self.paused.is_some() {
            "display paused, the measurement is not; space resumes".to_owned()
        } else {
            self.shared.noted()
        };
        draw(frame, &now, self.log, &note, &self.palette);
        if self.help {
            help(frame, &HELP);
        }
    }

    fn press(&mut self, key: char) {
        self.shared.note(String::new());
        match key {
            ' ' => {
                let now = || Box::new(self.shared.live().now().clone());
                self.paused = if self.paused.is_some() { None } else { Some(now()) };
            }
            'l' => self.log = !self.log,
            'r' => {
                self.paused = None;
                self.shared.live().reset();
            }
            's' => self.shared.report.store(true, Ordering::Release),
            '?' => self.help = !self.help,
            '\x1b' => self.help = false,
            _ => {}
        }
    }
}

fn draw(frame: &mut Frame, now: &RunSnapshot, log: bool, note: &str, palette: &Palette) {
    let area = frame.area();
    if area.width < 60 || area.height < 18 {
        return small(frame, now);
    }
    let bottom = if area.height >= 36 { 12 } else { 8 };
    let what = what(now, area.width);
    let [head, chart, lost, below, keys] = Layout::vertical([
        Constraint::Length(2 + what.len() as u16),
        Constraint::Fill(1),
        Constraint::Length(loss_lanes::HEIGHT),
        Constraint::Length(bottom),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, now, what);
    rtt::draw(frame, chart, now, log, palette);
    loss_lanes::draw(frame, lost, now, palette);
    let [table, middle, throughput] =
        Layout::horizontal([Constraint::Length(22), Constraint::Fill(1), Constraint::Fill(1)]).areas(below);
    percentiles(frame, table, now, palette);
    distribution(frame, middle, now, log, palette);
    seconds(frame, throughput, now, palette);
    footer(frame, keys, &KEYS, note);
}

fn header(frame: &mut Frame, area: Rect, now: &RunSnapshot, what: Vec<String>) {
    let [first, second, third] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let info = &now.info;
    let left = format!("udpecho ping {} ({})", info.host, info.address);
    heading(frame, first, &left, &times(now));
    let what: Vec<Line> = what.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(what), second);
    let mut counts = format!("{} sent, {} on time", now.sent, now.outcomes.on_time);
    let loss = now.loss().map_or(String::new(), |loss| format!(", {} lost or late", percent(loss)));
    counts += &loss;
    for (count, what) in [
        (now.in_flight(), "in flight"),
        (now.outcomes.late(), "late"),
        (now.duplicates, "duplicates"),
        (now.reordered, "reordered"),
        (now.outcomes.not_sent(), "not sent"),
    ] {
        if count > 0 {
            counts += &format!(", {count} {what}");
        }
    }
    frame.render_widget(Line::styled(fitted(&counts, area.width), BOLD), third);
}

/// The probes and the server's impairments, on at most two lines.
fn what(now: &RunSnapshot, width: u16) -> Vec<String> {
    let info = &now.info;
    let text = format!("{} bytes {}; {}", info.size, info.pace, injects(now));
    let lines = wrapped(&text, usize::from(width));
    match lines.split_first() {
        Some((first, rest)) if !rest.is_empty() => vec![first.clone(), fitted(&rest.join(" "), width)],
        _ => lines,
    }
}

fn injects(now: &RunSnapshot) -> &str {
    if now.injects.is_empty() { "calibrating" } else { &now.injects }
}

fn times(now: &RunSnapshot) -> String {
    match (now.elapsed, now.left()) {
        (Some(elapsed), Some(left)) => format!("{} so far, {} left", clock(elapsed), clock(left)),
        (Some(elapsed), None) => format!("{} so far", clock(elapsed)),
        (None, _) => String::new(),
    }
}

fn percentiles(frame: &mut Frame, area: Rect, now: &RunSnapshot, palette: &Palette) {
    let block = panel(" RTT, on time ".to_owned(), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let moments = now.rtt.moments();
    let mut rows = vec![
        ("p50", now.rtt.at(0.5)),
        ("p90", now.rtt.at(0.9)),
        ("p99", now.rtt.at(0.99)),
        ("p99.9", now.rtt.at(0.999)),
        ("max", now.rtt.max()),
        ("last", now.last_rtt),
    ];
    if inside.height > 6 {
        rows.insert(0, ("min", now.rtt.min()));
        rows.insert(1, ("mean", moments.mean()));
        rows.push(("mdev", moments.stddev()));
    }
    for ((name, value), row) in rows.into_iter().zip(inside.rows()) {
        let value = value.map_or("-".to_owned(), milliseconds);
        let width = usize::from(inside.width).saturating_sub(2 + 6);
        let spans = [Span::raw(format!(" {name:<6}")), Span::styled(format!("{value:>width$}"), BOLD)];
        frame.render_widget(Line::from_iter(spans), row);
    }
}

/// The histogram of the replies on time.
fn distribution(frame: &mut Frame, area: Rect, now: &RunSnapshot, log: bool, palette: &Palette) {
    let scale = if log { "log" } else { "linear" };
    let block = panel(format!(" histogram, {scale} "), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [bars, ends] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inside);
    let found = histogram(&now.rtt, usize::from(bars.width), log);
    let (Some(first), Some(last)) = (found.first(), found.last()) else {
        frame.render_widget(Line::raw("no reply on time yet").centered(), bars);
        return;
    };
    let counts: Vec<u64> = found.iter().map(|bar| bar.count).collect();
    columns(frame, bars, &counts, Style::new().fg(palette.reply));
    widgets::ends(frame, ends, &milliseconds(first.from), &milliseconds(last.to));
}

fn seconds(frame: &mut Frame, area: Rect, now: &RunSnapshot, palette: &Palette) {
    let last =
        now.seconds.back().map_or(String::new(), |second| bit_rate(second.throughput_bps() as f64) + " ");
    let block = panel(format!(" throughput {last}"), palette);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [bars, ends] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inside);
    let width = usize::from(bars.width);
    let from = now.seconds.len().saturating_sub(width);
    let mut rates = vec![0; width.saturating_sub(now.seconds.len())];
    rates.extend(now.seconds.iter().skip(from).map(|second| second.throughput_bps()));
    columns(frame, bars, &rates, Style::new().fg(palette.reply));
    let most = rates.into_iter().max().unwrap_or(0);
    widgets::ends(frame, ends, "1 s each", &format!("max {}", bit_rate(most as f64)));
}

/// The most important figures, without charts.
fn small(frame: &mut Frame, now: &RunSnapshot) {
    let delay = |p: f64| now.rtt.at(p).map_or("-".to_owned(), milliseconds);
    let loss = now.loss().map_or("-".to_owned(), percent);
    let lines = [
        format!("{} {}", now.elapsed.map_or(String::new(), clock), now.info.host),
        format!("{} sent", now.sent),
        format!("{loss} lost"),
        format!("p50 {}", delay(0.5)),
        format!("p99 {}", delay(0.99)),
    ];
    frame.render_widget(Paragraph::new(lines.map(Line::from).to_vec()), frame.area());
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::tui::tests::assert_drawn;
    use crate::live::status;
    use crate::probe::{Cause, Dialect, Event, NotOnTime, Settings};
    use crate::reflect;
    use crate::sim::{Conditions, Simulation};
    use crate::stats::RunStatistics;
    use crate::time::{Duration, Instant};

    /// The state of a simulated run with losses after its last probe is resolved.
    fn simulated(count: u64, every: &str) -> RunSnapshot {
        let server = reflect::Settings { impair_seed: Some(3), ..reflect::Settings::default() };
        let path = Conditions::impaired("delay=constant:5ms loss=5%");
        let mut network = Simulation::new(server, path.clone(), path, 7);
        let client = network.add_client(Settings {
            count: Some(count),
            deadline: Some(Duration::from_millis(480)),
            ..Settings::every(every.parse().unwrap(), 1)
        });
        network.run(Duration::from_secs(3600));
        let mut live = RunModel::new(RunInfo {
            host: "example.net".to_owned(),
            address: "192.0.2.1:8080".to_owned(),
            dialect: Dialect::Native,
            size: 512,
            pace: format!("every {every}"),
            count: Some(count),
            length: Some(Duration::from_secs(60)),
        });
        let (mut statistics, mut zero) = (RunStatistics::new(), Instant::ZERO);
        for event in network.take_events(client) {
            live.event(&event);
            match &event {
                Event::Started { zero: at } => zero = *at,
                Event::Resolved(probe) => {
                    statistics.push(probe, |second| live.second(second));
                    live.tick(zero + probe.due, Some(0));
                }
                _ => {}
            }
        }
        live.now().clone()
    }

    fn screen(now: &RunSnapshot, log: bool, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, now, log, "", &Palette::PLAIN)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn screens_are_exactly_these() {
        let few = simulated(200, "200ms");
        assert_drawn("80x24", &screen(&few, false, (80, 24)));
        assert_drawn("120x40-log", &screen(&few, true, (120, 40)));
        assert_drawn("20x5", &screen(&few, false, (20, 5)));
        assert_drawn("80x24-many", &screen(&simulated(20_000, "2ms"), false, (80, 24)));
    }

    #[test]
    fn an_empty_run_is_drawn_at_any_size_without_a_dot() {
        let nothing = RunModel::new(RunInfo::default());
        let few = simulated(30, "100ms");
        for width in [1, 2, 10, 59, 60, 61, 80, 300] {
            for height in [1, 2, 5, 17, 18, 24, 35, 36, 100] {
                for now in [nothing.now(), &few] {
                    screen(now, false, (width, height));
                    screen(now, true, (width, height));
                }
            }
        }
        let blank = screen(nothing.now(), false, (80, 24));
        assert!(!blank.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{blank}");
    }

    #[test]
    fn the_figures_are_those_of_the_run() {
        let now = simulated(200, "200ms");
        assert_eq!((now.sent, now.in_flight()), (200, 0));
        let lost = now.outcomes.lost_or_late();
        assert_eq!(now.missed, lost);
        assert_eq!(now.outcomes.on_time + now.missed, 200);
        assert_eq!(now.seconds.iter().map(|second| second.outcomes.sent()).sum::<u64>() + 5, 200);
        assert_eq!(
            status(&now)[0],
            "200 sent, 0 in flight, 23.5 % lost or late, p50/p99 246/478 ms, 0:21 left"
        );
        let by = |reason| now.outcomes.of(reason);
        assert!(by(NotOnTime::Lost(Cause::Up)) > 0 && by(NotOnTime::Lost(Cause::Down)) > 0);
        assert!(by(NotOnTime::Late) > 0);
    }

    #[test]
    fn at_twenty_probes_a_second_each_has_its_own_bin() {
        let mut live = RunModel::new(RunInfo::default());
        live.event(&Event::Started { zero: Instant::ZERO });
        for millis in (10..20_000).step_by(110) {
            live.tick(Instant::ZERO + Duration::from_millis(millis), Some(millis as usize / 50 + 1));
            // Some ticks say nothing about the probes sent.
            if millis / 110 % 9 == 4 {
                live.tick(Instant::ZERO + Duration::from_millis(millis + 90), None);
            }
        }
        assert_eq!(live.now().bins.stride(), 1);
        // At thirty two share one.
        for millis in (20_010..30_000).step_by(110) {
            live.tick(
                Instant::ZERO + Duration::from_millis(millis),
                Some(400 + (millis as usize - 20_000) / 33),
            );
        }
        assert_eq!(live.now().bins.stride(), 2);
    }

    #[test]
    fn a_reset_begins_with_the_next_probe() {
        let mut live = RunModel::new(RunInfo::default());
        let reply =
            |seq| Event::Reply { seq, rtt: Duration::from_millis(1), hold: None, late_by: None, copy: 1 };
        live.event(&Event::Started { zero: Instant::ZERO });
        live.event(&reply(0));
        live.event(&Event::Overdue { seq: 1 });
        live.reset();
        live.event(&reply(1));
        live.event(&reply(2));
        assert_eq!((live.now().sent, live.now().outcomes.on_time, live.now().missed), (1, 1, 0));
    }
}
