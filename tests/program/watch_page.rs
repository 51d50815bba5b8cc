//! The page of `watch` in a real browser: the verdict, the matrix of paths, the past of a target.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::chromium::{Chromium, Screen, Tab};
use crate::common::process::{Process, Serve, command, run};
use crate::live::web::{body, free_tcp_port, get, page_of};

const DESKTOP: Screen = Screen { width: 1280, height: 900, phone: false, dark: false };
const PHONE: Screen = Screen { width: 390, height: 844, phone: true, dark: true };

/// A mesh of racks of ten hosts, each with ten peers, in which the host n3 loses what it is sent. The last host has a
/// name without the domain of the others. The page reads no other mesh from then on.
const MADE: &str = "(hosts) => {
  const host = (_, at) => ({ name: at === hosts - 1 ? 'observer' : `n${at}.example.net`, rack: `r${Math.floor(at / 10)}`, zone: '', page: null });
  const mesh = { version: 1, monitors: hosts, hosts: Array.from({ length: hosts }, host), paths: [] };
  for (let from = 0; from < hosts; from++) for (let step = 1; step <= Math.min(10, hosts - 1); step++) {
    const to = (from + step) % hosts;
    mesh.paths.push([from, to, 240, to === 3 ? 12 : 0, from === 5 && to === 3 ? 12 : 0, 0, 400]);
  }
  fleet.asked = Infinity;
  matrix.made ??= matrix.show;
  // The answer to an earlier question may still come.
  matrix.show = () => {};
  matrix.opened = null;
  matrix.made(mesh, 'n0.example.net');
}";

fn is_as_wide_as_the_screen(browser: &mut Chromium, tab: &Tab) {
    let [page, screen] =
        ["document.documentElement.scrollWidth", "innerWidth"].map(|what| browser.evaluate(tab, what));
    assert_eq!(page, screen, "nothing but tables scrolls sideways");
}

#[test]
fn a_browser_shows_the_verdict_each_path_and_the_past_of_a_target() {
    crate::needs!(Chromium);
    let (clean, lossy, folder) =
        (Serve::start("--clean"), Serve::start("--loss nth:4"), TempDir::new().unwrap());
    let words = format!(
        "watch -q -i 20ms --http 0 127.0.0.1:{} localhost:{} no-such-host.invalid:9",
        clean.port, lossy.port
    );
    let mut watching = Process::spawn(command(folder.path(), &words));
    let url = format!("http://127.0.0.1:{}/", page_of(&mut watching));
    let mut browser = Chromium::start();
    for screen in [DESKTOP, PHONE] {
        let tab = browser.open(&url, screen);
        browser.wait_for(
            &tab,
            "document.querySelector('#verdict p')?.textContent.startsWith('nothing: 4 paths')",
        );
        browser.wait_for(
            &tab,
            "document.querySelector('#verdict p.hint')?.textContent === 'not measured: no-such-host.invalid has no address'",
        );
        browser.wait_for(&tab, "document.querySelectorAll('.tile').length === 3");
        // The one that does not answer is shown first.
        browser.evaluate(
            &tab,
            "[...document.querySelectorAll('.tile')].find((tile) => tile.textContent.includes('localhost')).click()",
        );
        // A server's own injection is nobody's fault, but it stands in its lane.
        browser.wait_for(
            &tab,
            "document.querySelector('#lanes .injected') && document.querySelector('#smoke .smoke')",
        );
        browser.evaluate(
            &tab,
            "[...document.querySelectorAll('.tile')].find((tile) => tile.textContent.includes('127.0.0.1')).click()",
        );
        browser.wait_for(&tab, &format!("document.getElementById('past-title').textContent === '127.0.0.1:{} (default): the past hour'", clean.port));
        browser.wait_for(
            &tab,
            "document.getElementById('past-now').textContent.includes(' to 127.0.0.1: none of ')",
        );
        browser.wait_for(
            &tab,
            "!document.querySelector('#lanes rect') && document.querySelector('#smoke .smoke')",
        );
        browser.evaluate(&tab, "document.querySelector('[data-span=week]').click()");
        browser.wait_for(&tab, "document.getElementById('past-title').textContent.endsWith('the past week')");
        is_as_wide_as_the_screen(&mut browser, &tab);
    }
    assert_eq!(browser.console, Vec::<String>::new());
}

