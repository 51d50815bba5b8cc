//! `join --do`: one command, its answer on standard output, and an exit code.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::connection::Joining;
use super::files::{Asked, Done, Files};
use super::{send, transfer};
use crate::cli::args::Join;
use crate::cli::exit::{Exit, print_error};
use crate::cli::printer::{Printer, stderr_line};
use crate::net::{RoomReceiver, RoomSender};
use crate::room::{
    Command, Event, Message, Name, Offer, OrderCommand, OrderEvent, OrderNumber, PortFate, ShelfFile, shown,
};

pub(super) fn run(
    arguments: &Join,
    command: &str,
    (joining, files): (&Joining, &Arc<Files>),
    sender: RoomSender,
    mut receiver: RoomReceiver,
) -> anyhow::Result<Exit> {
    let sender = Arc::new(Mutex::new(sender));
    let mut orders = joining.orders(&sender, files, false)?;
    let offer = files.typed(command)?;
    // `/send` is no command of the room: the file is offered instead.
    let parsed = if offer.is_some() { Command::Files } else { Command::parse(command)? };
    let message = offer.unwrap_or_else(|| Message::Say(command.to_owned()));
    let printer = Printer::start(|| {})?;
    let mut doing = Doing { arguments, files, sender, message, waiting: Waiting::new(parsed), printer };
    let exit = loop {
        let Ok(event) = receiver.next_event() else {
            stderr_line("udpecho: the connection to the room is lost");
            break Exit::NoReply;
        };
        if let Event::Order(order) = &event {
            orders.handle(order);
        }
        if let Some(exit) = doing.take(&event)? {
            break exit;
        }
    };
    doing.printer.finish_checked()?;
    Ok(exit)
}

/// A command on its way.
struct Doing<'a> {
    arguments: &'a Join,
    files: &'a Arc<Files>,
    sender: Arc<Mutex<RoomSender>>,
    /// To be sent once the room has let this client in.
    message: Message,
    waiting: Waiting,
    printer: Printer,
}

impl Doing<'_> {
    /// The exit code once the command is done, or cannot be.
    fn take(&mut self, event: &Event) -> anyhow::Result<Option<Exit>> {
        if let Event::Welcome { name, .. } = event {
            self.waiting.own = Some(name.clone());
            send(&self.sender, &self.message)?;
            return Ok(None);
        }
        match (self.files.asked(event), event) {
            (Some(asked), _) => self.transfer(asked),
            (None, Event::Shelved { file }) if self.offers(file) => {
                print(&self.printer, self.arguments, event);
                Ok(Some(Exit::Success))
            }
            (None, _) => Ok(self.answer(event)),
        }
    }

    /// The room may have this content from another member, and under another name.
    fn offers(&self, file: &ShelfFile) -> bool {
        let is_it = |offer: &Offer| (offer.hash, &offer.to) == (file.hash, &file.to);
        matches!(&self.message, Message::Offer(offer) if is_it(offer))
    }

    /// The run of an order travels beside it; any other file is what the command is about.
    fn transfer(&mut self, asked: Asked) -> anyhow::Result<Option<Exit>> {
        if asked.order().is_some() {
            let tell = |line| stderr_line(format_args!("udpecho: {line}"));
            return transfer(self.files, asked, &self.sender, tell).map(|()| None);
        }
        let done = match self.files.run(asked) {
            Ok(done) => done,
            Err(error) => return Ok(Some(print_error(&error, Exit::Error))),
        };
        if let Some(Message::Say(line)) = &done.message {
            // Its answer names the word.
            self.waiting = Waiting::new(Command::parse(line)?);
            self.message = Message::Say(line.clone());
            send(&self.sender, &self.message)?;
            return Ok(None);
        }
        print_done(&self.printer, self.arguments, &done);
        Ok(Some(Exit::Success))
    }

    fn answer(&mut self, event: &Event) -> Option<Exit> {
        let exit = self.waiting.answer(event)?;
        if exit == Exit::Error {
            stderr_line(format_args!("udpecho: {}", event.text().trim_start_matches("-- ")));
        } else {
            let json = self.arguments.json;
            let text = if json { self.waiting.json(event) } else { self.waiting.text(event) };
            text.lines().for_each(|line| self.printer.text(shown(line) + "\n"));
        }
        Some(exit)
    }
}

fn print(printer: &Printer, arguments: &Join, event: &Event) {
    let text = if arguments.json { event.json() } else { event.text() };
    text.lines().for_each(|line| printer.text(shown(line) + "\n"));
}

/// The file that was sent, or where the fetched one lies.
fn print_done(printer: &Printer, arguments: &Join, done: &Done) {
    let Some(file) = &done.file else { return };
    let Some(path) = &done.saved else {
        return print(printer, arguments, &Event::Shelved { file: file.clone() });
    };
    let path = path.to_string_lossy();
    let text = if arguments.json {
        serde_json::json!({ "event": "saved", "path": path, "file": file }).to_string()
    } else {
        path.into_owned()
    };
    printer.text(shown(&text) + "\n");
}

/// Waits for the answer to a command.
struct Waiting {
    command: Command,
    own: Option<Name>,
    /// The number of the order, once it is known, and all that is told of it.
    order: Option<OrderNumber>,
    told: Vec<Event>,
}

impl Waiting {
    fn new(command: Command) -> Self {
        let order = match &command {
            Command::Order(
                OrderCommand::Yes { order } | OrderCommand::No { order } | OrderCommand::Stop { order },
            ) => Some(*order),
            _ => None,
        };
        Self { command, own: None, order, told: Vec::new() }
    }

