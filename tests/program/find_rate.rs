//! `ping --find-rate` on loopback.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{Process, command, free_port, run};
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
    assert!(payload > 0.97 * rate || found["limited_by"] == "client", "{found}");
}

#[test]
fn the_rate_of_an_emulated_bottleneck_is_found_and_recorded() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let _server = serve(&folder, port, "2Mbit,queue=30k");
    let words = format!("ping -p {port} 127.0.0.1 --find-rate=echo -o run --json --fail-rate 9Mbit");
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
    for phase in ["climb", "hold", "settled", "steps", "push"] {
        assert!(rows.contains(&format!("echo,{phase},")), "no row of {phase}");
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
