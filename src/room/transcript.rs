//! The transcript of a room: a line of JSON for each event, and a page for people at the end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::event::Event;
use super::order_summary::OrderSummary;
use super::shelf::{FileKind, Shelf};

/// One event and when it happened.
#[derive(Clone, Debug)]
pub struct TranscriptLine {
    /// RFC 3339.
    pub at: String,
    /// The event.
    pub event: Event,
    /// Where the folder has the file of this event: `files/HASH`, or `runs/NAME` with its `report.html`.
    pub kept: Option<String>,
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
            line.extend(self.kept.as_ref().map(|kept| ("kept".to_owned(), kept.as_str().into())));
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
h2 { font-size: 1.1rem } li { margin: .2rem 0; overflow-wrap: anywhere } \
time { opacity: .7; font-size: .8rem; margin-right: .8rem } .notice { opacity: .75 }";

/// The page of a room that is over: the measurements, and everything said, with links to the files beside it.
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
    page += &measurements(lines);
    for line in lines.iter().filter(|line| !line.text(keep_private).is_empty()) {
        let class = if matches!(line.event, Event::Said { .. }) { "" } else { " class=\"notice\"" };
        let text = line.text(keep_private);
        let text: Vec<&str> = text.lines().map(|line| line.trim_start_matches("-- ")).collect();
        let text = escape(&text.join("\n"));
        let _ = writeln!(page, "<p{class}><time>{}</time>{text}{}</p>", escape(&line.at), link(line));
    }
    page + "</body>\n</html>\n"
}

/// A line for each, with its report; empty without any.
fn measurements(lines: &[TranscriptLine]) -> String {
    let summaries = lines.iter().filter_map(|line| match &line.event {
        Event::Measured(summary) => Some(measurement(summary, lines)),
        _ => None,
    });
    let items: String = summaries.collect();
    if items.is_empty() {
        items
    } else {
        format!("<h2>Measurements</h2>\n<ul>\n{items}</ul>\n<h2>Talk</h2>\n")
    }
}

fn measurement(summary: &OrderSummary, lines: &[TranscriptLine]) -> String {
    let is_of_it = |line: &&TranscriptLine| matches!(&line.event, Event::Shelved { file } if summary.runs.contains(&file.number));
    let reports: String = lines.iter().filter(is_of_it).map(link).collect();
    format!("<li>{}{reports}</li>\n", escape(&summary.line()))
}

/// To the file or the report, under the name that it has in the folder.
fn link(line: &TranscriptLine) -> String {
    let (Event::Shelved { file }, Some(kept)) = (&line.event, &line.kept) else { return String::new() };
    match file.kind {
        FileKind::Run if file.bytes > Shelf::LARGEST_REPORTED => {
            format!(" <a href=\"{}/run.json\">run.json</a>", escape(kept))
        }
        FileKind::Run => format!(" <a href=\"{}/report.html\">report</a>", escape(kept)),
        FileKind::File => {
            format!(" <a href=\"{}\" download=\"{}\">the file</a>", escape(kept), escape(file.name.as_str()))
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{
        ContentHash, FileName, HostResult, Name, OrderFigures, OrderTask, OrderTerms, ShelfFile,
    };

    fn said(to: &[&str], text: &str) -> TranscriptLine {
        let name = |name: &&str| Name::new(name).unwrap();
        let event = Event::Said { from: name(&"anna"), to: to.iter().map(name).collect(), text: text.into() };
        line_of(event, None)
    }

    fn line_of(event: Event, kept: Option<&str>) -> TranscriptLine {
        TranscriptLine { at: "2026-11-28T06:00:00.000Z".into(), event, kept: kept.map(str::to_owned) }
    }

    fn shelved(number: u32, name: &str, kind: FileKind, kept: &str) -> TranscriptLine {
        let file = ShelfFile {
            number,
            name: FileName::nearest(name),
            bytes: 1,
            from: Name::new("anna").unwrap(),
            to: None,
            kind,
            order: None,
            hash: Some(ContentHash::of(b"x")),
        };
        line_of(Event::Shelved { file }, Some(kept))
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
        let path = format!("files/{}", ContentHash::of(b"x"));
        let shelved = shelved(1, "a\"><b>.txt", FileKind::File, &path);
        assert!(shelved.json(false).contains(&format!("\"kept\":\"{path}\"")));
        let page = transcript_page(&[said(&[], "<script>&"), shelved], 7, false);
        assert!(page.contains("anna: &lt;script&gt;&amp;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("The first 7 events"));
        assert!(page.contains(&format!("<a href=\"{path}\" download=\"a___b_.txt\">")), "{page}");
        assert!(!page.contains("<h2>"), "{page}");
    }

    #[test]
    fn the_page_lists_measurements_with_their_reports() {
        let name = |text| Name::new(text).unwrap();
        let figures = OrderFigures { sent: 9, on_time: 9, ..OrderFigures::default() };
        let summary = OrderSummary {
            order: 4,
            by: name("anna"),
            from: name("bea"),
            to: name("carl"),
            terms: OrderTask::Ping(OrderTerms { count: 9, interval_us: 1_000, size: 80 }),
            ports: None,
            results: vec![HostResult { host: name("bea"), to_room: false, figures }],
            hosts: Vec::new(),
            runs: vec![2],
        };
        let lines = [
            shelved(1, "other", FileKind::Run, "runs/other"),
            shelved(2, "order-4", FileKind::Run, "runs/order-4 (2)"),
            line_of(Event::Measured(summary), None),
        ];
        assert!(lines[2].json(false).contains("\"event\":\"measured\",\"from\":\"bea\""));
        let page = transcript_page(&lines, 0, false);
        let item =
            "<li>#4 bea to carl; 9 sent, 9 on time <a href=\"runs/order-4 (2)/report.html\">report</a></li>";
        assert!(page.contains(item), "{page}");
        // The measurement itself is no line of the talk.
        assert_eq!(page.matches("<p class").count(), 2, "{page}");
    }
}
