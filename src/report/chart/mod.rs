//! The picture of a run: its [`ChartData`] in, SVG out, 1600 x 1200 pixels whatever the run. Deterministic;
//! every number in it is the run's.
//!
//! From the top: what was asked, the key figures, the RTT of every probe (A), the probes that were
//! not answered in time (B); then side by side throughput and mean delay by the second (C, D) and
//! the distribution (E, F); the definitions. One file a panel, and one for where they lie.

mod axis;
mod bins;
mod cdf;
mod clip;
mod footer;
mod frame;
mod header;
mod histogram;
mod loss;
mod overlay;
mod plan;
mod quantity;
mod rtt;
mod seconds;
mod sheet;
mod strip;
mod theme;

pub use header::{parameters, title};
pub use overlay::overlay;
pub use quantity::count;
pub use theme::Theme;

use self::axis::Axis;
use self::bins::Bins;
use self::histogram::Bars;
use self::plan::{Area, HEIGHT, Plan, WIDTH};
use self::seconds::Slots;
use self::sheet::{FINE, Sheet};
use self::theme::Colours;
use crate::record::{Run, Summary};
use crate::report::chart_data::{ChartData, Column, XAxis};

/// Draws the run. `data` has taken all its probes.
pub fn svg(run: &Run, data: &ChartData, theme: Theme) -> String {
    drawing(run, data, theme).svg
}

/// The same, with what is needed to find out what is drawn at a place.
pub fn drawing(run: &Run, data: &ChartData, theme: Theme) -> Drawing {
    let view = View::new(run, data);
    let plan = Plan::new(&view);
    let mut sheet = Sheet::new(WIDTH, HEIGHT, theme.colours());
    sheet.layer("page", |layer| {
        let page = layer.colours().page;
        layer.rect((0.0, 0.0), (WIDTH, HEIGHT), &page);
    });
    sheet.layer("header", |layer| header::draw(layer, &view));
    sheet.layer("figures", |layer| strip::draw(layer, &view, plan.strip));
    rtt::draw(&mut sheet, &view, plan.rtt);
    loss::draw(&mut sheet, &view, plan.loss);
    sheet.layer("throughput", |layer| seconds::throughput(layer, &view, plan.throughput));
    sheet.layer("delay", |layer| seconds::delay(layer, &view, plan.delay));
    let (times, bars) = (cdf::axis(&view), Bars::of(&view));
    sheet.layer("distribution", |layer| cdf::draw(layer, &view, &times, plan.cdf));
    sheet.layer("histogram", |layer| histogram::draw(layer, &view, &bars, plan.histogram));
    sheet.layer("footer", |layer| footer::draw(layer, &view, plan.footer));
    Drawing {
        svg: sheet.finish(&header::title(run)),
        rtt: Panel::new(plan.rtt, &view.probes, (view.rtt.low(), view.rtt.high())),
        loss: Panel::new(plan.loss, &view.probes, (0.0, 1.0)),
        throughput: Panel::new(plan.throughput, &view.seconds, (0.0, 1.0)),
        delay: Panel::new(plan.delay, &view.seconds, (0.0, 1.0)),
        cdf: Panel::new(plan.cdf, &times, (0.0, 1.0)),
        histogram: Panel::new(plan.histogram, &bars.axis(), (0.0, 1.0)),
        bars: bars.all().collect(),
        top: plan.strip.1,
        bottom: plan.footer,
    }
}

/// A picture and where its panels lie.
pub struct Drawing {
    pub svg: String,
    pub rtt: Panel,
    pub loss: Panel,
    pub throughput: Panel,
    pub delay: Panel,
    pub cdf: Panel,
    pub histogram: Panel,
    /// Of the histogram: from and to, in nanoseconds, and how many; the last may have no end.
    pub bars: Vec<(f64, Option<f64>, u64)>,
    /// Where the key figures end and where the footer begins, in pixels.
    top: f64,
    bottom: f64,
}

/// A panel in the drawing's own units, and the ends of its axes: nanoseconds or numbers of probes.
pub struct Panel {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Whether the horizontal axis is logarithmic.
    pub log: bool,
}

impl Drawing {
    /// Left, top, width and height of the charts alone, in the drawing's own units.
    pub fn charts(&self) -> [f64; 4] {
        const GAP: f64 = 12.0;
        let (top, bottom) = (self.top + GAP, self.bottom - GAP);
        [0.0, top, WIDTH, bottom - top].map(|pixels| pixels * FINE)
    }
}

impl Panel {
    fn new(area: Area, x: &Axis, y: (f64, f64)) -> Self {
        let Area { left, right, top, bottom } = area;
        let [left, right, top, bottom] = [left, right, top, bottom].map(|pixels| pixels * FINE);
        Self { left, right, top, bottom, x: (x.low(), x.high()), y, log: x.is_log() }
    }
}

/// What the panels share.
struct View<'a> {
    run: &'a Run,
    data: &'a ChartData,
    summary: Summary,
    columns: &'a [Column],
    bins: Bins,
    /// Of panels A and B.
    probes: Axis,
    /// Of panels C and D.
    seconds: Axis,
    slots: Slots,
    /// Of the RTTs.
    rtt: Axis,
}

impl<'a> View<'a> {
    fn new(run: &'a Run, data: &'a ChartData) -> Self {
        let history = data.seconds();
        let span = history.span().max(1) as f64 * 1e9;
        let end = match data.axis {
            // Whole seconds, so that all four panels have one extent; a shorter run gets its own.
            XAxis::Time if span >= WHOLE_SECONDS => span,
            XAxis::Time if data.end == 0 => span,
            XAxis::Time => span.min(data.end as f64),
            XAxis::Seq => data.end.max(1) as f64,
        };
        let probes = match data.axis {
            XAxis::Time => Axis::elapsed(end, 11.0),
            XAxis::Seq => Axis::numbers(data.end),
        };
        let (columns, summary) = (data.columns.cells(), Summary::of(&data.statistics));
        Self {
            run,
            data,
            bins: Bins::of(data, end),
            probes,
            seconds: Axis::elapsed(span, 8.0),
            slots: Slots::of(&history),
            rtt: clip::axis(columns, summary.rtt_us.as_ref()),
            summary,
            columns,
        }
    }

    /// Whether the seconds of panel B's bars are wide enough to be seen.
    fn by_second(&self) -> bool {
        self.data.axis == XAxis::Time && self.seconds.high() >= WHOLE_SECONDS
    }
}

const WHOLE_SECONDS: f64 = 5e9;
