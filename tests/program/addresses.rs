//! A reply leaves from the address its probe came to: a host with several addresses, in a network
//! namespace of the test's own, answers on each of them from that very address.

#![cfg(target_os = "linux")]

use std::process::{Command, Output};

use crate::common::process::output;

/// Runs a script in a network namespace of its own that ends with it. Needs `unshare` and `ip`.
fn in_a_namespace(script: &str) -> Output {
    let udpecho = env!("CARGO_BIN_EXE_udpecho");
    let script = format!("set -eu; UDPECHO={udpecho}\n{script}");
    // Whatever the script starts ends with it.
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", &script]);
    output(unshare, "")
}

/// Starts a server and waits until it says that it serves.
fn serve(options: &str) -> String {
    format!(
        r#"
log=$(mktemp)
"$UDPECHO" serve -p 7007 {options} >"$log" &
until grep -q "^listening on" "$log"; do kill -0 $!; sleep 0.02; done
rm "$log"
"#
    )
}

/// Two addresses of each family; the client's sockets are connected, so that they hear no reply but
/// one from the address they sent to.
const ADDRESSES: &str = r#"
ip link set lo up
for address in 192.0.2.1/32 192.0.2.2/32; do ip address add $address dev lo; done
for address in 2001:db8::1/128 2001:db8::2/128; do ip address add $address dev lo nodad; done
"#;

const PING_ALL: &str = r#"
for address in 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2 127.0.0.9 ::1; do
    "$UDPECHO" ping -ip "$address" -port 7007 -n 3 -i 0.01 -W 2 --no-record -q | grep -o '^.*packets transmitted, [0-9]* received'
done
"#;

fn all_are_answered(options: &str) {
    let output = in_a_namespace(&format!("{ADDRESSES} {} {PING_ALL}", serve(options)));
    let answers = String::from_utf8_lossy(&output.stdout);
    let all = "3 packets transmitted, 3 received\n".repeat(6);
    assert_eq!(answers, all, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_wildcard_server_answers_from_the_address_that_was_asked() {
    crate::needs!(UserNamespace);
    all_are_answered("--clean");
}

#[test]
fn so_do_its_threads() {
    crate::needs!(UserNamespace);
    all_are_answered("--clean --threads 2");
}

#[test]
fn held_replies_too() {
    crate::needs!(UserNamespace);
    all_are_answered("--profile clean --delay constant:5ms");
}

#[test]
fn an_address_that_goes_and_comes_back_is_answered_as_before() {
    crate::needs!(UserNamespace);
    let output = in_a_namespace(&format!(
        r#"{ADDRESSES} {} {PING_ALL}
        ip address delete 192.0.2.1/32 dev lo; ip address delete 2001:db8::1/128 dev lo
        "$UDPECHO" ping -ip 192.0.2.2 -port 7007 -n 3 -i 0.01 -W 2 --no-record -q >/dev/null
        ip address add 192.0.2.1/32 dev lo; ip address add 2001:db8::1/128 dev lo nodad
        {PING_ALL}"#,
        serve("--clean")
    ));
    let all = "3 packets transmitted, 3 received\n".repeat(12);
    let answers = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answers, all, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_server_at_one_address_answers_there_only() {
    crate::needs!(UserNamespace);
    let output = in_a_namespace(&format!(
        r#"{ADDRESSES} {}
        "$UDPECHO" ping -ip 192.0.2.2 -port 7007 -n 1 -W 2 --no-record -q >/dev/null
        "$UDPECHO" ping -ip 192.0.2.1 -port 7007 -n 1 -W 2 --no-record -q 2>&1 >/dev/null || echo "and $?""#,
        serve("--clean -b 192.0.2.2")
    ));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ICMP port unreachable"), "{said}");
    assert!(said.trim_end().ends_with("and 1"), "{said}");
}
