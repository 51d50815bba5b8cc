//! `udpecho serve`: starts the server, prints its banner and its totals.

mod error_log;
mod host_load;
mod other_ports;
mod views;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::args::{LoadLimit, Serve, TcpKind, TextFrom};
use crate::cli::exit::Exit;
use crate::cli::impair::injection;
use crate::cli::key;
use crate::cli::listening::{Listening, place};
use crate::cli::printer::Printer;
use crate::cli::signals;
#[cfg(not(feature = "control"))]
use crate::cli::without_control::TcpReplyServer;
use crate::live::ServerModel;
#[cfg(feature = "control")]
use crate::net::TcpReplyServer;
use crate::net::{Clock, Control, PortClosed, ServerThreads, Serving, random_bytes};
use crate::reflect::{self, Counters, Injection, LoadGrant, Server, Settings};
use crate::report::{self, counted};
use crate::room::TcpReply;
use crate::units::{BitRate, ByteSize};
use error_log::ErrorLog;
use views::ServerViews;

pub(crate) fn run(arguments: &Serve) -> anyhow::Result<Exit> {
    let settings = settings(arguments)?;
    let injects = describe(&settings);
    let keyed = settings.key.is_some();
    let listening = listening(arguments);
    let bind = if arguments.tcp.is_some() { listening.at_a_port_of_both() } else { listening }.bind();
    let clock = Clock::start();
    let make = || Ok(Server::new(settings.clone(), random_bytes()?, clock.now()));
    let mut threads = ServerThreads::bind(arguments.threads, bind, serving(arguments), clock, make)
        .map_err(|error| refusal(arguments, &error))?;
    // It ends when it is dropped.
    let tcp = tcp(arguments, threads.local_addr()?)?;
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let printer = Printer::start(|| {})?;
    let listens = place("UDP", threads.local_addr()?);
    let model = ServerModel::new(listens.clone(), injects.clone(), arguments.threads.get(), clock.now());
    let views = ServerViews::start(arguments, model, &printer, &control, clock)?;
    if !arguments.quiet && !arguments.tui {
        printer.line(format!("listening on {listens}"));
        printer.paragraph(&format!("injects {injects}"));
        for line in other_ports::lines(&threads, keyed, is_clean(&settings)) {
            printer.paragraph(&line);
        }
        if let Some(tcp) = &tcp {
            printer.line(format!("answers TCP on port {}, without impairments", tcp.address().port()));
        }
        if keyed {
            printer.line("answers only clients with the key");
        }
        if arguments.allow_stop {
            printer.line("any client may stop this server");
        }
    }
    let log = ErrorLog::start(arguments.limits.max_log_lines, arguments.tui, clock)?;
    threads.on_error(&log.on_error());
    let probe = views.probe();
    let ran = threads.run(&control, arguments.drain, |worker, server, now| {
        probe.update(worker, server, now);
        log.tick();
    });
    let host = views.finish();
    let counters = ran.context("the server's socket failed")?;
    if !arguments.quiet {
        for line in totals(&counters, log.suppressed()) {
            printer.line(line);
        }
        if let Some(host) = host {
            printer.paragraph(&format!("this host was {host}"));
        }
    }
    Ok(Exit::Success)
}

/// TCP beside UDP, on the same address and port number.
fn tcp(arguments: &Serve, address: SocketAddr) -> anyhow::Result<Option<TcpReplyServer>> {
    let kind = match arguments.tcp {
        None => return Ok(None),
        Some(TcpKind::Echo) => TcpReply::Echo,
        Some(TcpKind::Arrow) => TcpReply::Arrow,
        Some(TcpKind::Ack) => TcpReply::Ack,
        Some(TcpKind::Words) => TcpReply::Words,
    };
    let server = TcpReplyServer::start(address, kind);
    server.map(Some).with_context(|| format!("cannot listen on TCP port {}", address.port()))
}

fn serving(arguments: &Serve) -> Serving {
    Serving {
        backend: arguments.io.backend(),
        busy_poll: arguments.busy_poll,
        stamps: !arguments.no_stamps,
        other_ports: other_ports::asked(arguments),
        ..Serving::default()
    }
}

fn settings(arguments: &Serve) -> anyhow::Result<Settings> {
    let limits = &arguments.limits;
    // Each thread gets an equal share.
    let threads = arguments.threads.get();
    let rate = |rate: u32| rate.div_ceil(threads as u32);
    Ok(Settings {
        injection: injection(&arguments.impair)?,
        client_impair: arguments.client_impair,
        impair_seed: arguments.impair_seed,
        max_size: u32::try_from(arguments.max_size.get()).unwrap_or(u32::MAX),
        stun: false,
        message_relay: false,
        allow_stop: arguments.allow_stop,
        text_from: match arguments.text_from {
            TextFrom::Private => reflect::TextFrom::Private,
            TextFrom::Any => reflect::TextFrom::Any,
        },
        allow_low_ports: arguments.allow_low_ports,
        key: key::find(arguments.key_file.as_deref())?,
        max_sessions: limits.max_sessions.div_ceil(threads),
        max_source_sessions: limits.max_source_sessions,
        max_idle: limits.max_idle,
        max_duration: limits.max_duration,
        max_text_clients: limits.max_text_clients.div_ceil(threads),
        max_held_bytes: bytes(limits.max_held) / threads,
        max_history_bytes: bytes(limits.max_history) / threads,
        session_rate: limits.session_rate,
        source_rate: Some(limits.source_rate),
        unverified_rate: Some(rate(limits.unverified_rate)),
        max_rate: limits.max_rate.map(rate),
        load: load_grant(limits.load, threads)?,
        unfragmented_replies: arguments.io.backend().forbids_fragments(),
        host: reflect::HostNames::default(),
    })
}

