//! `ping --find-rate` on loopback.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{Process, command, free_port, run, try_signal};
use crate::exports::schema::assert_is_run;

fn serve(folder: &TempDir, port: u16, rate: &str) -> Process {
    let mut server = Process::spawn(command(folder.path(), &format!("serve -p {port} --rate {rate}")));
    server.line_with("listening");
    server
}

/// Within 3 % of the rate, or at least that much where this machine was too busy to say more.
fn assert_near(found: &Value, rate: f64) {
    let payload = found["payload_bps"].as_f64().unwrap();
    assert!(payload < 1.03 * rate, "{payload}");
    assert!(payload > 0.97 * rate || is_limited_by_a_host(found), "{found}");
}

fn is_limited_by_a_host(found: &Value) -> bool {
    found["limited_by"] == "client" || found["limited_by"] == "server"
}

#[test]
fn the_rate_of_an_emulated_bottleneck_is_found_and_recorded() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let _server = serve(&folder, port, "2Mbit,queue=30k");
    let words =
        format!("ping -p {port} 127.0.0.1 --find-rate=echo --max-queue 20ms -o run --json --fail-rate 9Mbit");
    let found = run(command(folder.path(), &words));
    let shown: Value = serde_json::from_str(&found.stdout.join("\n")).unwrap();
    assert_is_run(&shown);
    assert_near(&shown["rate"]["echo"], 2e6);
    let recorded = std::fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&recorded).unwrap());
    let is_bound = !shown["rate"]["echo"]["limited_by"].is_null();
    assert_eq!(found.code, Some(if is_bound { 0 } else { 3 }), "{found:?}");
    let rows = std::fs::read_to_string(folder.path().join("run/rate.csv")).unwrap();
    assert!(rows.starts_with("time_us,direction,phase,asked_bps,"), "{rows}");
    for phase in ["climb", "hold", "settled"] {
        assert!(rows.contains(&format!("echo,{phase},")), "no row of {phase}");
    }
    // A host that is the limit ends the search before them.
    let filled = !is_limited_by_a_host(&shown["rate"]["echo"]);
    for phase in ["steps", "push"] {
        assert_eq!(rows.contains(&format!("echo,{phase},")), filled, "rows of {phase}");
    }
}

#[test]
fn nobody_there_is_exit_code_1_and_leaves_no_folder() {
    let folder = TempDir::new().unwrap();
    let words = format!("ping -p {} 127.0.0.1 --find-rate=echo", free_port());
    let ended = run(command(folder.path(), &words));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("is closed"), "{ended:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The JSON that `ping --find-rate` prints with these words.
fn measure(folder: &TempDir, port: u16, words: &str) -> Value {
    let found = run(command(folder.path(), &format!("ping -p {port} 127.0.0.1 {words} --json --no-record")));
    assert_eq!(found.code, Some(0), "{found:?}");
    let shown: Value = serde_json::from_str(&found.stdout.join("\n")).unwrap();
    assert_is_run(&shown);
    shown["rate"].clone()
}

#[test]
fn the_bottleneck_up_is_found_in_its_direction() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let _server = serve(&folder, port, "3Mbit,queue=40k --direction up");
    let rate = measure(&folder, port, "--find-rate=up");
    assert_near(&rate["up"], 3e6);
    assert!(rate["mode"] == "sequential" && rate["down"].is_null() && rate["echo"].is_null(), "{rate}");
}

#[test]
fn the_bottleneck_down_is_found_in_its_direction() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let _server = serve(&folder, port, "3Mbit,queue=40k --direction down");
    let rate = measure(&folder, port, "--find-rate=down");
    assert_near(&rate["down"], 3e6);
    assert!(rate["up"].is_null(), "{rate}");
}

#[test]
fn a_server_that_grants_no_load_is_told_with_what_helps() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let mut server = Process::spawn(command(folder.path(), &format!("serve --clean -p {port} --load none")));
    server.line_with("listening");
    for words in ["--find-rate", "--load 1Mbit -n 3"] {
        let ended = run(command(folder.path(), &format!("ping -p {port} 127.0.0.1 {words}")));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let why = &ended.stderr[0];
        assert!(why.contains("serve --load 1Gbit") && why.contains("--find-rate=echo"), "{why}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_client_too_busy_to_send_is_called_the_limit_and_never_a_lower_rate() {
    search_beside_a_hog("up");
}

#[test]
fn a_client_too_busy_to_receive_is_called_the_limit_and_never_a_lower_rate() {
    search_beside_a_hog("down");
}

/// The client is stopped for a third of the time, as by a hog on its core.
fn search_beside_a_hog(direction: &str) {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let _server = serve(&folder, port, &format!("4Mbit,queue=50k --direction {direction}"));
    let words = format!("ping -p {port} 127.0.0.1 --find-rate={direction} --json --no-record");
    let client = Process::spawn(command(folder.path(), &words));
    let (pid, (over, is_over)) = (client.pid(), std::sync::mpsc::channel::<()>());
    let hog = std::thread::spawn(move || {
        let timeout = Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        let wait = |millis| is_over.recv_timeout(std::time::Duration::from_millis(millis)) == timeout;
        while wait(400) && try_signal(pid, "STOP") {
            let goes_on = wait(200);
            try_signal(pid, "CONT");
            if !goes_on {
                break;
            }
        }
    });
    let ended = client.finish();
    drop(over);
    hog.join().unwrap();
    let shown: Value = serde_json::from_str(&ended.stdout.join("\n")).unwrap();
    let found = &shown["rate"][direction];
    let payload = found["payload_bps"].as_f64().unwrap();
    let is_right = (0.97..1.03).contains(&(payload / 4e6));
    let (is_limited, rate) = (is_limited_by_a_host(found), &shown["rate"]);
    assert!(is_right || is_limited, "{found}");
    assert!(!is_limited || found["pushed"].is_null() && rate["grade"].is_null(), "{rate}");
}

#[test]
fn probes_beside_a_steady_load_are_recorded_with_it() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let mut server = Process::spawn(command(folder.path(), &format!("serve --clean -p {port}")));
    server.line_with("listening");
    let when = "--load-after 500ms --load-for 1s";
    let words = format!("ping -p {port} 127.0.0.1 --load 2Mbit {when} -n 40 -i 50ms -W 1 -o run");
    let ended = run(command(folder.path(), &words));
    ended.assert_summed_up();
    let header = "a load of 2.00 Mbit/s up and down beside the probes, from 0.5 s to 1.5 s";
    assert!(ended.has_line(header) && ended.has_line("load on from "), "{ended:?}");
    assert!(ended.has_line("load up: ") && ended.has_line("load down: "), "{ended:?}");
    let recorded = std::fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    assert_is_run(&recorded);
    let load = &recorded["load"];
    assert!(load["asked_bps"] == 2e6 && load["ended"].is_null(), "{load}");
    let lasted = load["until_us"].as_f64().unwrap() - load["from_us"].as_f64().unwrap();
    assert!(lasted >= 1e6, "{load}");
    for direction in ["up", "down"] {
        // A busy machine sends late, and what is too late is not made up for.
        let sent = load[direction]["sent_bps"].as_f64().unwrap();
        assert!(0.0 < sent && sent < 2.1e6, "{load}");
        assert!(load[direction]["loss"].as_f64().unwrap() < 0.5, "{load}");
    }
    server.signal("INT");
    let totals = server.finish();
    assert!(totals.has_line("bytes of load sent"), "{totals:?}");
}
