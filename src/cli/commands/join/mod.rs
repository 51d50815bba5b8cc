//! `udpecho join`: a member of a room, in person, as an agent, or for one command.

mod agent;
mod backoff;
mod connection;
mod files;
mod host_seconds;
mod measure;
mod one_command;
mod orders;
mod reflector;
mod schema;
mod share;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;

use crate::cli::args::Join;
use crate::cli::exit::{Exit, print_error};
use crate::cli::printer::stderr_line;
use crate::cli::talk::{self, Typed};
use crate::net::{RoomReceiver, RoomSender};
use crate::room::{Event, Message};
use connection::Joining;
use files::{Asked, Done, Files};

pub(crate) use schema::SCHEMA;

pub(crate) fn run(arguments: &Join) -> anyhow::Result<Exit> {
    let joining = Joining::new(arguments)?;
    if arguments.agent {
        return agent::run(arguments, &joining);
    }
    let (sender, receiver, room) = match joining.connect(false) {
        Ok(connected) => connected,
        Err(error) => return Ok(print_error(&error, Exit::NoReply)),
    };
    let files = Arc::new(Files::new(room, &arguments.inbox));
    match &arguments.do_command {
        Some(command) => one_command::run(arguments, command, (&joining, &files), sender, receiver),
        None => in_person(arguments, &joining, files, sender, receiver),
    }
}

/// Until the person leaves, or the connection is lost.
fn in_person(
    arguments: &Join,
    joining: &Joining,
    files: Arc<Files>,
    sender: RoomSender,
    mut receiver: RoomReceiver,
) -> anyhow::Result<Exit> {
    let sender = Arc::new(Mutex::new(sender));
    let mut orders = joining.orders(&sender, &files, false)?;
    share::start(arguments.share, &sender)?;
    let (typing, sending) = (Arc::clone(&sender), Arc::clone(&files));
    let output = talk::start(move |typed| {
        let line = match typed {
            Typed::Line(line) => line,
            Typed::End => "/quit".to_owned(),
        };
        match sending.typed(&line) {
            // Where the connection is lost, the receiver says so.
            Ok(offer) => drop(send(&typing, &offer.unwrap_or(Message::Say(line)))),
            Err(error) => stderr_line(format_args!("udpecho: {error:#}")),
        }
    })?;
    let output = Arc::new(Mutex::new(output));
    let exit = loop {
        let Ok(event) = receiver.next_event() else {
            stderr_line("udpecho: the connection to the room is lost");
            break Exit::NoReply;
        };
        if let Event::Order(order) = &event {
            orders.handle(order);
        }
        if arguments.json && schema::is_printed(&event) {
            lock(&output).lines(&event.json());
        } else if !arguments.json {
            lock(&output).event(&event);
        }
        if let Some(asked) = files.asked(&event) {
            let output = Arc::clone(&output);
            transfer(&files, asked, &sender, move |line| lock(&output).lines(&line))?;
        }
        if let Event::Closed { reason } = event {
            break if reason.is_none() { Exit::Success } else { Exit::NoReply };
        }
    };
    // A file that is still on its way is cut, and can go on later.
    if let Some(Ok(output)) = Arc::into_inner(output).map(Mutex::into_inner) {
        output.finish()?;
    }
    Ok(exit)
}

/// Sends or fetches a file while the talk goes on.
fn transfer(
    files: &Arc<Files>,
    asked: Asked,
    sender: &Arc<Mutex<RoomSender>>,
    tell: impl Fn(String) + Send + 'static,
) -> anyhow::Result<()> {
    let (files, sender) = (Arc::clone(files), Arc::clone(sender));
    let work = move || {
        let order = asked.order();
        match files.run(asked) {
            Ok(Done { saved, message, .. }) => {
                saved.iter().for_each(|path| tell(format!("-- saved as {}", path.display())));
                message.iter().for_each(|message| drop(send(&sender, message)));
            }
            Err(error) => tell(format!("-- {error:#}")),
        }
        let recorded = order.map(|order| Message::Recorded { order });
        recorded.iter().for_each(|message| drop(send(&sender, message)));
    };
    std::thread::Builder::new().name("file".into()).spawn(work).context("cannot start a thread")?;
    Ok(())
}

fn send(sender: &Mutex<RoomSender>, message: &Message) -> std::io::Result<()> {
    lock(sender).send(message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
