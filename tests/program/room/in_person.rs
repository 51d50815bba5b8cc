//! `join` on a terminal: a person types while others talk.

use super::Room;
use crate::live::terminal::Terminal;

const PROMPT: &str = "> ";

fn bea(room: &Room, size: (u16, u16), variables: &[(&str, &str)]) -> Terminal {
    let words = format!("join 127.0.0.1:{} --name bea --share nothing", room.port);
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::with_environment(folder.path(), &words, size, variables);
    terminal.wait_for_text("/help");
    terminal
}

fn last_line(screen: &str) -> &str {
    screen.trim_end().lines().last().unwrap_or_default()
}

#[test]
fn what_is_typed_stays_below_what_arrives_and_is_sent_whole() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    for size in [(80, 24), (20, 5)] {
        let mut terminal = bea(&room, size, &[]);
        terminal.press("hel");
        terminal.wait_for(|screen| last_line(screen) == format!("{PROMPT}hel"));
        anna.send("wait\n");
        let screen = terminal.wait_for(|screen| screen.contains("anna: wait"));
        assert_eq!(last_line(&screen), format!("{PROMPT}hel"), "{screen}");
        terminal.press("lo\r");
        anna.line_with("bea: hello");
        terminal.wait_for_text("bea: hello");
        // The end of the input leaves.
        terminal.press("\x04");
        assert_eq!(terminal.finish().0, 0);
        anna.line_with("bea has left the chat.");
    }
}

#[test]
fn the_list_of_commands_and_notices_fit_80_columns() {
    let room = Room::start("");
    let mut terminal = bea(&room, (80, 40), &[]);
    let mut anna = room.member("anna");
    terminal.wait_for_text("anna has joined the chat!");
    terminal.press("/help\r");
    let screen = terminal.wait_for_text("-- Orders and files are for members");
    let help: Vec<&str> = screen.lines().skip_while(|line| !line.contains("say it to everybody")).collect();
    let commands: Vec<_> = help.iter().take_while(|line| line.starts_with("-- ")).collect();
    assert!(commands.len() >= 14 && commands.iter().all(|line| line.len() <= 80), "{commands:#?}");
    terminal.press("/dance\r");
    terminal.wait_for_text("-- /dance is no command; /help lists them");
    anna.send("@bea psst\n");
    terminal.wait_for_text("anna to bea: psst");
    terminal.press("/quit\r");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn there_are_colours_unless_nobody_wants_them_and_no_line_of_a_member_moves_the_cursor() {
    let room = Room::start("");
    for (variables, has_colours) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut terminal = bea(&room, (80, 24), variables);
        let mut anna = room.member("anna");
        anna.send("\x1b[2J\x1b[31mgone \u{202e}sdrawkcab\n");
        terminal.wait_for_text("anna: \\u{1b}[2J\\u{1b}[31mgone \\u{202e}sdrawkcab");
        let written = terminal.written();
        assert!(!written.contains("\x1b[31m") && !written.contains("\x1b[2J"), "{written:?}");
        let coloured = ["\x1b[2m-- here: ", "\x1b[1manna:\x1b[0m "].map(|part| written.contains(part));
        assert_eq!(coloured, [has_colours; 2], "{written:?}");
        terminal.press("{quit}\r");
        assert_eq!(terminal.finish().0, 0);
    }
}
