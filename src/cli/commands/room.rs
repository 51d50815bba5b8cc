//! `udpecho room`: the UDP server on this thread, the TCP port of the room beside it.

mod keep;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use super::report::page;
use super::serve::totals;
use crate::cli::args::{GuestsFrom, Room};
use crate::cli::exit::Exit;
use crate::cli::key;
use crate::cli::listening::{Listening, place};
use crate::cli::printer::Printer;
use crate::cli::signals;
use crate::cli::talk::{self, TalkOutput, Typed};
use crate::impair::Impairment;
use crate::live::metrics;
use crate::net::{
    Clock, Control, RoomFiles, RoomOperator, RoomPage, RoomServer, RoomService, RoomSettings, RunReport,
    ServerEngine, Serving, random_bytes, text_route,
};
use crate::record::Folder;
use crate::reflect::{Counters, Injection, Server, Settings};
use crate::report::{Theme, counted};
use crate::room::{Access, Event, Guests, RoomCounters, Shelf};
use crate::wire::auth::Key;
use keep::Keeper;

/// The context in which the PSK of encrypted connections is derived.
pub(super) const PSK: &str = "udpecho room 1";

pub(crate) fn run(arguments: &Room) -> anyhow::Result<Exit> {
    let key = key::find(arguments.key_file.as_deref())?;
    let listening = listening(arguments).at_a_port_of_both();
    let clock = Clock::start();
    let server = Server::new(settings(arguments, key.clone()), random_bytes()?, clock.now());
    let mut udp = ServerEngine::bind(listening.bind(), Serving::default(), server, clock)
        .map_err(|error| listening.refusal(&error))?;
    let address = udp.local_addr()?;
    let shelf = Shelf::new(random_bytes()?, arguments.quota.get()).unpacking(arguments.keep.is_some());
    let room = RoomService::new(clock).with_shelf(shelf);
    let files = files(arguments, &room)?;
    let keeper = keeper(arguments, &room, clock)?;
    let access = access(arguments, key.as_ref());
    let page = RoomPage { access, word: arguments.word.clone(), report: report() };
    let measured = Arc::new(Mutex::new(Counters::default()));
    let routes = text_route("/metrics", metrics_text(&room, &measured));
    let routes = routes.merge(page.routes(room.clone(), files.clone()));
    let tcp = RoomServer::start(
        address,
        room.clone(),
        files,
        room_settings(arguments, access, key.as_ref()),
        routes,
    )
    .map_err(|error| listening.refusal(&error))?;
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let operator = if arguments.quiet {
        None
    } else {
        banner(arguments, address, key.is_some())?;
        talk::is_interactive().then(|| operate(&tcp, &control)).transpose()?
    };
    let ran = udp.run(&control, |server, _| store(&measured, server.counters()));
    tcp.finish();
    drop(operator);
    keeper.into_iter().for_each(Keeper::finish);
    let counters = ran.context("the UDP socket failed")?;
    if !arguments.quiet {
        let printer = Printer::start(|| {})?;
        said(&room.counters()).into_iter().chain(totals(&counters, 0)).for_each(|line| printer.line(line));
        printer.finish_checked()?;
    }
    Ok(Exit::Success)
}

/// It is a clean server, which everybody in the room can be measured to.
fn settings(arguments: &Room, key: Option<Key>) -> Settings {
    Settings {
        injection: Injection::steady(Impairment::clean()),
        key,
        stun: true,
        message_relay: arguments.guests != GuestsFrom::None,
        allow_stop: arguments.allow_stop,
        ..Settings::default()
    }
}

fn files(arguments: &Room, room: &RoomService) -> anyhow::Result<RoomFiles> {
    let folder = arguments.keep.as_ref().map(|folder| folder.join("files"));
    let cannot = || format!("cannot keep files in {}", folder.as_deref().unwrap_or(Path::new("")).display());
    RoomFiles::new(room.clone(), folder.as_deref()).with_context(cannot)
}

