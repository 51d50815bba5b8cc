//! A running watch: takes what discovery finds, reloads the file, and shows figures once a second.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, bail};

use super::admin::{Admin, ReloadRequest};
use super::discovery::{Discovered, Discovery};
use super::measuring::Measuring;
use super::peers::{Peers, mesh_view};
use super::probe::Prober;
use super::recorder::Recorder;
use super::reflector::Reflector;
use super::table::{self, Screen};
use super::{NOTHING, affordable, document, folder_of_file, read_file, record_folder, tell_foreign_groups};
use crate::cli::args::Watch;
use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, on_a_terminal, stderr_line};
use crate::cli::signals;
use crate::cli::web::{FleetPage, MeshView};
use crate::fleet::{Config, Snapshot};
use crate::net::{Clock, Control};
use crate::reflect::HostNames;
use crate::time::{Duration, Instant};
use crate::wire::auth::Key;

/// The loop waits for these.
enum News {
    Found(Discovered),
    /// HUP.
    Reload,
}

/// A running watch: the thread that measures, the one that discovers, and the views.
pub(super) struct Watching<'a> {
    arguments: &'a Watch,
    measuring: Measuring,
    printer: Printer,
    recorder: Option<Recorder>,
    page: Option<FleetPage>,
    /// The other monitors whose pages are read.
    peers: Option<Peers>,
    mesh: Arc<MeshView>,
    /// Its listener, if there is one.
    _admin: Option<Admin>,
    reloads: Option<Receiver<ReloadRequest>>,
    reflector: Option<Reflector>,
    prober: Prober,
    control: Arc<Control>,
    clock: Clock,
    began: Instant,
    configs: Sender<Config>,
    news: Receiver<News>,
    /// The configuration that runs, as it was read.
    config: Config,
    /// It has more series than it allows, so the targets of the one before stay.
    has_too_many: bool,
    now: Snapshot,
    screen: Screen,
}

impl<'a> Watching<'a> {
    const PERIOD: Duration = Duration::from_secs(1);
    /// How soon it is noticed that all targets have had their probes.
    const WAIT: Duration = Duration::from_millis(200);
    /// How often the file is read again.
    const FILE_PERIOD: Duration = Duration::from_secs(10);
    /// How often the place of a fault is sought.
    const MESH_PERIOD: Duration = Duration::from_secs(5);
    /// For so long names, URLs and DNS may keep the start waiting.
    const FIRST_LOOK: Duration = Duration::from_secs(2);
    /// How often a server is asked again that refused a session.
    const RETRY_PERIOD: Duration = Duration::from_secs(30);

    pub(super) fn start(
        arguments: &'a Watch,
        config: Config,
        source: String,
        key: Option<Key>,
        mut discovery: Discovery,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let control = Arc::new(Control::new().context("cannot make a pipe")?);
        let (tell, news) = channel();
        watch_signals(arguments, &control, tell.clone()).context("cannot watch for signals")?;
        let began = clock.now();
        // With a count no target can be added later.
        let mut first = if arguments.count.is_some() {
            discovery.look_at_all(&config)
        } else {
            discovery.glance(&config)
        };
        let (configs, to_discover) = channel();
        let running = config.clone();
        std::thread::Builder::new()
            .name("discovery".into())
            .spawn(move || {
                discovery.run(running, &to_discover, |found| tell.send(News::Found(found)).is_ok())
            })
            .context("cannot start a thread")?;
        if arguments.count.is_none()
            && let Ok(News::Found(found)) = news.recv_timeout(Self::FIRST_LOOK.to_std())
        {
            first = found;
        }
        let targets = first.targets.take().unwrap_or_default();
        affordable(&config, &targets)?;
        if targets.is_empty() {
            stderr_line(NOTHING);
        }
        let prober = Prober::new(config.clone(), key.clone(), clock);
        let recorder = record_folder(arguments, &config);
        let recorder =
            recorder.map(|folder| Recorder::start(folder, config.record_keep, clock)).transpose()?;
        let mut measuring = Measuring::start(source.clone(), key, arguments.count, clock, &control)?;
        measuring.set(targets);
        let now = Snapshot {
            source,
            labels: config.labels.clone(),
            targets: measuring.views(),
            is_configured: true,
            configured_at: began,
            discovery_failures: first.failures,
            discovery_successes: first.successes,
            record: recorder.as_ref().map(Recorder::status),
            ..Snapshot::default()
        };
        let http = arguments.http.or(config.http);
        let page =
            http.map(|at| FleetPage::start(at, &arguments.http_host, measuring.histories(), now.clone()));
        let page = page.transpose()?;
        if page.is_none() && arguments.peer_pages.is_some() {
            bail!("'--peer-pages' is for the page; give --http too, for example --http 9476");
        }
        let peers = arguments.peer_pages.map(Peers::start).transpose()?;
        let admin = arguments.admin.or(config.admin);
        let admin = admin.map(|at| Admin::start(at, &arguments.http_host, prober.clone())).transpose()?;
        let (admin, reloads) = admin.unzip();
        let closed = Arc::clone(&control);
        let printer = Printer::start(move || closed.stop())?;
        Ok(Self {
            arguments,
            measuring,
            printer,
            recorder,
            page,
            peers,
            mesh: Arc::default(),
            _admin: admin,
            reloads,
            reflector: reflector(arguments, &config, &now.source, clock)?,
            prober,
            control,
            clock,
            began,
            configs,
            news,
            config,
            has_too_many: false,
            now,
            screen: Screen::default(),
        })
    }

