//! `join --do`: one command, its answer on standard output, and an exit code.

use crate::cli::args::Join;
use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, stderr_line};
use crate::net::{RoomReceiver, RoomSender};
use crate::room::{Command, Event, Message, Name, shown};

pub(super) fn run(
    arguments: &Join,
    command: &str,
    mut sender: RoomSender,
    mut receiver: RoomReceiver,
) -> anyhow::Result<Exit> {
    let mut waiting = Waiting { command: Command::parse(command)?, own: None };
    let printer = Printer::start(|| {})?;
    let exit = loop {
        let Ok(event) = receiver.next() else {
            stderr_line("udpecho: the connection to the room is lost");
            break Exit::NoReply;
        };
        if let Event::Welcome { name, .. } = &event {
            waiting.own = Some(name.clone());
            sender.send(&Message::Say(command.to_owned()))?;
            continue;
        }
        match waiting.answer(&event) {
            Some(Exit::Error) => {
                stderr_line(format_args!("udpecho: {}", event.text().trim_start_matches("-- ")));
                break Exit::Error;
            }
            Some(exit) => {
                let text = if arguments.json { event.json() } else { event.text() };
                text.lines().for_each(|line| printer.text(shown(line) + "\n"));
                break exit;
            }
            None => {}
        }
    };
    sender.close();
    printer.finish_checked()?;
    Ok(exit)
}

/// What the command waits for.
struct Waiting {
    command: Command,
    own: Option<Name>,
}

impl Waiting {
    /// The exit code if this event is the answer.
    fn answer(&self, event: &Event) -> Option<Exit> {
        let own = |name: &Name| self.own.as_ref() == Some(name);
        match (event, &self.command) {
            (Event::Refused { .. } | Event::Dropped { .. }, _) => Some(Exit::Error),
            (Event::Closed { reason: Some(_) }, _) => Some(Exit::Error),
            (Event::Who { .. }, Command::Who)
            | (Event::Load { .. }, Command::Load { .. })
            | (Event::Help, Command::Help)
            | (Event::Closed { reason: None }, Command::Quit) => Some(Exit::Success),
            (Event::Renamed { from, .. }, Command::Rename { .. })
            | (Event::Said { from, .. }, Command::Say { .. })
                if own(from) =>
            {
                Some(Exit::Success)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_command_is_told_from_what_others_do() {
        let name = |text| Name::new(text).unwrap();
        let said = |from| Event::Said { from: name(from), to: Vec::new(), text: "hello".into() };
        let waiting = |line| Waiting { command: Command::parse(line).unwrap(), own: Some(name("me")) };
        assert_eq!(waiting("hello").answer(&said("anna")), None);
        assert_eq!(waiting("hello").answer(&said("me")), Some(Exit::Success));
        assert_eq!(waiting("/who").answer(&said("me")), None);
        assert_eq!(waiting("/who").answer(&Event::Who { here: Vec::new() }), Some(Exit::Success));
        assert_eq!(waiting("/who").answer(&Event::Refused { why: "no".into() }), Some(Exit::Error));
        assert_eq!(waiting("/quit").answer(&Event::Closed { reason: None }), Some(Exit::Success));
    }
}
