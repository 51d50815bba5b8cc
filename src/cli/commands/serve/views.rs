//! Shows a running server: a line per second on a terminal while there is traffic, or a full screen; a web page. A
//! thread of its own does it, and the server's threads only count.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;

use super::host_load::HostLoad;
use crate::cli::args::Serve;
use crate::cli::printer::{Printer, on_a_terminal};
#[cfg(feature = "tui")]
use crate::cli::tui::{ServerScreen, Tui};
#[cfg(feature = "control")]
use crate::cli::web::ServerPage;
#[cfg(not(feature = "control"))]
use crate::cli::without_control::ServerPage;
use crate::host;
use crate::live::{ServerModel, server_line};
use crate::net::{Clock, Control, lower_priority};
use crate::reflect::Server;
use crate::time::{Duration, Instant};

pub(super) struct ServerViews {
    model: Arc<Mutex<ServerModel>>,
    screen: Option<Tui>,
    /// Whether a view shows totals, and single clients.
    totals: bool,
    clients: bool,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Option<host::Summary>>,
}

impl ServerViews {
    const PERIOD: Duration = Duration::from_millis(250);

    pub(super) fn start(
        arguments: &Serve,
        model: ServerModel,
        printer: &Printer,
        control: &Arc<Control>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let lines = on_a_terminal() && !arguments.quiet && !arguments.tui;
        let now = model.snapshot();
        let page = arguments.http.map(|at| ServerPage::start(at, &arguments.http_host, now)).transpose()?;
        let model = Arc::new(Mutex::new(model));
        let screen = screen(arguments, &model, control)?;
        let over = Arc::new(AtomicBool::new(false));
        let clients = page.is_some() || screen.is_some();
        let views = ViewThread {
            model: Arc::clone(&model),
            lines: lines.then(|| Box::new(printer.writer()) as Box<dyn Write + Send>),
            page,
            host: (!arguments.quiet).then(|| HostLoad::start(clock.now())),
            over: Arc::clone(&over),
        };
        let thread = std::thread::Builder::new().name("views".into()).spawn(move || views.until_over(clock));
        let thread = thread.context("cannot start a thread")?;
        Ok(Self { model, screen, totals: lines || clients, clients, over, thread })
    }

    /// Takes the state of the server threads.
    pub(super) fn probe(&self) -> ServerProbe {
        ServerProbe { model: Arc::clone(&self.model), totals: self.totals, clients: self.clients }
    }

    /// Gives the terminal back and shows the last state; whether this host was busy.
    pub(super) fn finish(self) -> Option<host::Summary> {
        {
            let _gives_the_terminal_back = self.screen;
        }
        self.over.store(true, Ordering::Release);
        self.thread.join().ok().flatten()
    }
}

/// Passes the state of the server threads to the views.
pub(super) struct ServerProbe {
    model: Arc<Mutex<ServerModel>>,
    totals: bool,
    clients: bool,
}

impl ServerProbe {
    /// Skipped while another thread holds the model: a server thread must not wait.
    pub(super) fn update(&self, worker: usize, server: &Server, now: Instant) {
        if self.totals
            && let Ok(mut model) = self.model.try_lock()
        {
            model.update(worker, server, self.clients, now);
        }
    }
}

#[cfg(feature = "tui")]
fn screen(
    arguments: &Serve,
    model: &Arc<Mutex<ServerModel>>,
    control: &Arc<Control>,
) -> anyhow::Result<Option<Tui>> {
    let view = ServerScreen::new(Arc::clone(model));
    arguments.tui.then(|| Tui::start(view, Arc::clone(control))).transpose()
}

/// A build without the full screen has no option that asks for it.
#[cfg(not(feature = "tui"))]
enum Tui {}

#[cfg(not(feature = "tui"))]
fn screen(_: &Serve, _: &Arc<Mutex<ServerModel>>, _: &Arc<Control>) -> anyhow::Result<Option<Tui>> {
    Ok(None)
}

struct ViewThread {
    model: Arc<Mutex<ServerModel>>,
    lines: Option<Box<dyn Write + Send>>,
    page: Option<ServerPage>,
    host: Option<HostLoad>,
    over: Arc<AtomicBool>,
}

impl ViewThread {
    fn until_over(mut self, clock: Clock) -> Option<host::Summary> {
        lower_priority();
        let mut shown = 0;
        while !self.over.load(Ordering::Acquire) {
            std::thread::sleep(ServerViews::PERIOD.to_std());
            let now = {
                let mut model = lock(&self.model);
                model.advance(clock.now());
                model.snapshot()
            };
            if let Some(host) = &mut self.host {
                host.tick(clock.now());
            }
            let second_over = std::mem::replace(&mut shown, now.second) < now.second;
            if let Some(lines) = self.lines.as_mut().filter(|_| second_over && now.rate() > 0) {
                let _ = lines.write_all(format!("{}\n", server_line(&now)).as_bytes());
            }
            if let Some(page) = &self.page {
                page.show(now);
            }
        }
        if let Some(page) = self.page {
            page.finish(lock(&self.model).snapshot());
        }
        self.host?.summary()
    }
}

fn lock(model: &Mutex<ServerModel>) -> MutexGuard<'_, ServerModel> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}
