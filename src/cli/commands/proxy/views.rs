//! Shows a running proxy: a line per second on a terminal while there is traffic, or a full screen; a web page. A thread
//! of its own asks the relay for its state; the relay waits for nobody.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;

use crate::cli::args::Proxy;
use crate::cli::printer::{Printer, on_a_terminal};
#[cfg(feature = "tui")]
use crate::cli::tui::{ProxyScreen, Tui};
#[cfg(feature = "control")]
use crate::cli::web::ProxyPage;
#[cfg(not(feature = "control"))]
use crate::cli::without_control::ProxyPage;
use crate::live::{ProxyModel, proxy_line};
use crate::net::{Clock, Control, RelayHandle, lower_priority};
use crate::relay::RelayFigures;
use crate::time::Duration;

pub(super) struct ProxyViews {
    screen: Option<Tui>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ProxyViews {
    const PERIOD: Duration = Duration::from_millis(250);

    pub(super) fn start(
        arguments: &Proxy,
        (first, handle): (RelayFigures, RelayHandle),
        printer: &Printer,
        control: &Arc<Control>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let apart = arguments.quiet || arguments.json || !arguments.command.is_empty();
        let lines = on_a_terminal() && !apart && !arguments.tui;
        let over = Arc::new(AtomicBool::new(false));
        if !lines && !arguments.tui && arguments.http.is_none() {
            return Ok(Self { screen: None, over, thread: None });
        }
        let mut model = ProxyModel::new(clock.now());
        model.update(first, Vec::new(), clock.now());
        let now = model.snapshot();
        let page = arguments.http.map(|at| ProxyPage::start(at, &arguments.http_host, now)).transpose()?;
        let model = Arc::new(Mutex::new(model));
        let screen = screen(arguments, &model, control)?;
        let lines = lines.then(|| Box::new(printer.writer()) as Box<dyn Write + Send>);
        let views = ViewThread { model, handle, lines, page, over: Arc::clone(&over) };
        let thread = std::thread::Builder::new().name("views".into());
        let thread = thread.spawn(move || views.until_over(clock)).context("cannot start a thread")?;
        Ok(Self { screen, over, thread: Some(thread) })
    }

    /// Gives the terminal back and shows the last state.
    pub(super) fn finish(self) {
        {
            let _gives_the_terminal_back = self.screen;
        }
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "tui")]
fn screen(
    arguments: &Proxy,
    model: &Arc<Mutex<ProxyModel>>,
    control: &Arc<Control>,
) -> anyhow::Result<Option<Tui>> {
    let view = ProxyScreen::new(Arc::clone(model));
    arguments.tui.then(|| Tui::start(view, Arc::clone(control))).transpose()
}

/// A build without the full screen has no option that asks for it.
#[cfg(not(feature = "tui"))]
enum Tui {}

#[cfg(not(feature = "tui"))]
fn screen(_: &Proxy, _: &Arc<Mutex<ProxyModel>>, _: &Arc<Control>) -> anyhow::Result<Option<Tui>> {
    Ok(None)
}

struct ViewThread {
    model: Arc<Mutex<ProxyModel>>,
    handle: RelayHandle,
    lines: Option<Box<dyn Write + Send>>,
    page: Option<ProxyPage>,
    over: Arc<AtomicBool>,
}

impl ViewThread {
    fn until_over(mut self, clock: Clock) {
        lower_priority();
        let mut shown = 0;
        while !self.over.load(Ordering::Acquire) {
            std::thread::sleep(ProxyViews::PERIOD.to_std());
            let asked = self.handle.ask(|engine| (engine.figures(), engine.flows(0, ProxyPage::FLOWS)));
            let Some((figures, flows)) = asked else { continue };
            let now = {
                let mut model = lock(&self.model);
                model.update(figures, flows, clock.now());
                model.snapshot()
            };
            let second_over = std::mem::replace(&mut shown, now.second) < now.second;
            let busy = now.last().directions.iter().any(|direction| direction.arrived > 0);
            if let Some(lines) = self.lines.as_mut().filter(|_| second_over && busy) {
                let _ = lines.write_all(format!("{}\n", proxy_line(&now)).as_bytes());
            }
            if let Some(page) = &self.page {
                page.show(now);
            }
        }
        if let Some(page) = self.page {
            page.finish(lock(&self.model).snapshot());
        }
    }
}

fn lock(model: &Mutex<ProxyModel>) -> MutexGuard<'_, ProxyModel> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}
