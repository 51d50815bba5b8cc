//! What is seen of a running server: a line a second on a terminal when there is traffic, or a full
//! screen; a page. A thread of its own shows it, and the server's own threads only count.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;

use crate::cli::args::Serve;
use crate::cli::printer::{Printer, on_a_terminal};
use crate::cli::tui::{ServerScreen, Tui};
use crate::cli::web::ServerPage;
use crate::live::{ServerModel, server_line};
use crate::net::{Clock, Control, lower_priority};
use crate::reflect::Server;
use crate::time::{Duration, Instant};

pub struct Views {
    service: Arc<Mutex<ServerModel>>,
    screen: Option<Tui>,
    /// What there is to be seen.
    totals: bool,
    clients: bool,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Views {
    const PERIOD: Duration = Duration::from_millis(250);

    pub fn start(
        arguments: &Serve,
        service: ServerModel,
        printer: &Printer,
        control: &Arc<Control>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let lines = on_a_terminal() && !arguments.quiet && !arguments.tui;
        let now = service.snapshot();
        let page = arguments.http.map(|at| ServerPage::start(at, &arguments.http_host, now)).transpose()?;
        let service = Arc::new(Mutex::new(service));
        let face = ServerScreen::new(Arc::clone(&service));
        let screen = arguments.tui.then(|| Tui::start(face, Arc::clone(control))).transpose()?;
        let over = Arc::new(AtomicBool::new(false));
        let clients = page.is_some() || screen.is_some();
        let shown = Shown {
            service: Arc::clone(&service),
            lines: lines.then(|| Box::new(printer.writer()) as Box<dyn Write + Send>),
            page,
            over: Arc::clone(&over),
        };
        let thread = std::thread::Builder::new().name("views".into()).spawn(move || shown.until_over(clock));
        Ok(Self {
            service,
            screen,
            totals: lines || clients,
            clients,
            over,
            thread: Some(thread.context("cannot start a thread")?),
        })
    }

    /// Where the workers' servers show how they are.
    pub fn watcher(&self) -> Watcher {
        Watcher { service: Arc::clone(&self.service), totals: self.totals, clients: self.clients }
    }

    /// The last state is shown, and the terminal is as it was.
    pub fn finish(mut self) {
        drop(self.screen.take());
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a worker tells.
pub struct Watcher {
    service: Arc<Mutex<ServerModel>>,
    totals: bool,
    clients: bool,
}

impl Watcher {
    /// A worker's server shows how it is, if anybody looks and nobody else is at it: it must not wait.
    pub fn update(&self, worker: usize, server: &Server, now: Instant) {
        if self.totals
            && let Ok(mut service) = self.service.try_lock()
        {
            service.update(worker, server, self.clients, now);
        }
    }
}

struct Shown {
    service: Arc<Mutex<ServerModel>>,
    lines: Option<Box<dyn Write + Send>>,
    page: Option<ServerPage>,
    over: Arc<AtomicBool>,
}

impl Shown {
    fn until_over(mut self, clock: Clock) {
        lower_priority();
        let mut told = 0;
        while !self.over.load(Ordering::Acquire) {
            std::thread::sleep(Views::PERIOD.to_std());
            let now = {
                let mut service = lock(&self.service);
                service.advance(clock.now());
                service.snapshot()
            };
            let second_over = std::mem::replace(&mut told, now.second) < now.second;
            if let Some(lines) = self.lines.as_mut().filter(|_| second_over && now.rate() > 0) {
                let _ = lines.write_all(format!("{}\n", server_line(&now)).as_bytes());
            }
            if let Some(page) = &self.page {
                page.show(now);
            }
        }
        if let Some(page) = self.page {
            page.finish(lock(&self.service).snapshot());
        }
    }
}

fn lock(service: &Mutex<ServerModel>) -> MutexGuard<'_, ServerModel> {
    service.lock().unwrap_or_else(PoisonError::into_inner)
}
