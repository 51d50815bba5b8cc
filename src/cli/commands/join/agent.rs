//! A member without a person: it joins again whenever the connection is lost.

use std::sync::{Arc, Mutex};

use super::backoff::Backoff;
use super::connection::Joining;
use super::files::Files;
use super::{share, transfer};
use crate::cli::args::Join;
use crate::cli::exit::Exit;
use crate::cli::printer::stderr_line;
use crate::room::{Event, OrderEvent};

/// Runs until the process is ended.
pub(super) fn run(arguments: &Join, joining: &Joining) -> anyhow::Result<Exit> {
    let mut backoff = Backoff::new();
    loop {
        let why = match stay(arguments, joining, &mut backoff) {
            Ok(why) => why,
            Err(error) => format!("{error:#}"),
        };
        let wait = backoff.failed();
        stderr_line(format_args!("udpecho: {why}; again in {:.0} s", wait.as_secs_f64()));
        std::thread::sleep(wait.to_std());
    }
}

/// Joins and stays until the connection ends; why it did.
fn stay(arguments: &Join, joining: &Joining, backoff: &mut Backoff) -> anyhow::Result<String> {
    let (sender, mut receiver, room) = joining.connect(true)?;
    let sender = Arc::new(Mutex::new(sender));
    share::start(arguments.share, &sender)?;
    let files = Arc::new(Files::new(room, &arguments.inbox));
    let mut orders = joining.orders(&sender, &files, true)?;
    while let Ok(event) = receiver.next_event() {
        if let Some(asked) = files.asked(&event) {
            transfer(&files, asked, &sender, |line| stderr_line(format_args!("udpecho: {line}")))?;
        }
        match event {
            Event::Welcome { name, .. } => {
                backoff.joined();
                stderr_line(format_args!("joined {} as {name}", joining.place()));
            }
            Event::Refused { why } => stderr_line(format_args!("udpecho: the room refuses: {why}")),
            Event::Order(order) => {
                orders.handle(&order);
                order_line(&order);
            }
            Event::NotShelved { .. } => stderr_line(format_args!("udpecho: {}", event.text())),
            Event::Closed { .. } => return Ok(event.text().trim_start_matches("-- ").to_owned()),
            _ => {}
        }
    }
    Ok(format!("the connection to {} is lost", joining.place()))
}

/// Measurements are told, talk is not.
fn order_line(order: &OrderEvent) {
    let text = Event::Order(order.clone()).text();
    if !text.is_empty() {
        stderr_line(text.trim_start_matches("-- "));
    }
}
