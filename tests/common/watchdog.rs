//! Ends a test crate in which a test hangs, by the test's name, with the programs that it had started.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

/// A test that calls no helper for so many seconds hangs; the slowest takes half a minute.
const BOUND: u32 = 300;

/// For each test thread, the seconds since it last called a helper.
static QUIET: LazyLock<Mutex<BTreeMap<String, u32>>> = LazyLock::new(|| {
    thread::spawn(watch);
    Mutex::default()
});
static CHILDREN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

thread_local! {
    static WATCHED: Watched = Watched(thread::current().name().map(str::to_owned));
}

/// The name of a test's thread, which is watched until the thread ends.
struct Watched(Option<String>);

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(name), Ok(mut quiet)) = (&self.0, QUIET.lock()) {
            quiet.remove(name);
        }
    }
}

/// The test on this thread makes progress. Threads without a name belong to a test that is watched.
pub fn progress() {
    WATCHED.with(|Watched(name)| {
        if let Some(name) = name {
            QUIET.lock().expect("the watchdog's lock").insert(name.clone(), 0);
        }
    });
}

/// A program that is to end with the test crate.
pub fn started(pid: u32) {
    progress();
    CHILDREN.lock().expect("the watchdog's lock").insert(pid);
}

pub fn ended(pid: u32) {
    CHILDREN.lock().expect("the watchdog's lock").remove(&pid);
}

fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let mut quiet = QUIET.lock().expect("the watchdog's lock");
        quiet.values_mut().for_each(|seconds| *seconds += 1);
        if let Some((name, _)) = quiet.iter().find(|(_, seconds)| **seconds >= BOUND) {
            let line = format!("\n{name} hangs: no progress for {BOUND} seconds\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            for pid in &*CHILDREN.lock().expect("the watchdog's lock") {
                let _ = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
            }
            std::process::exit(101);
        }
    }
}