#[test]
fn the_matrix_has_a_glyph_for_each_path_and_racks_where_there_are_many_hosts() {
    crate::needs!(Chromium);
    let (server, folder) = (Serve::start("--clean"), TempDir::new().unwrap());
    let words = format!("watch -q -i 20ms --http 0 127.0.0.1:{}", server.port);
    let mut watching = Process::spawn(command(folder.path(), &words));
    let url = format!("http://127.0.0.1:{}/", page_of(&mut watching));
    let mut browser = Chromium::start();
    for screen in [DESKTOP, PHONE] {
        let tab = browser.open(&url, screen);
        browser.wait_for(&tab, "document.querySelector('.tile')");
        let hidden = browser.evaluate(&tab, "escape('<a\\u202eb\\u0007\\u00e9')");
        assert_eq!(hidden, "&#60;a\\u{202e}b\\u{7}é", "a name that hides something");
        let glyphs = |of: &str| {
            format!("[...document.querySelectorAll('{of}')].map((cell) => cell.textContent).join('')")
        };
        for (hosts, into, cells) in [(6, 5, 36), (60, 10, 3_600)] {
            browser.evaluate(&tab, &format!("({MADE})({hosts})"));
            assert_eq!(
                browser.evaluate(&tab, "document.querySelectorAll('.matrix tbody td:not(.count)').length"),
                cells
            );
            let buffer = usize::from(hosts == 6);
            let lossy = browser.evaluate(&tab, &glyphs(".matrix .s2"));
            let lossy = lossy.as_str().unwrap();
            assert_eq!(lossy.chars().filter(|glyph| *glyph == '◆').count(), buffer, "{lossy}");
            assert_eq!(
                lossy.chars().filter(|glyph| *glyph == '▂' || *glyph == '▄').count(),
                into - buffer,
                "{lossy}"
            );
            assert_eq!(
                browser.evaluate(&tab, &glyphs(".matrix thead th:nth-child(4)")),
                "n2",
                "without the domain"
            );
            is_as_wide_as_the_screen(&mut browser, &tab);
        }
        browser.evaluate(&tab, &format!("({MADE})(600)"));
        let racks = "document.querySelectorAll('.matrix tbody td:not(.count)').length";
        assert_eq!(browser.evaluate(&tab, racks), 3_600);
        let lossy = browser.evaluate(&tab, &glyphs(".matrix tfoot .count:nth-child(2)"));
        assert_eq!(lossy, "10/100", "of the paths to the rack of n3");
        browser.evaluate(&tab, "document.querySelector('.matrix td[data-from=r0][data-to=r0]').click()");
        assert_eq!(
            browser.evaluate(&tab, "document.querySelectorAll('.matrix tbody td:not(.count)').length"),
            100
        );
        browser
            .evaluate(&tab, "document.querySelector('.matrix td[data-from=\"2\"][data-to=\"3\"]').click()");
        let words = browser.evaluate(&tab, "document.getElementById('past-now').textContent");
        assert!(
            words.as_str().unwrap().starts_with("n2.example.net to n3.example.net: 5 % lost (12 of 240)"),
            "{words}"
        );
        browser.evaluate(&tab, "document.querySelector('#mesh-title button').click()");
        assert_eq!(browser.evaluate(&tab, racks), 3_600);
        is_as_wide_as_the_screen(&mut browser, &tab);
    }
    assert_eq!(browser.console, Vec::<String>::new());
}

#[test]
fn the_past_of_a_target_and_the_mesh_are_documents_and_others_are_not() {
    let (server, folder) = (Serve::start("--clean"), TempDir::new().unwrap());
    let words = format!("watch -q -i 20ms --http 0 127.0.0.1:{}", server.port);
    let mut watching = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut watching);
    let past = |span: &str| get(port, &format!("/api/past/default/127.0.0.1%3A{}/{span}", server.port));
    let read = |answer: &str| serde_json::from_str::<Value>(body(answer)).unwrap();
    let hour = loop {
        let answer = past("hour");
        if answer.starts_with("HTTP/1.1 200 ") && read(&answer)["periods"][0]["sent"].as_u64() > Some(5) {
            break read(&answer);
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(
        (&hour["target"], &hour["period"]),
        (&format!("127.0.0.1:{}", server.port).into(), &30.0.into())
    );
    let first = &hour["periods"][0];
    assert_eq!(
        (&first["not_on_time"], first["rtt_us"].as_array().unwrap().len()),
        (&serde_json::json!({}), 5)
    );
    assert!(past("year").starts_with("HTTP/1.1 404 "));
    assert!(get(port, "/api/past/default/nobody/hour").starts_with("HTTP/1.1 404 "));
    assert!(get(port, "/api/none.json").starts_with("HTTP/1.1 404 "));
    let mesh = read(&get(port, "/api/mesh.json"));
    assert_eq!(mesh["monitors"], 1, "{mesh}");
}

/// Two monitors, each the target of the other: the page of either has the paths of both.
#[test]
fn a_page_reads_those_of_its_peers_and_has_the_matrix_of_all() {
    let (server, folder) = (Serve::start("--clean"), TempDir::new().unwrap());
    let http = free_tcp_port();
    let ends = [("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")];
    let mut monitors = ends.map(|(own, other)| {
        let text = format!(
            "name = '{own}'\nlabels = {{ rack = 'r-{own}' }}\n[[group]]\nname = 'mesh'\ninterval = '20ms'\n\
             targets = ['{other}:{}']\n",
            server.port
        );
        std::fs::write(folder.path().join(format!("{own}.toml")), text).unwrap();
        let words = format!("watch -q -f {own}.toml --http {own}:{http} --peer-pages {http}");
        Process::spawn(command(folder.path(), &words))
    });
    monitors.iter_mut().for_each(|monitor| drop(monitor.remark_with("see http://")));
    let mesh = loop {
        let mesh: Value = serde_json::from_str(body(&get(http, "/api/mesh.json"))).unwrap();
        let sent = |at: usize| mesh["paths"][at][2].as_u64() > Some(5);
        if mesh["monitors"] == 2 && sent(0) && sent(1) {
            break mesh;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(mesh["paths"].as_array().unwrap().len(), 2, "{mesh}");
    assert_eq!(
        (&mesh["hosts"][1]["rack"], &mesh["hosts"][1]["page"]),
        (&"r-127.0.0.2".into(), &format!("http://127.0.0.2:{http}/").into())
    );
    let folder = TempDir::new().unwrap();
    let refused = run(command(folder.path(), "watch --peer-pages 9476 127.0.0.1"));
    assert_eq!(refused.code, Some(2), "without a page nobody sees them: {refused:#?}");
}
