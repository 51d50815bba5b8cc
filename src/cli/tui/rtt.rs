//! The chart of round-trip times: a dot for each bin with a reply on time. Dots are not joined, since
//! one probe says nothing about the time until the next.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::widgets::Palette;
use crate::live::RunSnapshot;
use crate::report::milliseconds;
use crate::time::Duration;

/// Columns of the axis labels and the axis line.
pub(super) const MARGIN: u16 = 10;
/// Dots per column of text.
pub(super) const DOTS: usize = 2;

type Points = Vec<(f64, f64)>;

pub(super) fn draw(frame: &mut Frame, area: Rect, now: &RunSnapshot, log: bool, palette: &Palette) {
    let most = bins(area);
    let shown = now.bins.last(most).count();
    let scale = Scale::of(now, most, log);
    let x = |place: usize| (most - shown + place) as f64;
    let (mut means, mut slowest) = (Points::new(), Points::new());
    for (place, (_, bin)) in now.bins.last(most).enumerate() {
        let Some(mean) = bin.mean() else { continue };
        means.push((x(place), scale.place(mean)));
        if now.bins.stride() > 1 {
            slowest.push((x(place), scale.place(bin.slowest)));
        }
    }
    let sets = vec![dots(&slowest, palette.muted), dots(&means, palette.reply)];
    let first = now.bins.last(most).next().map(|(_, bin)| bin.at);
    let ago = now.elapsed.zip(first).map_or(0.0, |(elapsed, first)| (elapsed - first).as_secs_f64());
    let labels = [format!("-{ago:.0} s"), "now".to_owned()];
    let x_axis = Axis::default().bounds([0.0, (most - 1) as f64]);
    let x_axis = if shown == most { x_axis.labels(labels) } else { x_axis.labels(["", "now"]) };
    let y_axis = Axis::default().bounds(scale.bounds).labels(scale.labels());
    frame.render_widget(Chart::new(sets).x_axis(x_axis).y_axis(y_axis), area);
}

/// The bins that fit into this area.
pub(super) fn bins(area: Rect) -> usize {
    (usize::from(area.width.saturating_sub(MARGIN)) * DOTS).max(2)
}

fn dots(points: &[(f64, f64)], colour: Color) -> Dataset<'_> {
    let dots = Dataset::default().marker(Marker::Braille).graph_type(GraphType::Scatter);
    dots.data(points).style(Style::new().fg(colour))
}

struct Scale {
    log: bool,
    /// In milliseconds, or their decimal logarithm.
    bounds: [f64; 2],
}

impl Scale {
    fn of(now: &RunSnapshot, most: usize, log: bool) -> Self {
        let replied = || now.bins.last(most).filter_map(|(_, bin)| Some((bin.mean()?, bin.slowest)));
        let high = replied().map(|(_, slowest)| slowest.as_millis_f64()).fold(0.0, f64::max);
        let low = replied().map(|(mean, _)| mean.as_millis_f64());
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

/// The smallest round number that is at least as large.
fn round_up(value: f64) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|k| k * ten)
        .find(|k| *k >= value * 0.9999)
        .unwrap_or(10.0 * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, round) in
            [(0.03, 0.03), (1.0, 1.0), (1.1, 1.5), (210.0, 250.0), (497.0, 500.0), (999.0, 1000.0)]
        {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }
}
