//! The protocol's page says what the codecs do: its tables are compared with `src/wire`.

use std::fs;
use std::path::Path;

use udpecho::reflect::{REPLY_TTL, Settings};
use udpecho::wire::native::{
    Cookie, Hello, MAX_SIZE_V6, MIN_SIZE, Nonce, Open, OutcomeQuery, ProbeStatus, SPEC_MAX, Token, layouts,
};
use udpecho::wire::text;

pub fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    fs::read_to_string(file).expect("docs/protocol.md")
}

/// The first `columns` cells of each row of the tables below a heading; heads and rules are left out.
pub fn rows(page: &str, heading: &str, columns: usize) -> Vec<Vec<String>> {
    let section = page.split("\n### ").find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'));
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().expect("a first part");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').take(columns).map(|cell| cell.trim().to_owned()).collect()
    };
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| bytes"));
    lines.map(cells).collect()
}

#[test]
fn every_field_is_in_its_table_at_its_offset() {
    let page = page();
    for layout in layouts() {
        let heading = layout.kind.map_or(layout.name.clone(), |kind| format!("{} ({kind})", layout.name));
        let bytes = |at: &std::ops::Range<usize>| match at.end {
            usize::MAX => format!("{}-", at.start),
            end if end == at.start + 1 => at.start.to_string(),
            end => format!("{}-{}", at.start, end - 1),
        };
        let expected: Vec<Vec<String>> =
            layout.fields.iter().map(|(name, at)| vec![bytes(at), (*name).to_owned()]).collect();
        let mut found = rows(&page, &heading, 2);
        if layout.name == "Outcomes" {
            found.truncate(expected.len());
        }
        assert_eq!(found, expected, "{heading}");
    }
}

#[test]
fn every_status_has_its_number() {
    let numbered = rows(&page(), "Outcomes (10)", 2).into_iter().filter(|cells| cells[0].len() == 1);
    let expected =
        (0..8).map(|nibble: u8| vec![nibble.to_string(), format!("{:?}", ProbeStatus::from_nibble(nibble))]);
    assert_eq!(numbered.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn lengths_and_texts_on_the_page_are_those_of_the_codecs() {
    let page = page();
    let mut buffer = vec![0; 2048];
    let hello = Hello { nonce: Nonce(1) }.emit(&mut buffer);
    assert_eq!(hello, Cookie { nonce: Nonce(1), cookie: [0; 16] }.emit(&mut buffer));
    let open = Open {
        nonce: Nonce(1),
        cookie: [0; 16],
        size: MIN_SIZE,
        remember: 0,
        idle_secs: 0,
        first_seq: 0,
        requested_impairment: "",
    };
    let query = OutcomeQuery { token: Token(1), question: 0, first: 0, count: 0 }.emit(&mut buffer);
    for said in [
        format!("length of a `Cookie`, {hello} bytes"),
        format!("the largest of `size` and {} bytes", open.emit(&mut buffer)),
        format!("length of its reply, {query} bytes"),
        format!("{MIN_SIZE} to {},{:03}", MAX_SIZE_V6 / 1000, MAX_SIZE_V6 % 1000),
        format!("at most {SPEC_MAX} bytes"),
        format!("the first {MIN_SIZE} bytes of the message"),
        format!("TTL (hop limit) {REPLY_TTL}"),
        String::from_utf8(text::CALIBRATED.to_vec()).unwrap(),
        String::from_utf8(text::ACKNOWLEDGED.to_vec()).unwrap(),
        String::from_utf8(text::STOPPING.to_vec()).unwrap(),
    ] {
        assert!(page.contains(&said), "the page does not say: {said}");
    }
}

#[test]
fn the_limits_on_the_page_are_the_defaults_of_a_server() {
    let page = page();
    let with_comma = |number: u64| format!("{},{:03}", number / 1000, number % 1000);
    let Settings { max_sessions, max_source_sessions, max_idle, source_rate, unverified_rate, .. } =
        Settings::default();
    let rate = |rate: Option<u32>| format!("{}/s", with_comma(u64::from(rate.expect("a limit"))));
    for said in [
        format!("| {}, {} |", with_comma(max_sessions as u64), with_comma(max_source_sessions as u64)),
        format!("30 s to {} s |", with_comma(max_idle.as_nanos() as u64 / 1_000_000_000)),
        format!("| {}, {} |", rate(source_rate), rate(unverified_rate)),
    ] {
        assert!(page.contains(&said), "the page does not say: {said}");
    }
}
