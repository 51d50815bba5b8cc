//! What is kept of a room: a line of JSON for each event, and a page for people at the end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::event::Event;
use super::shelf::{FileKind, ShelfFile};

/// One event and when it happened.
#[derive(Clone, Debug)]
pub struct TranscriptLine {
    /// RFC 3339.
    pub at: String,
    /// What happened.
    pub event: Event,
}

impl TranscriptLine {
    /// The line of JSON without its end. Of a private message only who, to whom and how much, unless
    /// its text is to be kept too.
    pub fn json(&self, keep_private: bool) -> String {
        let mut line = json!({ "at": self.at });
        let event = match &self.event {
            Event::Said { from, to, text } if !to.is_empty() && !keep_private => {
                json!({ "event": "said", "from": from, "to": to, "bytes": text.len() })
            }
            event => serde_json::to_value(event).unwrap_or_default(),
        };
        if let (Value::Object(line), Value::Object(event)) = (&mut line, event) {
            line.extend(event);
        }
        line.to_string()
    }

    /// The lines of text, as a terminal shows them.
    fn text(&self, keep_private: bool) -> String {
        match &self.event {
            Event::Said { from, to, text } if !to.is_empty() && !keep_private => {
                let names: Vec<&str> = to.iter().map(super::name::Name::as_str).collect();
                format!("{from} to {}: {} bytes, not kept", names.join(", "), text.len())
            }
            event => event.text(),
        }
    }
}

const STYLE: &str = ":root { color-scheme: light dark } \
body { max-width: 60rem; margin: 1rem auto; padding: 0 1rem; font: 1rem/1.45 \"DejaVu Sans\", Verdana, Arial, sans-serif } \
h1 { font-size: 1.35rem } p { margin: .15rem 0; overflow-wrap: anywhere; white-space: pre-wrap } \
time { opacity: .7; font-size: .8rem; margin-right: .8rem } .notice { opacity: .75 }";

/// The page of a room that is over: everything said, with links to the files beside it.
pub fn transcript_page(lines: &[TranscriptLine], left_out: u64, keep_private: bool) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>udpecho room</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>udpecho room</h1>\n"
    );
    if left_out > 0 {
        let _ = writeln!(
            page,
            "<p class=\"notice\">The first {left_out} events are in the ndjson files alone.</p>"
        );
    }
    for line in lines {
        let class = if matches!(line.event, Event::Said { .. }) { "" } else { " class=\"notice\"" };
        let text = escape(line.text(keep_private).trim_start_matches("-- "));
        let _ = writeln!(page, "<p{class}><time>{}</time>{text}{}</p>", escape(&line.at), link(&line.event));
    }
    page + "</body>\n</html>\n"
}

/// To the file or the report, under the name that it has in the folder.
fn link(event: &Event) -> String {
    let Event::Shelved { file } = event else { return String::new() };
    let Some((path, what)) = kept_path(file) else { return String::new() };
    format!(" <a href=\"{}\" download=\"{}\">{what}</a>", escape(&path), escape(file.name.as_str()))
}

/// Where a kept room has this file.
fn kept_path(file: &ShelfFile) -> Option<(String, &'static str)> {
    let what = if file.kind == FileKind::Run { "the run (tar)" } else { "the file" };
    Some((format!("files/{}", file.hash?), what))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{ContentHash, FileName, Name};

    fn said(to: &[&str], text: &str) -> TranscriptLine {
        let name = |name: &&str| Name::new(name).unwrap();
        let event = Event::Said { from: name(&"anna"), to: to.iter().map(name).collect(), text: text.into() };
        TranscriptLine { at: "2026-11-28T06:00:00.000Z".into(), event }
    }

    #[test]
    fn a_private_message_is_kept_as_its_length_unless_its_text_is_asked_for() {
        let line = said(&["bea"], "secret");
        let at = "{\"at\":\"2026-11-28T06:00:00.000Z\",";
        assert_eq!(
            line.json(false),
            format!("{at}\"bytes\":6,\"event\":\"said\",\"from\":\"anna\",\"to\":[\"bea\"]}}")
        );
        assert!(line.json(true).contains("secret") && !transcript_page(&[line], 0, false).contains("secret"));
        assert!(said(&[], "open").json(false).contains("\"text\":\"open\""));
    }

    #[test]
    fn the_page_shows_text_as_text_and_links_to_files_by_their_hash() {
        let file = ShelfFile {
            number: 1,
            name: FileName::nearest("a\"><b>.txt"),
            bytes: 1,
            from: Name::new("anna").unwrap(),
            to: None,
            kind: FileKind::File,
            hash: Some(ContentHash::of(b"x")),
        };
        let shelved = TranscriptLine { event: Event::Shelved { file }, ..said(&[], "") };
        let page = transcript_page(&[said(&[], "<script>&"), shelved], 7, false);
        assert!(page.contains("anna: &lt;script&gt;&amp;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("The first 7 events"));
        let link = format!("<a href=\"files/{}\" download=\"a___b_.txt\">", ContentHash::of(b"x"));
        assert!(page.contains(&link), "{page}");
    }
}
