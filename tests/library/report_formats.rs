//! `udpecho report --format`: which form is written where.

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// The sample of the repository, in a folder of its own.
fn run() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/sample");
    std::fs::create_dir(home.path().join("run")).unwrap();
    for name in ["run.json", "probes.csv"] {
        std::fs::copy(sample.join(name), home.path().join("run").join(name)).unwrap();
    }
    home
}

fn report(home: &TempDir, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("udpecho").unwrap();
    command.current_dir(home.path()).args(["report", "run"]).args(arguments).assert()
}

#[test]
fn each_form_has_its_place_in_the_folder() {
    let home = run();
    for (format, begins) in [("png", "\u{89}PNG"), ("svg", "<svg "), ("html", "<!doctype html>")] {
        let said = report(&home, &["--format", format]).code(0);
        let file = home.path().join("run").join(format!("report.{format}"));
        let bytes = std::fs::read(&file).unwrap();
        let begins: Vec<u8> = begins.chars().map(|c| c as u8).collect();
        assert!(bytes.starts_with(&begins), "{format}");
        let place = String::from_utf8_lossy(&said.get_output().stderr).into_owned();
        assert!(place.trim_end().ends_with(&format!("report.{format}")), "{place}");
    }
}

#[test]
fn the_ending_of_a_name_tells_the_form_unless_it_is_said() {
    let home = run();
    report(&home, &["-o", "page.html"]).code(0);
    report(&home, &["-o", "page.SVG"]).code(0);
    report(&home, &["-o", "page", "--format", "html"]).code(0);
    report(&home, &["-o", "odd.svg", "--format", "html"]).code(0);
    let begins = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap()[..5].to_owned();
    assert_eq!(
        ["page.html", "page.SVG", "page", "odd.svg"].map(begins),
        ["<!doc", "<svg ", "<!doc", "<!doc"]
    );
}

#[test]
fn a_page_may_go_to_standard_output_and_be_dark() {
    let home = run();
    let written = report(&home, &["-o", "-", "--format", "html", "--dark"]).code(0);
    let page = String::from_utf8(written.get_output().stdout.clone()).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("@media (prefers-color-scheme"));
    report(&home, &["--format", "gif"]).code(2);
}

#[test]
fn an_unsupported_ending_is_refused_and_the_supported_ones_are_named() {
    let home = run();
    let refused = report(&home, &["-o", "foo.pdf"]).code(2);
    let why = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(
        why.contains("a report is .png, .svg, .html or .om, not .pdf") && why.lines().count() == 1,
        "{why}"
    );
    assert!(!home.path().join("foo.pdf").exists());
}