/// Each thread grants an equal share.
fn load_grant(asked: Option<LoadLimit>, threads: usize) -> anyhow::Result<LoadGrant> {
    let share = |rate: BitRate| BitRate::new(rate.get() / threads as u64);
    Ok(match (asked, LoadGrant::default()) {
        (Some(None), _) => LoadGrant::Nobody,
        (Some(Some(rate)), _) => LoadGrant::Anybody(share(rate)?),
        (None, LoadGrant::Private(rate)) => LoadGrant::Private(share(rate)?),
        (None, usual) => usual,
    })
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.get()).unwrap_or(usize::MAX)
}

fn describe(settings: &Settings) -> String {
    match &settings.injection {
        Injection::Steady(impairment) => report::injection(&impairment.to_string(), settings.impair_seed),
        Injection::Scenario(scenario) => report::injection(&scenario.to_string(), settings.impair_seed),
    }
}

fn listening(arguments: &Serve) -> Listening {
    let Serve { port, bind, ipv4, ipv6, .. } = *arguments;
    Listening { port, option: "-p ", bind, v4_only: ipv4, v6_only: ipv6 }
}

/// Why one of its ports cannot be had.
fn refusal(arguments: &Serve, error: &io::Error) -> anyhow::Error {
    let closed = error.get_ref().and_then(|error| error.downcast_ref::<PortClosed>());
    let main = listening(arguments);
    let listening = closed.map_or(main, |closed| {
        let port = other_ports::asked(arguments)[closed.server_port as usize].unwrap_or_default();
        Listening { port, option: other_ports::option(closed.server_port), ..main }
    });
    listening.refusal(error)
}

/// Whether nothing is injected.
fn is_clean(settings: &Settings) -> bool {
    matches!(&settings.injection, Injection::Steady(impairment) if impairment.is_clean())
}

/// The closing lines.
pub(crate) fn totals(counters: &Counters, suppressed_errors: u64) -> Vec<String> {
    let spoken = counters.by_dialect().filter(|(_, of)| of.probes > 0);
    let probes: Vec<_> = spoken.map(|(dialect, of)| format!("{} {dialect}", of.probes)).collect();
    let noun = if counters.in_all().probes == 1 { "probe" } else { "probes" };
    let probes = if probes.is_empty() { "no".to_owned() } else { probes.join(", ") };
    let received = counted(counters.received, "datagram", "datagrams");
    let mut lines = vec![format!("received {received}, sent {}: {probes} {noun}", counters.sent)];
    let all = counters.list().map(|counter| (counter.value, counter.words));
    let own = [
        (counters.in_all().denied, ["client denied: too many", "clients denied: too many"]),
        (suppressed_errors, ["error not logged", "errors not logged"]),
    ];
    let shown = all.chain(own).filter(|(count, [one, _])| *count > 0 && !one.is_empty());
    let shown: Vec<String> = shown.map(|(count, [one, many])| counted(count, one, many)).collect();
    if !shown.is_empty() {
        lines.push(shown.join(", "));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_grant_no_more_load_together_than_one_alone() {
        let rate = |bits: u64| BitRate::new(bits).unwrap();
        let asked = |asked| load_grant(asked, 4).unwrap();
        assert_eq!(asked(Some(Some(rate(200_000_000)))), LoadGrant::Anybody(rate(50_000_000)));
        assert_eq!(asked(None), LoadGrant::Private(rate(250_000_000)));
        assert_eq!(asked(Some(None)), LoadGrant::Nobody);
    }

    #[test]
    fn the_totals_say_one_in_the_singular() {
        let of = |n: u64| {
            let mut counters = Counters { received: n, evicted: n, stun: n, ..Counters::default() };
            counters.dialects[0].probes = n;
            totals(&counters, n)
        };
        assert_eq!(
            of(1),
            [
                "received 1 datagram, sent 0: 1 native probe",
                "1 session evicted for others, 1 STUN request answered, 1 error not logged"
            ]
        );
        assert_eq!(
            of(2),
            [
                "received 2 datagrams, sent 0: 2 native probes",
                "2 sessions evicted for others, 2 STUN requests answered, 2 errors not logged"
            ]
        );
    }
}
