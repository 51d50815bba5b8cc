//! `udpecho join`: a member of a room, in person, as an agent, or for one command.

mod agent;
mod backoff;
mod connection;
mod host_seconds;
mod measure;
mod one_command;
mod orders;
mod reflector;
mod share;

use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::args::Join;
use crate::cli::exit::{Exit, print_error};
use crate::cli::printer::stderr_line;
use crate::cli::talk::{self, Typed};
use crate::net::{RoomReceiver, RoomSender};
use crate::room::{Event, Message};
use connection::Joining;

pub(crate) fn run(arguments: &Join) -> anyhow::Result<Exit> {
    let joining = Joining::new(arguments)?;
    if arguments.agent {
        return agent::run(arguments, &joining);
    }
    let (sender, receiver) = match joining.connect(false) {
        Ok(connected) => connected,
        Err(error) => return Ok(print_error(&error, Exit::NoReply)),
    };
    match &arguments.do_command {
        Some(command) => one_command::run(arguments, command, &joining, sender, receiver),
        None => in_person(arguments, &joining, sender, receiver),
    }
}

/// Until the person leaves, or the connection is lost.
fn in_person(
    arguments: &Join,
    joining: &Joining,
    sender: RoomSender,
    mut receiver: RoomReceiver,
) -> anyhow::Result<Exit> {
    let sender = Arc::new(Mutex::new(sender));
    let mut orders = joining.orders(&sender)?;
    share::start(arguments.share, &sender)?;
    let typing = Arc::clone(&sender);
    let output = talk::start(move |typed| {
        let line = match typed {
            Typed::Line(line) => line,
            Typed::End => "/quit".to_owned(),
        };
        // Where the connection is lost, the receiver says so.
        let _ = send(&typing, &Message::Say(line));
    })?;
    let exit = loop {
        let Ok(event) = receiver.next() else {
            stderr_line("udpecho: the connection to the room is lost");
            break Exit::NoReply;
        };
        if let Event::Order(order) = &event {
            orders.handle(order);
        }
        if arguments.json {
            output.lines(&event.json());
        } else {
            output.event(&event);
        }
        if let Event::Closed { reason } = event {
            break if reason.is_none() { Exit::Success } else { Exit::NoReply };
        }
    };
    output.finish()?;
    Ok(exit)
}

fn send(sender: &Mutex<RoomSender>, message: &Message) -> std::io::Result<()> {
    sender.lock().unwrap_or_else(PoisonError::into_inner).send(message)
}