fn keeper(arguments: &Room, room: &RoomService, clock: Clock) -> anyhow::Result<Option<Keeper>> {
    let keep = arguments.keep.as_deref();
    keep.map(|folder| Keeper::start(folder, room, clock, arguments.keep_private, report())).transpose()
}

/// The HTML report of a run's folder.
fn report() -> RunReport {
    Arc::new(|folder| {
        let made = Folder::open(folder).map_err(Into::into).and_then(|folder| page(&folder, Theme::Light));
        made.map_err(|error: anyhow::Error| format!("{error:#}"))
    })
}

fn access(arguments: &Room, key: Option<&Key>) -> Access {
    let guests = match arguments.guests {
        GuestsFrom::None => Guests::None,
        GuestsFrom::Private => Guests::Private,
        GuestsFrom::Any => Guests::Any,
    };
    Access { guests, keyed: key.is_some() }
}

fn room_settings(arguments: &Room, access: Access, key: Option<&Key>) -> RoomSettings {
    let psk = key.map(|key| key.derive(PSK)).unwrap_or_default();
    RoomSettings { access, psk, host_names: arguments.http_host.clone() }
}

fn listening(arguments: &Room) -> Listening {
    let Room { port, bind, ipv4, ipv6, .. } = *arguments;
    Listening { port, option: "-p ", bind, v4_only: ipv4, v6_only: ipv6 }
}

fn metrics_text(
    room: &RoomService,
    measured: &Arc<Mutex<Counters>>,
) -> impl Fn() -> String + Clone + Send + Sync + use<> {
    let (room, measured) = (room.clone(), Arc::clone(measured));
    move || {
        let server = *measured.lock().unwrap_or_else(PoisonError::into_inner);
        metrics::of_room(&server, &room.counters(), room.here().len())
    }
}

fn store(measured: &Mutex<Counters>, now: Counters) {
    *measured.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

fn banner(arguments: &Room, address: std::net::SocketAddr, keyed: bool) -> anyhow::Result<()> {
    let printer = Printer::start(|| {})?;
    printer.line(format!("room on {}", place("TCP and UDP", address)));
    let port = address.port();
    printer.line(format!("join it with: udpecho join HOST:{port}, http://HOST:{port}/, or nc HOST {port}"));
    let guests = match arguments.guests {
        GuestsFrom::None => "no guests",
        GuestsFrom::Private => "guests: plain connections from private addresses",
        GuestsFrom::Any => "guests: plain connections from anywhere",
    };
    let members = if keyed { "clients with the key" } else { "udpecho clients at private addresses" };
    printer.line(format!("members: {members}; {guests}"));
    printer.finish_checked()
}

/// The person in front of the server talks as `host`; leaving ends the room.
fn operate(tcp: &RoomServer, control: &Arc<Control>) -> anyhow::Result<RoomOperator> {
    let operator = tcp.seat_operator()?;
    let (speaking, stop) = (operator.clone(), Arc::clone(control));
    let output = talk::start(move |typed| match typed {
        Typed::Line(line) => speaking.say(&line),
        Typed::End => stop.stop(),
    })?;
    let stop = Arc::clone(control);
    tcp.show_operator(&operator, move |event| show(&output, event, &stop));
    Ok(operator)
}

fn show(output: &TalkOutput, event: &Event, control: &Control) {
    output.event(event);
    if matches!(event, Event::Closed { .. }) {
        control.stop();
    }
}

/// The closing lines about the talk.
fn said(counters: &RoomCounters) -> Vec<String> {
    let RoomCounters { joined, lines, .. } = counters;
    let mut said = vec![format!("{joined} joined, {} said", counted(*lines, "line", "lines"))];
    let refusals = counters.refusals().into_iter().filter(|refusal| refusal.count > 0);
    let refused: Vec<String> =
        refusals.map(|refusal| format!("{} {}", refusal.count, refusal.words)).collect();
    said.extend((!refused.is_empty()).then(|| refused.join(", ")));
    said
}
