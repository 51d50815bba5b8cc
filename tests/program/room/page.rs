//! The page in two browsers, beside somebody with `nc`: one room.

use serde_json::json;

use super::Room;
use crate::common::chromium::{Chromium, Screen};

const DESKTOP: Screen = Screen { width: 1280, height: 900, phone: false, dark: false };
const PHONE: Screen = Screen { width: 390, height: 844, phone: true, dark: true };

/// An expression that is true once the talk has this text.
fn talk_has(text: &str) -> String {
    format!("document.getElementById('log').textContent.includes({})", json!(text))
}

#[test]
fn two_browsers_and_a_netcat_meet_in_one_room() {
    crate::needs!(Chromium);
    let room = Room::start("");
    let url = format!("http://127.0.0.1:{}/", room.port);
    let mut chromium = Chromium::start();
    let desk = chromium.open(&url, DESKTOP);
    let phone = chromium.open(&url, PHONE);
    for tab in [&desk, &phone] {
        chromium.wait_for(tab, "document.body.innerText.startsWith('Not encrypted.')");
    }
    chromium.enter(&desk, "enter-name", "anna");
    chromium.wait_for(&desk, "document.getElementById('status').textContent === 'you are anna, member'");
    chromium.enter(&phone, "enter-name", "bea");
    chromium.wait_for(&phone, "document.getElementById('status').textContent === 'you are bea, member'");

    let mut carl = room.member("carl");
    carl.send("the path loses since noon\n");
    for tab in [&desk, &phone] {
        chromium.wait_for(tab, &talk_has("the path loses since noon"));
    }
    // A message to one, and text that would be markup or a command elsewhere.
    chromium.enter(&desk, "say-text", "@carl which kernel?");
    carl.line_with("anna to carl: which kernel?");
    chromium.enter(&phone, "say-text", "<img src=x onerror=alert(1)> \u{202e}tnanoitcerid \u{200d}");
    carl.line_with("bea: <img src=x onerror=alert(1)> \\u{202e}tnanoitcerid \\u{200d}");
    chromium.wait_for(&desk, &talk_has("<img src=x onerror=alert(1)> \\u{202e}tnanoitcerid \\u{200d}"));
    assert_eq!(chromium.evaluate(&desk, "document.querySelectorAll('img').length"), 0);
    assert!(chromium.evaluate(&phone, "document.body.innerText.includes('which kernel')") == false);
    let members = "[...document.querySelectorAll('#members .name')].map((name) => name.textContent)";
    assert_eq!(chromium.evaluate(&phone, members), json!(["anna", "bea (you)", "carl"]));

    // A file goes up here and comes down there.
    let folder = tempfile::tempdir().unwrap();
    let content = vec![7; 300_000];
    std::fs::write(folder.path().join("capture.pcapng"), &content).unwrap();
    chromium.choose_file(&phone, "upload-file", &folder.path().join("capture.pcapng"));
    chromium.wait_for(&desk, "document.querySelector('#files .name')?.textContent === 'capture.pcapng'");
    carl.line_with("-- bea put on the shelf: file 1: capture.pcapng, 300 kB");
    let fetched = "(async () => { const answer = await fetch('/room/files/' + await ticketFor(1)); \
         const bytes = new Uint8Array(await answer.arrayBuffer()); \
         return bytes.length + ' ' + bytes.every((byte) => byte === 7); })()";
    assert_eq!(chromium.evaluate(&desk, fetched), "300000 true");

    // After a reload the page is the same member, and shows what was said.
    chromium.reload(&desk);
    chromium.wait_for(&desk, "document.getElementById('status').textContent === 'you are anna, member'");
    chromium.wait_for(&desk, &talk_has("the path loses since noon"));
    for (name, tab, width) in [("desktop", &desk, DESKTOP.width), ("phone", &phone, PHONE.width)] {
        assert_eq!(chromium.evaluate(tab, "document.documentElement.scrollWidth"), width, "{name}");
        assert!(chromium.screenshot(tab).len() > 20_000, "{name}");
    }
    chromium.evaluate(&phone, "document.getElementById('leave').click()");
    carl.line_with("bea has left the chat.");
    assert!(chromium.console.is_empty(), "{:#?}", chromium.console);
}

#[test]
fn the_form_measures_a_path_and_checks_its_ports() {
    crate::needs!(Chromium);
    let room = Room::start("");
    let folder = tempfile::tempdir().unwrap();
    let _hosts = ["bea", "carl"].map(|name| room.agent(folder.path(), &format!("--name {name}")));
    let mut chromium = Chromium::start();
    let tab = chromium.open(&format!("http://127.0.0.1:{}/", room.port), PHONE);
    chromium.enter(&tab, "enter-name", "anna");
    chromium.wait_for(&tab, "document.getElementById('measure-to').value === 'carl'");
    let shown = "[...document.querySelectorAll('#measure label')].filter((one) => !one.hidden).map((one) => one.firstChild.textContent.trim())";
    assert_eq!(chromium.evaluate(&tab, shown), json!(["from", "to", "what", "probes", "every"]));
    let choose = |what: &str| {
        format!(
            "(() => {{ const list = document.getElementById('measure-what'); list.value = '{what}'; \
             list.dispatchEvent(new Event('change')); }})()"
        )
    };
    chromium.evaluate(&tab, &choose("udp"));
    assert_eq!(chromium.evaluate(&tab, shown), json!(["from", "to", "what", "ports"]));
    assert_eq!(chromium.evaluate(&tab, "document.documentElement.scrollWidth"), PHONE.width);
    let submit = "document.getElementById('measure').requestSubmit()";
    chromium.evaluate(&tab, submit);
    chromium.wait_for(&tab, &talk_has("#1 bea to carl: UDP ports 33000-33009, 5 s at most. carl accepts"));
    chromium.wait_for(&tab, &talk_has("#1 UDP ports 33000-33009: "));
    let news = "document.getElementById('measure-news').textContent";
    let told = chromium.evaluate(&tab, news);
    assert!(told.as_str().unwrap().starts_with("#1 UDP ports 33000-33009: "), "{told}");
    chromium.evaluate(&tab, "document.getElementById('measure-ports').value = '600-1200'");
    chromium.evaluate(&tab, submit);
    chromium.wait_for(&tab, &format!("{news} === 'an order asks at most 512 ports'"));
    chromium.evaluate(&tab, &choose("path"));
    chromium.evaluate(&tab, "document.getElementById('measure-count').value = '5'");
    chromium.evaluate(&tab, submit);
    chromium.wait_for(&tab, &talk_has("#2 5 sent"));
    assert!(chromium.console.is_empty(), "{:#?}", chromium.console);
}