    pub(super) fn until_over(mut self) -> anyhow::Result<Exit> {
        let mut next_file = self.began + Self::FILE_PERIOD;
        let mut next_table = self.began;
        let mut next_mesh = self.began;
        let mut next_retry = self.began + Self::RETRY_PERIOD;
        if self.arguments.count.is_some() {
            self.measuring.takes_no_more();
        }
        while !self.control.stop_asked() && !self.measuring.is_over() {
            match self.news.recv_timeout(Self::WAIT.to_std()) {
                Ok(News::Found(found)) => self.take(found),
                Ok(News::Reload) => _ = self.reload(true),
                Err(_) => {}
            }
            let now = self.clock.now();
            if now >= next_file {
                let _ = self.reload(false);
                next_file = now + Self::FILE_PERIOD;
            }
            self.answer_reloads();
            for line in self.measuring.take_news() {
                stderr_line(format_args!("udpecho: {line}"));
            }
            if now >= next_retry && self.arguments.count.is_none() {
                self.measuring.retry_denied();
                next_retry = now + Self::RETRY_PERIOD;
            }
            self.record_minute();
            if now >= next_mesh {
                self.seek_fault();
                next_mesh = now + Self::MESH_PERIOD;
            }
            if now >= next_table {
                self.show();
                next_table = now + Self::PERIOD;
            }
        }
        self.finish()
    }

