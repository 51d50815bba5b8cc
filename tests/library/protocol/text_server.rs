//! The server's text dialect and plain echo.

use udpecho::reflect::{self, TextFrom};
use udpecho::wire::text::{ACKNOWLEDGED, CALIBRATED, STOPPING};

use crate::common::clean;
use crate::common::desk::{Desk, address};

fn desk(text_from: TextFrom, allow_stop: bool) -> Desk {
    Desk::new(reflect::Settings { text_from, allow_stop, ..clean() })
}

#[test]
fn a_text_client_is_calibrated_acknowledged_and_stops_a_server_that_allows_it() {
    let mut desk = desk(TextFrom::Private, true);
    let client = address(false, 1);
    assert_eq!(desk.send(client, b"C 512").as_deref(), Some(CALIBRATED));
    for packet in [&[b'x'; 512][..], b"y", b"", b"C nonsense"] {
        assert_eq!(desk.send(client, packet).as_deref(), Some(ACKNOWLEDGED));
    }
    assert!(!desk.server.stop_asked());
    assert_eq!(desk.send(client, b"exit").as_deref(), Some(STOPPING));
    assert!(desk.server.stop_asked());
}

#[test]
fn without_allow_stop_exit_is_a_packet_like_any_other() {
    let mut desk = desk(TextFrom::Private, false);
    let client = address(false, 1);
    desk.send(client, b"C 512");
    assert_eq!(desk.send(client, b"exit").as_deref(), Some(ACKNOWLEDGED));
    assert!(!desk.server.stop_asked());
}

#[test]
fn exit_of_an_address_that_never_calibrated_stops_nothing() {
    let mut desk = desk(TextFrom::Any, true);
    desk.send(address(false, 1), b"C 512");
    assert_eq!(desk.send(address(false, 2), b"exit").as_deref(), Some(&b"exit"[..]));
    assert!(!desk.server.stop_asked());
}

#[test]
fn an_address_that_never_calibrated_gets_its_bytes_back_unchanged() {
    let mut desk = desk(TextFrom::Private, true);
    desk.send(address(false, 1), b"C 512");
    let everything: Vec<u8> = (0..=255).collect();
    for datagram in [&b""[..], b"\0", b"exit", b"C", b"C x", b"hello\r\n", &everything, &[0xFF; 65_507]] {
        assert_eq!(desk.send(address(false, 2), datagram).as_deref(), Some(datagram));
    }
    assert_eq!(desk.server.counters().dialect("text").probes, 0);
}

#[test]
fn only_private_addresses_may_use_the_text_dialect_unless_any_is_set() {
    for (text_from, public, expected) in [
        (TextFrom::Private, false, CALIBRATED),
        (TextFrom::Private, true, b"C 512"),
        (TextFrom::Any, true, CALIBRATED),
    ] {
        let mut desk = desk(text_from, false);
        assert_eq!(desk.send(address(public, 1), b"C 512").as_deref(), Some(expected));
    }
}

#[test]
fn a_full_server_echoes_the_calibration_of_further_text_clients() {
    let mut desk = Desk::new(reflect::Settings { max_text_clients: 1, ..clean() });
    assert_eq!(desk.send(address(false, 1), b"C 512").as_deref(), Some(CALIBRATED));
    desk.send(address(false, 1), b"packet");
    assert_eq!(desk.send(address(false, 2), b"C 512").as_deref(), Some(&b"C 512"[..]));
    assert_eq!(desk.send(address(false, 1), b"C 256").as_deref(), Some(CALIBRATED));
    assert_eq!(desk.server.counters().dialect("text").clients, 1);
}