    /// The exit code if this event is the answer.
    fn answer(&mut self, event: &Event) -> Option<Exit> {
        let own = |name: &Name| self.own.as_ref() == Some(name);
        match (event, &self.command) {
            // The run of an order may have no place on the shelf.
            (Event::NotShelved { .. }, Command::Order(_)) => None,
            (Event::Refused { .. } | Event::Dropped { .. } | Event::NotShelved { .. }, _) => {
                Some(Exit::Error)
            }
            (Event::Closed { reason: Some(_) }, _) => Some(Exit::Error),
            (Event::Who { .. }, Command::Who)
            | (Event::Load { .. }, Command::Load { .. })
            | (Event::Files { .. }, Command::Files)
            | (Event::PlainOffer { .. }, Command::Plain { .. })
            | (Event::Help, Command::Help)
            | (Event::Closed { reason: None }, Command::Quit) => Some(Exit::Success),
            (Event::Renamed { from, .. }, Command::Rename { .. })
            | (Event::Said { from, .. }, Command::Say { .. })
                if own(from) =>
            {
                Some(Exit::Success)
            }
            (Event::Order(order), Command::Order(_)) => self.order(order),
            (Event::Shelved { file: ShelfFile { order, .. } }, Command::Order(_)) => self.note(*order, event),
            (Event::Measured(summary), Command::Order(_)) => self.note(Some(summary.order), event),
            _ => None,
        }
    }

    fn order(&mut self, event: &OrderEvent) -> Option<Exit> {
        if let OrderEvent::Placed { order, by, .. } = event
            && self.order.is_none()
            && self.own.as_ref() == Some(by)
        {
            self.order = Some(*order);
        }
        if !event.is_for_all() || Some(event.number()) != self.order {
            return None;
        }
        self.told.push(Event::Order(event.clone()));
        let measures =
            matches!(self.command, Command::Order(OrderCommand::Ping { .. } | OrderCommand::Ports { .. }));
        match event {
            OrderEvent::Done { .. } | OrderEvent::Ended { .. } if measures => {
                Some(if self.told.iter().any(has_reply) { Exit::Success } else { Exit::NoReply })
            }
            OrderEvent::Done { .. } | OrderEvent::Ended { .. } | OrderEvent::Way { .. } if !measures => {
                Some(Exit::Success)
            }
            _ => None,
        }
    }

    /// Keeps an event that comes before the end of the order.
    fn note(&mut self, order: Option<OrderNumber>, event: &Event) -> Option<Exit> {
        if order.is_some() && order == self.order {
            self.told.push(event.clone());
        }
        None
    }

    fn text(&self, event: &Event) -> String {
        if self.told.is_empty() {
            return event.text();
        }
        let lines = self.told.iter().map(Event::text);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn json(&self, event: &Event) -> String {
        if self.told.is_empty() {
            return event.json();
        }
        json!({ "order": self.order, "events": self.told }).to_string()
    }
}

/// A measurement with a reply, or a check with an open port.
fn has_reply(event: &Event) -> bool {
    match event {
        Event::Order(OrderEvent::Result { figures, .. }) => figures.rtt_p50_us.is_some(),
        Event::Order(OrderEvent::Ports { ports, .. }) => ports.count(PortFate::Open) > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{OrderFigures, OrderTask, OrderTerms};

    fn waiting(line: &str) -> Waiting {
        Waiting { own: Some(Name::nearest("me").unwrap()), ..Waiting::new(Command::parse(line).unwrap()) }
    }

    #[test]
    fn the_answer_of_a_command_is_told_from_what_others_do() {
        let name = |text| Name::nearest(text).unwrap();
        let said = |from| Event::Said { from: name(from), to: Vec::new(), text: "hello".into() };
        assert_eq!(waiting("hello").answer(&said("anna")), None);
        assert_eq!(waiting("hello").answer(&said("me")), Some(Exit::Success));
        assert_eq!(waiting("/who").answer(&said("me")), None);
        assert_eq!(waiting("/who").answer(&Event::Who { here: Vec::new() }), Some(Exit::Success));
        assert_eq!(waiting("/who").answer(&Event::Refused { why: "no".into() }), Some(Exit::Error));
        assert_eq!(waiting("/quit").answer(&Event::Closed { reason: None }), Some(Exit::Success));
    }

    #[test]
    fn a_measurement_waits_for_its_own_end_and_a_reply_is_success() {
        let placed = |order, by: &str| OrderEvent::Placed {
            order,
            by: Name::nearest(by).unwrap(),
            from: Name::nearest("a").unwrap(),
            to: Name::nearest("b").unwrap(),
            terms: OrderTask::Ping(OrderTerms { count: 1, interval_us: 1_000, size: 80 }),
            state: crate::room::Placed::Accepted,
            asked: Vec::new(),
        };
        for (rtt, exit) in [(Some(1.0), Exit::Success), (None, Exit::NoReply)] {
            let mut waiting = waiting("/ping a b");
            let figures = OrderFigures { rtt_p50_us: rtt, ..OrderFigures::default() };
            let result =
                OrderEvent::Result { order: 4, from: Name::nearest("a").unwrap(), to_room: false, figures };
            for event in [placed(3, "anna"), OrderEvent::Done { order: 3 }, placed(4, "me"), result] {
                assert_eq!(waiting.answer(&Event::Order(event)), None);
            }
            assert_eq!(waiting.answer(&Event::Order(OrderEvent::Done { order: 4 })), Some(exit));
        }
        let mut agreeing = waiting("/yes 4");
        assert_eq!(
            agreeing.answer(&Event::Order(OrderEvent::Ended { order: 4, why: "stopped".into() })),
            Some(Exit::Success)
        );
    }
}