    fn take(&mut self, found: Discovered) {
        self.now.discovery_failures = found.failures;
        self.now.discovery_successes = found.successes;
        let Some(targets) = found.targets else { return };
        let affordable = affordable(&self.config, &targets);
        let had_too_many = std::mem::replace(&mut self.has_too_many, affordable.is_err());
        match affordable {
            Ok(()) => {
                self.now.is_configured |= had_too_many;
                if targets.is_empty() && !self.measuring.is_empty() {
                    stderr_line(NOTHING);
                }
                let removed = self.measuring.set(targets);
                if let Some(recorder) = &mut self.recorder {
                    recorder.removed(removed);
                }
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn answer_reloads(&mut self) {
        while let Some(request) = self.reloads.as_ref().and_then(|asked| asked.try_recv().ok()) {
            let _ = request.send(self.reload(true).map_err(|error| format!("{error:#}")));
        }
    }

    /// Reads the file again. One with an error changes nothing.
    fn reload(&mut self, asked: bool) -> anyhow::Result<()> {
        let arguments = self.arguments;
        let Some(file) = &arguments.file else { bail!("there is no file") };
        let config = read_file(file).inspect_err(|error| {
            if asked || self.now.is_configured {
                stderr_line(format_args!("udpecho: {error:#}; the targets stay as they were"));
                self.now.is_configured = false;
            }
        })?;
        self.run_with(config, file);
        Ok(())
    }

    fn run_with(&mut self, config: Config, file: &Path) {
        (self.now.is_configured, self.now.configured_at) = (!self.has_too_many, self.clock.now());
        if config == self.config {
            return;
        }
        let source = &self.now.source;
        let needs_start = |config: &Config| {
            let reflects = config.reflect.clone().map(|reflect| (reflect, host_names(config, source)));
            let record = (config.record.clone(), config.record_keep);
            (config.name.clone(), config.http, config.admin, record, reflects)
        };
        if needs_start(&config) != needs_start(&self.config) {
            stderr_line("udpecho: name, http, admin, record and [reflect] take effect with the next start");
        }
        self.now.labels = config.labels.clone();
        self.config = config.clone();
        self.prober.set(config.clone());
        let _ = self.configs.send(config);
        stderr_line(format_args!("udpecho: {} is loaded", file.display()));
        tell_foreign_groups(&self.config, &self.now.source);
    }

    fn refuse(&mut self, error: &anyhow::Error) {
        stderr_line(format_args!("udpecho: {error:#}; the targets stay as they were"));
        self.now.is_configured = false;
    }

    /// Once a minute.
    fn record_minute(&mut self) {
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.is_due()) {
            let (source, labels) = (self.now.source.clone(), self.now.labels.clone());
            let targets = self.measuring.views();
            recorder.minute(Snapshot { source, labels, targets, ..Snapshot::default() });
        }
    }

    /// From what this monitor and its peers counted last.
    fn seek_fault(&mut self) {
        if self.page.is_some() {
            self.peers.iter().for_each(|peers| peers.ask(&self.now));
            self.mesh = Arc::new(mesh_view(self.mesh.version + 1, &self.now, self.peers.as_ref()));
        }
    }

    fn show(&mut self) {
        if self.page.is_none() && !self.draws() {
            return;
        }
        self.now.elapsed = self.clock.now() - self.began;
        self.now.targets = self.measuring.views();
        self.now.monitor = self.measuring.monitor();
        self.now.record = self.recorder.as_ref().map(Recorder::status);
        if let Some(page) = &self.page {
            page.show(self.now.clone(), &self.mesh);
        }
        if self.draws() {
            self.screen.draw(&self.now, self.arguments.rows, &self.printer);
        }
    }

    fn draws(&self) -> bool {
        on_a_terminal() && !self.arguments.quiet && !self.arguments.json
    }

    fn finish(mut self) -> anyhow::Result<Exit> {
        if self.control.is_gentle() {
            self.reflector.iter().for_each(Reflector::end_gently);
        }
        let draws = self.draws();
        self.now.targets = self.measuring.finish()?;
        self.now.elapsed = self.clock.now() - self.began;
        self.now.record =
            self.recorder.take().map(|recorder| recorder.finish(self.now.clone(), &self.control));
        if draws {
            self.screen.draw(&self.now, self.arguments.rows, &self.printer);
        }
        if self.arguments.json {
            document::json(&self.now)?.lines().for_each(|line| self.printer.line(line));
        } else if !self.arguments.quiet {
            table::summary(&self.now).iter().for_each(|line| self.printer.line(line));
        }
        let answered = self.now.targets.iter().any(|target| target.figures.replies() > 0);
        if let Some(page) = self.page {
            page.finish(self.now, &self.mesh);
        }
        self.printer.finish_checked()?;
        if let Some(reflector) = self.reflector {
            reflector.finish(&self.control);
        }
        Ok(if answered { Exit::Success } else { Exit::NoReply })
    }
}

/// As the flag says, or else the file.
fn reflector(
    arguments: &Watch,
    config: &Config,
    source: &str,
    clock: Clock,
) -> anyhow::Result<Option<Reflector>> {
    let folder = folder_of_file(arguments);
    let of_all = arguments.key_file.clone();
    let (listen, key_file) = match (arguments.serve, &config.reflect) {
        (Some(port), _) => (SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), of_all),
        (None, Some(reflect)) => {
            let own = reflect.key_file.as_ref().map(|file| folder.join(file));
            (reflect.listen, own.or(of_all))
        }
        (None, None) => return Ok(None),
    };
    Reflector::start(listen, key_file.as_deref(), host_names(config, source), clock).map(Some)
}

/// The names that the reflector tells of this host.
fn host_names(config: &Config, source: &str) -> HostNames {
    let label = |name: &str| config.labels.get(name).cloned().unwrap_or_default();
    match &config.reflect {
        Some(reflect) if reflect.tells_names => {
            HostNames { name: source.to_owned(), rack: label("rack"), zone: label("zone") }
        }
        _ => HostNames::default(),
    }
}

fn watch_signals(arguments: &Watch, control: &Arc<Control>, tell: Sender<News>) -> std::io::Result<()> {
    match arguments.file {
        Some(_) => signals::watch_and_reload(control, || {}, move || _ = tell.send(News::Reload)),
        None => signals::watch(control, || {}),
    }
}
