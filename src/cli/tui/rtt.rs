//! The chart of round-trip times: a line for each unbroken stretch, so that what is missing is never
//! drawn.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::widgets::Palette;
use crate::live::RunSnapshot;
use crate::report::milliseconds;
use crate::time::Duration;

/// Columns for the values of the axis, its line included.
pub const MARGIN: u16 = 10;
/// A column of text is two of dots.
pub const DOTS: usize = 2;

type Points = Vec<(f64, f64)>;

pub fn draw(frame: &mut Frame, area: Rect, now: &RunSnapshot, log: bool, palette: &Palette) {
    let most = bins(area);
    let shown = now.bins.last(most).count();
    let scale = Scale::of(now, most, log);
    let x = |place: usize| (most - shown + place) as f64;
    let mut means = Stretches::default();
    let mut slowest: Points = Vec::new();
    for (place, (_, bin)) in now.bins.last(most).enumerate() {
        means.push(bin.mean().map(|mean| (x(place), scale.place(mean))));
        if now.bins.stride() > 1 && bin.outcomes.on_time > 0 {
            slowest.push((x(place), scale.place(bin.slowest)));
        }
    }
    let stretches = means.finish();
    let mut sets = vec![set(&slowest, GraphType::Scatter).style(Style::new().fg(palette.muted))];
    sets.extend(stretches.iter().map(|stretch| {
        let kind = if stretch.len() > 1 { GraphType::Line } else { GraphType::Scatter };
        set(stretch, kind).style(Style::new().fg(palette.reply))
    }));
    let first = now.bins.last(most).next().map(|(_, bin)| bin.at);
    let ago = now.elapsed.zip(first).map_or(0.0, |(elapsed, first)| (elapsed - first).as_secs_f64());
    let labels = [format!("-{ago:.0} s"), "now".to_owned()];
    let x_axis = Axis::default().bounds([0.0, (most - 1) as f64]);
    let x_axis = if shown == most { x_axis.labels(labels) } else { x_axis.labels(["", "now"]) };
    let y_axis = Axis::default().bounds(scale.bounds).labels(scale.labels());
    frame.render_widget(Chart::new(sets).x_axis(x_axis).y_axis(y_axis), area);
}

/// How many bins a chart of this size shows.
pub fn bins(area: Rect) -> usize {
    (usize::from(area.width.saturating_sub(MARGIN)) * DOTS).max(2)
}

fn set(points: &[(f64, f64)], kind: GraphType) -> Dataset<'_> {
    Dataset::default().marker(Marker::Braille).graph_type(kind).data(points)
}

/// Points that follow one another, cut where one is missing.
#[derive(Default)]
struct Stretches {
    done: Vec<Points>,
    open: Points,
}

impl Stretches {
    fn push(&mut self, point: Option<(f64, f64)>) {
        match point {
            Some(point) => self.open.push(point),
            None => self.cut(),
        }
    }

    fn cut(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
    }

    fn finish(mut self) -> Vec<Points> {
        self.cut();
        self.done
    }
}

struct Scale {
    log: bool,
    /// In milliseconds, or their logarithm.
    bounds: [f64; 2],
}

impl Scale {
    fn of(now: &RunSnapshot, most: usize, log: bool) -> Self {
        let answered = || now.bins.last(most).filter(|(_, bin)| bin.outcomes.on_time > 0);
        let high = answered().map(|(_, bin)| bin.slowest.as_millis_f64()).fold(0.0, f64::max);
        let low = answered().filter_map(|(_, bin)| bin.mean()).map(Duration::as_millis_f64);
        let low = low.fold(f64::INFINITY, f64::min).min(high).max(1e-6);
        let high = high.max(1e-3);
        let bounds =
            if log { [low.log10().floor(), high.log10().floor() + 1.0] } else { [0.0, round_up(high)] };
        Self { log, bounds }
    }

    fn place(&self, value: Duration) -> f64 {
        let ms = value.as_millis_f64();
        if self.log { ms.max(1e-6).log10() } else { ms }
    }

    fn labels(&self) -> [String; 3] {
        let [low, high] = self.bounds;
        [low, (low + high) / 2.0, high].map(|place| {
            let ms = if self.log { 10_f64.powf(place) } else { place };
            let text = milliseconds(Duration::from_secs_f64(ms / 1e3));
            format!("{text:>width$}", width = usize::from(MARGIN) - 1)
        })
    }
}

/// The least round number at least as large.
fn round_up(value: f64) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|k| k * ten)
        .find(|k| *k >= value * 0.9999)
        .unwrap_or(10.0 * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_cuts_the_line() {
        let mut stretches = Stretches::default();
        for point in [None, Some((1.0, 1.0)), Some((2.0, 1.0)), None, None, Some((5.0, 1.0))] {
            stretches.push(point);
        }
        assert_eq!(stretches.finish(), [vec![(1.0, 1.0), (2.0, 1.0)], vec![(5.0, 1.0)]]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, round) in
            [(0.03, 0.05), (1.0, 1.0), (1.1, 2.0), (210.0, 250.0), (497.0, 500.0), (999.0, 1000.0)]
        {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }
}
