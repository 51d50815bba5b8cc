//! Talk at a terminal: lines are typed at the bottom, and what arrives meanwhile is printed above them.
//! Without a terminal lines are read from stdin.

use std::io::{IsTerminal, stdin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor, ExternalPrinter};

use super::printer::{Printer, on_a_terminal};
use crate::room::{Event, shown};

/// An input of the user at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// The end of the input, or an interrupt.
    End,
}

/// Where lines are printed: by a thread of their own, so that a slow terminal delays nothing.
pub(super) enum TalkOutput {
    Printer(Printer),
    /// Above the line that is being typed.
    Editor(Sender<String>, JoinHandle<()>),
}

/// Whether somebody can type here and read the answers.
pub(super) fn is_interactive() -> bool {
    stdin().is_terminal() && on_a_terminal()
}

/// Calls `on_typed` on a thread of its own with every line, and once with the end.
pub(super) fn start(on_typed: impl FnMut(Typed) + Send + 'static) -> anyhow::Result<TalkOutput> {
    if !is_interactive() {
        spawn("input", move || read_lines(on_typed))?;
        return Ok(TalkOutput::Printer(Printer::start(|| {})?));
    }
    let config = Config::builder().max_history_size(500)?.build();
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config, MemHistory::new())?;
    let printer = editor.create_external_printer().context("cannot print while a line is typed")?;
    spawn("input", move || edit_lines(editor, on_typed))?;
    let (lines, to_print) = channel();
    let printing = spawn("printer", move || print_lines(printer, &to_print))?;
    Ok(TalkOutput::Editor(lines, printing))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(run).context("cannot start a thread")
}

fn print_lines(mut printer: impl ExternalPrinter, lines: &Receiver<String>) {
    for line in lines {
        // A terminal that is gone takes no line.
        let _ = printer.print(line);
    }
}

fn read_lines(mut on_typed: impl FnMut(Typed)) {
    for line in stdin().lines().map_while(Result::ok) {
        on_typed(Typed::Line(line));
    }
    on_typed(Typed::End);
}

fn edit_lines(mut editor: Editor<(), MemHistory>, mut on_typed: impl FnMut(Typed)) {
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                on_typed(Typed::Line(line));
            }
            // The window was resized.
            Err(ReadlineError::Signal(_)) => {}
            Err(_) => return on_typed(Typed::End),
        }
    }
}

impl TalkOutput {
    /// Prints an event, whatever its sender put into it.
    pub(super) fn event(&self, event: &Event) {
        if !matches!(event, Event::Greeting) {
            self.lines(&event.text());
        }
    }

    pub(super) fn lines(&self, text: &str) {
        let text: String = text.lines().map(|line| shown(line) + "\n").collect();
        // For programs alone: an editor would print an empty line.
        if text.is_empty() {
            return;
        }
        match self {
            Self::Printer(printer) => printer.text(text),
            Self::Editor(lines, _) => {
                let _ = lines.send(if has_colours() { coloured(&text) } else { text });
            }
        }
    }

    /// Waits until everything is printed.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Printer(printer) => printer.finish_checked(),
            Self::Editor(lines, printing) => {
                drop(lines);
                let _ = printing.join();
                Ok(())
            }
        }
    }
}

/// On a terminal that shows text at all, unless the person wants none.
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Names of speakers bold, lines of the room dim, busy hosts in the terminal's yellow.
fn coloured(text: &str) -> String {
    const BOLD: &str = "\x1b[1m";
    const DIM: &str = "\x1b[2m";
    const YELLOW: &str = "\x1b[33m";
    const PLAIN: &str = "\x1b[0m";
    let each = text.lines().map(|line| match line.split_once(": ") {
        _ if line.starts_with("-- ") && line.contains(" was BUSY: ") => format!("{YELLOW}{line}{PLAIN}\n"),
        Some((speaker, said)) if !line.starts_with("-- ") => format!("{BOLD}{speaker}:{PLAIN} {said}\n"),
        _ => format!("{DIM}{line}{PLAIN}\n"),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_bold_and_lines_of_the_room_dim_but_for_busy_hosts() {
        assert_eq!(
            coloured(
                "anna: -- #4 bea was BUSY: steal\n-- #4 bea was BUSY: steal\nbea has joined the chat!\n-- here: x\n"
            ),
            "\x1b[1manna:\x1b[0m -- #4 bea was BUSY: steal\n\x1b[33m-- #4 bea was BUSY: steal\x1b[0m\n\
             \x1b[2mbea has joined the chat!\x1b[0m\n\x1b[2m-- here: x\x1b[0m\n"
        );
    }
}
