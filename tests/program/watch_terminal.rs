//! `watch` on a terminal of 80 columns: a row a target, redrawn in its place, and the summary below it.

use std::fs;

use tempfile::TempDir;

use crate::common::process::{Serve, free_port};
use crate::live::terminal::Terminal;

#[test]
fn the_table_has_a_row_a_target_and_stays_whole_when_a_message_comes() {
    let (servers, folder) = (["--clean", "--clean --loss nth:4"].map(Serve::start), TempDir::new().unwrap());
    let [clean, lossy] = servers.each_ref().map(|server| format!("127.0.0.1:{}", server.port));
    let closed = format!("127.0.0.1:{}", free_port());
    let file = folder.path().join("watch.toml");
    let text = format!(
        "[[group]]\nname = 'a'\ninterval = '20ms'\ngive-up = '1s'\ntargets = ['{clean}', '{lossy}', '{closed}']\n"
    );
    fs::write(&file, &text).unwrap();
    let mut watching = Terminal::start(folder.path(), "watch -f watch.toml", (80, 24));
    let row = |screen: &str, target: &str| {
        let row = screen.lines().find(|line| line.starts_with(target)).unwrap_or_default();
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = |screen: &str| {
        let lines: Vec<_> = screen.lines().collect();
        let head = lines.iter().rposition(|line| line.starts_with("target ")).unwrap_or(usize::MAX - 3);
        let rows = [&clean, &lossy, &closed];
        rows.iter().zip(head + 1..).all(|(row, at)| lines.get(at).is_some_and(|line| line.starts_with(*row)))
    };
    let first = watching.wait_for(|screen| {
        whole(screen)
            && row(screen, &closed).last().is_some_and(|state| state == "closed")
            && row(screen, &lossy).get(3).is_some_and(|share| share == "25%")
    });
    assert_eq!(first.matches("resolved").count(), 1, "it is redrawn in its place: {first}");
    fs::write(&file, text.replace("interval", "intervall")).unwrap();
    watching.signal("HUP");
    let told = watching.wait_for_text("did you mean 'interval'?");
    assert_eq!(told.matches("resolved").count(), 1, "{told}");
    let after = watching.wait_for(|screen| screen.matches("resolved").count() == 2 && whole(screen));
    assert!(after.contains("did you mean 'interval'?"), "{after}");
    watching.press("\u{3}");
    let (code, last) = watching.finish();
    assert_eq!((code, last.contains("^C")), (0, false), "{last}");
    let summary = format!("{clean:<15} : xmt/rcv/%loss = ");
    let unwrapped = last.replace('\n', "");
    assert!(last.lines().any(|line| line.starts_with(&summary)), "{last}");
    assert!(unwrapped.contains(&format!("{closed:<15} : xmt/rcv/%loss = 0/0/0%, closed")), "{last}");
    assert!(whole(&last), "the table has the last counts: {last}");
}
