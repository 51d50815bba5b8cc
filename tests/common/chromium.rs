//! Chromium, driven as a person would: its debugging protocol over two pipes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Process;
use super::watchdog;

/// A browser without a window; ended when it is dropped.
pub struct Chromium {
    _process: Process,
    _folder: TempDir,
    to: File,
    from: BufReader<File>,
    last_id: u64,
    /// Errors, warnings and exceptions of all its pages.
    pub console: Vec<String>,
}

/// A tab of it.
pub struct Tab(String);

/// What the tab pretends to be shown on.
#[derive(Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub phone: bool,
    pub dark: bool,
}

impl Chromium {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let [to, from] = ["to", "from"].map(|name| folder.path().join(name));
        let made = Command::new("mkfifo").args([&to, &from]).status().unwrap();
        assert!(made.success(), "no pipes");
        let mut chromium = Command::new("sh");
        chromium.args(["-c", "exec chromium \"$@\" 3<to 4>from", "chromium", "--remote-debugging-pipe"]);
        chromium.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ]);
        // Chromium makes no connections of its own.
        chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        chromium.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
        chromium.current_dir(folder.path());
        let process = Process::spawn(chromium);
        // In this order the shell opens them, too.
        let to = File::options().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        Self { _process: process, _folder: folder, to, from, last_id: 0, console: Vec::new() }
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str, screen: Screen) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            self.call(None, "Target.attachToTarget", attached)["sessionId"].as_str().unwrap().to_owned();
        let tab = Tab(session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "DOM.enable"] {
            self.call(Some(&tab), domain, json!({}));
        }
        let Screen { width, height, phone, dark } = screen;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call(Some(&tab), "Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.call(Some(&tab), "Emulation.setEmulatedMedia", json!({ "features": [scheme] }));
        self.call(Some(&tab), "Page.navigate", json!({ "url": url }));
        self.wait_for(&tab, "document.readyState === 'complete' && location.protocol !== 'about:'");
        tab
    }

    /// Loads the page again, and waits for it.
    pub fn reload(&mut self, tab: &Tab) {
        self.evaluate(tab, "window.isOld = true");
        self.call(Some(tab), "Page.reload", json!({}));
        self.wait_for(tab, "!window.isOld && document.readyState === 'complete'");
    }

    /// The value of an expression, a promise's included.
    pub fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let what = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call(Some(tab), "Runtime.evaluate", what);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until the expression is true.
    pub fn wait_for(&mut self, tab: &Tab, expression: &str) {
        for _ in 0..600 {
            if self.evaluate(tab, &format!("Boolean({expression})")) == true {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let text = self.evaluate(tab, "document.body.innerText");
        panic!("never true: {expression}; {:#?}\n{}", self.console, text.as_str().unwrap_or_default());
    }

    /// Types into the element with this id, and presses Enter.
    pub fn enter(&mut self, tab: &Tab, id: &str, text: &str) {
        self.evaluate(tab, &format!("document.getElementById('{id}').focus()"));
        self.call(Some(tab), "Input.insertText", json!({ "text": text }));
        for (kind, text) in [("keyDown", "\r"), ("keyUp", "")] {
            let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": text });
            self.call(Some(tab), "Input.dispatchKeyEvent", key);
        }
    }

    /// Chooses a file in the input with this id.
    pub fn choose_file(&mut self, tab: &Tab, id: &str, file: &Path) {
        let document = self.call(Some(tab), "DOM.getDocument", json!({}));
        let root = &document["root"]["nodeId"];
        let input = self.call(
            Some(tab),
            "DOM.querySelector",
            json!({ "nodeId": root, "selector": format!("#{id}") }),
        );
        let files = json!({ "nodeId": input["nodeId"], "files": [file] });
        self.call(Some(tab), "DOM.setFileInputFiles", files);
    }

    /// A picture of the whole page as PNG, in base 64.
    pub fn screenshot(&mut self, tab: &Tab) -> String {
        // A tab in the background draws no frame for a minute or more where the machine is busy.
        self.call(Some(tab), "Page.bringToFront", json!({}));
        let picture =
            self.call(Some(tab), "Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        picture["data"].as_str().unwrap().to_owned()
    }

    fn call(&mut self, tab: Option<&Tab>, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(Tab(session)) = tab {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "chromium has ended");
            let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] == self.last_id {
                watchdog::progress();
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            let kinds = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
            if kinds.iter().any(|kind| answer["method"] == *kind) {
                self.console.push(answer["params"].to_string());
            }
        }
    }
}
