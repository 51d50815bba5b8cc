//! What is written about the program is held to the program.
//!
//! `UPDATE_DOCUMENTS=1 cargo test --test program documents::` writes the man pages and the sample's figures and picture anew.

mod irtt;
mod protocol;
#[path = "../../common/whole_run.rs"]
mod whole_run;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use udpecho::cli;
use udpecho::impair::profiles;
use udpecho::record::{Clock, Folder, Summary};
use udpecho::report::{ChartData, Theme, chart, png};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A page for users: its path below the repository, and its text.
struct Page {
    path: String,
    text: String,
}

/// The README and the pages of `docs/`.
fn pages() -> Vec<Page> {
    let entries = fs::read_dir(file("docs")).expect("docs");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut paths: Vec<String> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    paths.push("README.md".to_owned());
    paths.sort();
    let read = |path: String| Page { text: fs::read_to_string(file(&path)).expect(&path), path };
    paths.into_iter().map(read).collect()
}

impl Page {
    /// The commands in its blocks of code, as the program would get them; what follows a pipe or names a file to write is left out.
    fn commands(&self) -> Vec<String> {
        let blocks = self.text.split("```").skip(1).step_by(2);
        let lines = blocks.flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap_or(line));
        let typed = lines.map(|line| line.replace("cargo run --release -- ", "udpecho "));
        let ours = typed.filter(|line| line.starts_with("udpecho "));
        let first = |line: String, end: &str| line.split(end).next().unwrap_or_default().to_owned();
        ours.map(|line| first(first(line, " | "), " > ")).collect()
    }

    /// Where its links and pictures lead, without those to the web and to its own headings.
    fn links(&self) -> impl Iterator<Item = PathBuf> {
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
        let folder = file(&self.path).parent().expect("a folder").to_owned();
        local.map(move |target| folder.join(target))
    }
}

#[test]
fn the_example_of_the_crate_runs() {
    whole_run::about_one_probe_in_ten_is_lost_by_default().unwrap();
}

#[test]
fn every_command_of_the_readme_and_of_docs_is_understood() {
    let mut count = 0;
    for page in pages() {
        for command in page.commands() {
            count += 1;
            if let Err(error) = cli::parse(words(&command)) {
                // A page may show how a command is refused.
                let refusal = error.to_string().replacen("error: ", "udpecho: ", 1);
                let shown = refusal.lines().next().is_some_and(|line| page.text.contains(line));
                assert!(shown, "{}: {command}: {error}", page.path);
            }
        }
    }
    assert!(count >= 40, "the pages show {count} commands");
}

#[test]
fn the_page_on_emulation_shows_the_profiles_of_today() {
    let page = fs::read_to_string(file("docs/emulate.md")).expect("docs/emulate.md");
    let shown = page.split("$ udpecho profiles\n").nth(1).and_then(|rest| rest.split("```").next());
    let told =
        profiles().iter().map(|profile| format!("{} {} {}", profile.name, profile.spec, profile.about));
    let told: Vec<String> =
        told.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(shown.expect("the list").split_whitespace().collect::<Vec<_>>(), told);
}

#[test]
fn every_link_of_the_readme_and_of_docs_leads_to_a_file() {
    for page in pages() {
        for link in page.links() {
            assert!(link.exists(), "{}: {}", page.path, link.display());
        }
    }
}

#[test]
fn the_index_of_docs_names_every_page_and_the_readme_every_task() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == "docs/README.md").expect("the index");
    for page in &pages {
        let name = page.path.strip_prefix("docs/").filter(|name| *name != "README.md");
        assert!(name.is_none_or(|name| index.text.contains(&format!("]({name})"))), "{}", page.path);
    }
    let readme = pages.iter().find(|page| page.path == "README.md").expect("the README");
    for task in ["measure", "emulate", "live", "scripting", "compare", "security"] {
        assert!(readme.text.contains(&format!("](docs/{task}.md)")), "{task}");
    }
    let lines = readme.text.lines().count();
    assert!(lines <= 110, "the README has {lines} lines: two screens are enough");
}

#[test]
fn every_command_of_the_examples_is_understood() {
    let mut count = 0;
    for name in ["classroom.md", "github-actions.yml", "quic-under-the-proxy.sh", "compose/compose.yml"] {
        let text = fs::read_to_string(file("contrib/examples").join(name)).expect(name);
        for line in text.lines().map(str::trim_start) {
            let service = line.strip_prefix("command: ").map(|words| format!("udpecho {words}"));
            let Some(command) = service.or_else(|| line.starts_with("udpecho ").then(|| line.to_owned()))
            else {
                continue;
            };
            count += 1;
            // The shell fills these in.
            let command = command.replace("$SERVER", "192.0.2.10").replace("\"${client[@]}\"", "true");
            if let Err(error) = cli::parse(words(&command)) {
                panic!("{name}: {command}: {error}");
            }
        }
    }
    assert!(count >= 11, "the examples have {count} commands");
}

