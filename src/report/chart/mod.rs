//! The picture of a run: its [`ChartData`] in, SVG out, 1600 x 1200 pixels whatever the run. Deterministic;
//! every number in it is the run's.
//!
//! From the top: what was asked, the key figures, the RTT of every probe (A), the probes that were
//! not answered in time (B), where it is known the load of the hosts; then side by side throughput and
//! mean delay by the second and the distribution; the definitions. One file a panel, and one for where they lie.

mod axes_frame;
mod axis;
mod bins;
mod boxes;
mod cdf;
mod clipping;
mod footer;
mod header;
mod histogram;
mod hosts;
mod key_figures;
mod layout;
mod loss;
mod overlay;
mod page;
mod panel;
mod proxy;
mod rate;
mod rtt;
mod seconds;
mod sheet;
mod theme;

pub use header::{parameters, title};
pub use overlay::overlay;
pub use proxy::proxy;
pub(in crate::report) use proxy::{proxy_panels, proxy_parameters, proxy_title};
pub use rate::rate;
pub use theme::Theme;

use self::axis::Axis;
use self::bins::Bins;
use self::layout::Layout;
use self::page::{Area, HEIGHT, WIDTH};
use self::panel::{Hover, Panel};
use self::seconds::Slots;
use self::sheet::{FINE, Sheet};
use self::theme::Colours;
use crate::record::{Run, Summary};
use crate::report::chart_data::{ChartData, Column, XAxis};
use crate::report::format;

/// The panels, in the order of their letters. A new one is a file with a `Panel` and a line here.
const PANELS: [Panel; 7] = [
    rtt::PANEL,
    loss::PANEL,
    hosts::PANEL,
    seconds::THROUGHPUT,
    seconds::DELAY,
    cdf::PANEL,
    histogram::PANEL,
];

/// Draws the run. `data` has taken all its probes.
pub fn svg(run: &Run, data: &ChartData, theme: Theme) -> String {
    drawing(run, data, theme).svg
}

/// The same, with where its panels lie and what they show.
pub fn drawing<'a>(run: &'a Run, data: &'a ChartData, theme: Theme) -> Drawing<'a> {
    let view = View::new(run, data);
    let panels: Vec<Panel> = PANELS.into_iter().filter(|panel| (panel.is_shown)(&view)).collect();
    let layout = Layout::new(&view, &panels);
    let mut sheet = Sheet::new(WIDTH, HEIGHT, theme.colours());
    sheet.layer("page", |layer| {
        let page = layer.colours().page;
        layer.rect((0.0, 0.0), (WIDTH, HEIGHT), &page);
    });
    sheet.layer("header", |layer| header::draw(layer, &view));
    sheet.layer("figures", |layer| key_figures::draw(layer, &view, layout.key_figures));
    for ((letter, panel), area) in ('A'..).zip(&panels).zip(&layout.panels) {
        (panel.draw)(&mut sheet, &view, *area, &format!("{letter} {}", panel.title));
    }
    let notes = ('A'..).zip(&panels).filter_map(|(letter, panel)| Some(format!("{letter}: {}", panel.note?)));
    let notes = notes.collect::<Vec<_>>().join(" ");
    sheet.layer("footer", |layer| footer::draw(layer, &view, &notes, layout.footer));
    Drawing { svg: sheet.finish(&header::title(run)), view, panels, layout }
}

/// A picture, where its panels lie, and what the page shows of their values.
pub struct Drawing<'a> {
    /// The whole picture as an SVG document.
    pub svg: String,
    view: View<'a>,
    panels: Vec<Panel>,
    layout: Layout,
}

/// A panel in the drawing's own units, and the ends of its horizontal axis: nanoseconds or numbers of
/// probes.
pub struct PlacedPanel {
    /// As the page's script names it.
    pub id: &'static str,
    /// Left end of the plot area.
    pub left: f64,
    /// Right end of the plot area.
    pub right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) x: Axis,
    pub(crate) hover: Hover,
}

impl Drawing<'_> {
    /// Left, top, width and height of the charts alone, in the drawing's own units.
    pub fn charts(&self) -> [f64; 4] {
        const GAP: f64 = 12.0;
        let (top, bottom) = (self.layout.key_figures.1 + GAP, self.layout.footer - GAP);
        [0.0, top, WIDTH, bottom - top].map(|pixels| pixels * FINE)
    }

    /// Every panel with a horizontal axis that the page can point into.
    pub fn panels(&self) -> impl Iterator<Item = PlacedPanel> {
        self.panels.iter().zip(&self.layout.panels).map(|(panel, area)| {
            let Area { left, right, top, bottom } = *area;
            let [left, right, top, bottom] = [left, right, top, bottom].map(|pixels| pixels * FINE);
            let (x, hover) = ((panel.x)(&self.view), (panel.hover)(&self.view));
            PlacedPanel { id: panel.id, left, right, top, bottom, x, hover }
        })
    }
}

/// The parts shared by all panels.
pub struct View<'a> {
    run: &'a Run,
    data: &'a ChartData,
    summary: Summary,
    columns: &'a [Column],
    bins: Bins,
    /// Of the panels by probe.
    probes: Axis,
    /// Of the panels by second.
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
        let (columns, summary) =
            (data.columns.cells(), Summary::of(&data.statistics).narrowed_to(run.known()));
        Self {
            run,
            data,
            bins: Bins::of(data, end),
            probes,
            seconds: Axis::elapsed(span, 8.0),
            slots: Slots::of(&history),
            rtt: clipping::axis(columns, summary.rtt_us.as_ref()),
            summary,
            columns,
        }
    }

    /// The values under the pointer where too many probes to keep were sent.
    fn hover_columns(&self) -> Hover {
        let width = self.data.columns.width();
        let row = |(k, column): (u64, &Column)| {
            let (from, to) = (k * width, (k + 1) * width);
            let title = match self.data.axis {
                XAxis::Time => format!("{} to {}", format::clock(from), format::clock(to)),
                XAxis::Seq => format!("probes {from} to {}", to - 1),
            };
            let time = |nanos: Option<f64>| nanos.map_or("–".to_owned(), format::time);
            let outcomes = column.outcomes;
            let text = format!(
                "{title}\n{} sent, {} lost or late\nRTT p50 {}\nRTT p99 {}\nslowest {}",
                outcomes.sent(),
                outcomes.lost_or_late(),
                time(column.on_time.quantile(0.5)),
                time(column.on_time.quantile(0.99)),
                time(column.peak.map(|peak| peak.rtt as f64))
            );
            (from as f64, to as f64, text)
        };
        Hover::Steps((0..).zip(self.columns).map(row).collect())
    }

    /// A place on the axis of the probes.
    fn place(&self, x: u64) -> String {
        match self.data.axis {
            XAxis::Time => format!("sent at {}", format::clock(x)),
            XAxis::Seq => format!("probe {x}"),
        }
    }

    /// Whether the seconds of the loss panel's bars are wide enough to be seen.
    fn by_second(&self) -> bool {
        self.data.axis == XAxis::Time && self.seconds.high() >= WHOLE_SECONDS
    }
}

const WHOLE_SECONDS: f64 = 5e9;
