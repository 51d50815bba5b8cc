//! The rooms see each other in one direction only, and what is confined stays confined.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const BASE: &[&str] = &["endpoints", "meter", "printable", "rng", "strict_toml", "time", "units", "wilson"];

/// What each room may see besides the base and itself.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("endpoints", &[]),
    ("meter", &[]),
    ("printable", &[]),
    ("rng", &[]),
    ("strict_toml", &[]),
    ("time", &[]),
    ("units", &[]),
    ("wilson", &[]),
    ("wire", &[]),
    ("schedule", &[]),
    ("impair", &[]),
    ("reflect", &["wire", "schedule", "impair"]),
    ("probe", &["wire", "schedule", "impair"]),
    ("sim", &["wire", "schedule", "impair", "reflect", "probe", "relay"]),
    ("stats", &["probe"]),
    ("host", &[]),
    ("relay", &["impair"]),
    ("room", &["wire"]),
    ("record", &["impair", "relay", "probe", "stats", "host"]),
    ("report", &["impair", "relay", "probe", "stats", "record", "host"]),
    ("fleet", &["probe", "stats"]),
    ("live", &["fleet", "schedule", "reflect", "relay", "room", "probe", "stats", "record", "report"]),
    ("net", &["impair", "reflect", "relay", "probe", "host", "room"]),
];

/// The rooms that nothing restricts: the top, and the two roots of the crate.
const FREE: &[&str] = &["cli", "lib", "main"];

#[test]
fn rooms_see_only_what_they_may() {
    let allowed: BTreeMap<_, _> = MAY_SEE.iter().copied().collect();
    let mut broken = Vec::new();
    for file in sources() {
        let room = room_of(&file);
        if FREE.contains(&room.as_str()) {
            continue;
        }
        let sees = allowed.get(room.as_str()).unwrap_or_else(|| panic!("a room without a rule: {room}"));
        for seen in rooms_named_in(&read(&file)) {
            if seen != room && !BASE.contains(&seen.as_str()) && !sees.contains(&seen.as_str()) {
                broken.push(format!("{}: {room} sees {seen}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_permission_is_used() {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for file in sources() {
        let room = room_of(&file);
        used.extend(rooms_named_in(&read(&file)).into_iter().map(|seen| (room.clone(), seen)));
    }
    let given = MAY_SEE.iter().flat_map(|(room, sees)| sees.iter().map(move |seen| (*room, *seen)));
    let is_unused = |(room, seen): &(&str, &str)| !used.contains(&((*room).to_owned(), (*seen).to_owned()));
    let unused: Vec<_> = given.filter(is_unused).collect();
    assert!(unused.is_empty(), "these may see and do not: {unused:?}");
}

/// Files that import from each other. Each is a fault to mend: the list gets shorter, never longer.
const KNOWN_CIRCLES: &[&[&str]] = &[];

#[test]
fn files_import_in_one_direction_only() {
    let relative =
        |file: &Path| file.strip_prefix(src()).expect("a file of src").to_string_lossy().into_owned();
    let modules = imports::Modules::new(sources().iter().map(|file| (relative(file), read(file))));
    let known: BTreeSet<BTreeSet<String>> =
        KNOWN_CIRCLES.iter().map(|circle| circle.iter().map(|&file| file.to_owned()).collect()).collect();
    let circles = modules.circles();
    let new: Vec<_> = circles.difference(&known).collect();
    assert!(new.is_empty(), "import circles: {new:#?}");
    let mended: Vec<_> = known.difference(&circles).collect();
    assert!(mended.is_empty(), "no longer circles, take them off the list: {mended:#?}");
}

#[test]
fn every_rule_is_about_a_room_that_exists() {
    let rooms: Vec<String> = sources().iter().map(|file| room_of(file)).collect();
    for (room, _) in MAY_SEE {
        assert!(rooms.iter().any(|known| known == room), "there is no room {room}");
    }
}

#[test]
fn unsafe_code_stays_in_the_system_room() {
    for file in sources() {
        let confined = file.starts_with(src().join("net/sys"));
        let text = read(&file);
        let allowed = text.contains("allow(unsafe_code)");
        assert!(confined || !allowed, "{} allows unsafe code", file.display());
    }
}

#[test]
fn the_clock_and_the_sockets_stay_at_the_edge() {
    let clock = ["std::time::Instant", "SystemTime"];
    let sockets = ["UdpSocket", "socket2", "libc::", "tokio::", "axum::"];
    for file in sources() {
        let text = read(&file);
        let named = |words: &[&str]| words.iter().any(|word| text.contains(word));
        assert!(file.ends_with("net/clock.rs") || !named(&clock), "{} names a clock", file.display());
        assert!(room_of(&file) == "net" || !named(&sockets), "{} names a socket", file.display());
        let may_allow = ["net/clock.rs", "record/mod.rs"].iter().any(|exempt| file.ends_with(exempt));
        assert!(may_allow || !named(&["disallowed_"]), "{} allows what clippy.toml forbids", file.display());
    }
}

#[test]
fn only_the_command_line_prints() {
    for file in sources() {
        let text = read(&file);
        let prints = ["println!", "print_stdout", "print_stderr", "io::stdout", "io::stderr"];
        let named = prints.iter().find(|word| text.contains(**word));
        assert!(room_of(&file) == "cli" || named.is_none(), "{}: {named:?}", file.display());
    }
}

#[test]
fn every_file_begins_with_its_contract() {
    for file in sources() {
        assert!(read(&file).starts_with("//! "), "{} does not say what it is", file.display());
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn sources() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                collect(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    collect(&src(), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The first part of its path below `src`, without the ending.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(src()).expect("a file of src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// Every room named as `crate::room` or within `crate::{room, ...}`.
fn rooms_named_in(text: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => rooms.push(name(std::mem::take(&mut item).trim())),
                _ => item.push(c),
            }
        }
        rooms.push(name(item.trim()));
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

#[test]
fn the_reader_of_use_lines_sees_groups_too() {
    let text =
        "use crate::wire::{a, b};\nuse crate::{time, rng::{Seed, Stream}, probe::Client};\ncrate::net::x()";
    assert_eq!(rooms_named_in(text), ["wire", "time", "rng", "probe", "net"]);
}

#[test]
fn every_file_of_the_test_crates_is_compiled() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for krate in ["library", "program"] {
        let main = fs::read_to_string(tests.join(krate).join("main.rs")).expect("a test crate's root");
        for entry in fs::read_dir(tests.join(krate)).expect("a test crate's folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let is_listed = main.lines().any(|line| line == format!("mod {name};"));
            assert!(name == "main" || is_listed, "tests/{krate}/main.rs does not list {name}");
        }
    }
}