/// SECURITY.md names a test for each promise.
#[test]
fn every_promise_of_security_has_a_test() {
    let page = fs::read_to_string(file("SECURITY.md")).expect("SECURITY.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let named: BTreeSet<&str> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert!(named.len() >= 20, "{named:?}");
    let mut found = BTreeSet::new();
    let mut folders = vec![file("src"), file("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let names = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
                found.extend(names.filter_map(|name| named.get(name).copied()));
            }
        }
    }
    assert_eq!(named.difference(&found).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn the_service_starts_what_is_understood() {
    let units = ["contrib/udpecho.service", "contrib/udpecho-watch.service"];
    let units = units.map(|unit| fs::read_to_string(file(unit)).expect("the unit")).concat();
    let starts: Vec<&str> = units
        .lines()
        .filter_map(|line| line.split_once("ExecStart=/usr/local/bin/"))
        .map(|(_, command)| command)
        .collect();
    assert_eq!(starts.len(), 4);
    for start in starts {
        if let Err(error) = cli::parse(words(start)) {
            panic!("{start}: {error}");
        }
    }
}

/// As a shell splits them: quotes keep spaces.
fn words(command: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (index, part) in command.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(OsString::from));
        }
    }
    words
}

#[test]
fn every_option_that_the_readme_and_docs_name_exists() {
    let mut known: BTreeSet<String> = ["--help", "--version"].map(str::to_owned).into();
    // Of cargo, containers, irtt and promtool.
    known.extend(
        [
            "--release",
            "--locked",
            "--open",
            "--path",
            "--no-default-features",
            "--features",
            "--twice",
            "--rm",
            "--now",
            "--network",
            "--hmac",
            "--sfill",
            "--max-block-duration",
        ]
        .map(str::to_owned),
    );
    for command in cli::command().get_subcommands() {
        known.extend(command.get_arguments().filter_map(|a| a.get_long()).map(|long| format!("--{long}")));
    }
    for page in pages() {
        let words = page.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let named = words.filter(|word| word.starts_with("--") && !word.trim_matches('-').is_empty());
        let unknown: BTreeSet<&str> = named.filter(|word| !known.contains(*word)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", page.path);
    }
}

#[test]
fn the_man_pages_are_those_of_the_command_line() {
    let folder = file("contrib/man");
    let pages = man_pages();
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("contrib/man");
        pages.iter().for_each(|(name, page)| fs::write(folder.join(name), page).expect("a man page"));
    }
    let entries = fs::read_dir(&folder).expect("contrib/man");
    let kept = entries.map(|entry| entry.expect("an entry").path());
    let kept: BTreeMap<String, Vec<u8>> = kept
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            (name, fs::read(&path).expect("a man page"))
        })
        .collect();
    let differ: Vec<&String> =
        pages.keys().chain(kept.keys()).filter(|&name| pages.get(name) != kept.get(name)).collect();
    assert!(
        differ.is_empty(),
        "{differ:?} of contrib/man differ: UPDATE_DOCUMENTS=1 cargo test --test program documents::"
    );
}

/// The sample is read by today's reader, its figures are those of its rows, and its picture is the
/// one that would be drawn today.
#[test]
fn the_sample_run_is_of_todays_form() {
    let folder = Folder::open(&file("results/sample")).expect("results/sample");
    let mut run = folder.read_run().expect("its run.json");
    let mut data = ChartData::new(&run);
    for row in folder.probe_reader().expect("its probes.csv") {
        let probe = row.expect("a row");
        data.push(&probe, |_| {});
    }
    let update = std::env::var_os("UPDATE_DOCUMENTS").is_some();
    if update {
        (run.clock, run.summary) = (Clock::of(&data.statistics), Some(Summary::of(&data.statistics)));
        folder.write_run(&run).expect("its run.json");
    }
    assert_eq!(run.summary.as_ref(), Some(&Summary::of(&data.statistics)));
    let picture = png::rasterise(&chart::svg(&run, &data, Theme::Light)).expect("a picture");
    if update {
        fs::write(folder.file("report.png"), &picture).expect("the picture");
    }
    let kept = fs::read(folder.file("report.png")).expect("its report.png");
    assert!(kept == picture, "results/sample/report.png is not as it would be drawn today");
    assert!(folder.file("seconds.csv").is_file());
}

/// By file name: a page for the program, and one for each command.
fn man_pages() -> BTreeMap<String, Vec<u8>> {
    let mut program = cli::command();
    program.build();
    let commands = program.get_subcommands().filter(|command| command.get_name() != "help");
    let of_commands = commands.map(|command| {
        let title = format!("udpecho-{}", command.get_name());
        let command = command.clone().long_version(None::<&str>);
        let man = clap_mangen::Man::new(command).title(title.to_uppercase()).date("").manual("udpecho");
        let mut page = Vec::new();
        man.render(&mut page).unwrap();
        (format!("{title}.1"), page)
    });
    let program = program.clone().long_version(None::<&str>);
    let man = clap_mangen::Man::new(program).date("").manual("udpecho");
    let mut page = Vec::new();
    man.render(&mut page).unwrap();
    [("udpecho.1".to_owned(), page)].into_iter().chain(of_commands).collect()
}
