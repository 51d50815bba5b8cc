//! The views of a run: text, a full screen, a web page.

#[cfg(feature = "tui")]
mod full_screen;
#[cfg(feature = "control")]
mod page;

use std::sync::Arc;

#[cfg(not(all(feature = "control", feature = "tui")))]
use crate::cli::args::Ping;
use crate::cli::measurement::config::Config;
use crate::cli::measurement::terminal::Terminal;
use crate::cli::measurement::view::View;
use crate::cli::printer::stderr_line;
use crate::net::Control;
use crate::record::Run;
use crate::stats::Second;
#[cfg(feature = "tui")]
use full_screen::start as full_screen;
#[cfg(feature = "control")]
use page::start as page;

/// All views of a run.
pub(super) struct Views(Vec<Box<dyn View>>);

impl Views {
    /// Starts the views asked for. The full screen comes first: it gives the terminal back before text is printed.
    pub(super) fn start(
        config: &Config,
        run: &Run,
        terminal: Terminal,
        control: &Arc<Control>,
    ) -> anyhow::Result<Self> {
        let arguments = config.arguments;
        let mut views: Vec<Box<dyn View>> = Vec::new();
        let page = page(arguments, run)?;
        views.extend(full_screen(arguments, run, control)?);
        views.extend(page);
        views.push(Box::new(terminal));
        Ok(Self(views))
    }

    pub(super) fn each(&mut self, mut show: impl FnMut(&mut dyn View)) {
        self.0.iter_mut().for_each(|view| show(&mut **view));
    }

    /// Shown in place of the terminal's text where there is a full screen, else on stderr.
    pub(super) fn message(&mut self, text: &str) {
        if !self.0.iter_mut().any(|view| view.message(text)) {
            stderr_line(text);
        }
    }

    /// The errors of the views that could not show everything.
    pub(super) fn finish(self, run: &Run, rows: &[Second]) -> Vec<anyhow::Error> {
        self.0.into_iter().filter_map(|view| view.finish(run, rows).err()).collect()
    }

    pub(super) fn abort(self) {
        self.0.into_iter().for_each(|view| view.abort());
    }
}

/// A build without the page has no option that asks for it.
#[cfg(not(feature = "control"))]
fn page(_: &Ping, _: &Run) -> anyhow::Result<Option<Box<dyn View>>> {
    Ok(None)
}

/// A build without the full screen has no option that asks for it.
#[cfg(not(feature = "tui"))]
fn full_screen(_: &Ping, _: &Run, _: &Arc<Control>) -> anyhow::Result<Option<Box<dyn View>>> {
    Ok(None)
}
