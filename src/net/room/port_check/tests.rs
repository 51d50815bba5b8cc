//! Both hosts of a check on loopback.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use super::*;
use crate::net::clock::Clock;
use crate::room::{Knocked, PortCheck, PortFate, PortProtocol, PortSet};
use crate::time::Duration;

const KEY: [u8; 32] = [7; 32];
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A range at the end of which another program has the port; it is free before.
fn range(protocol: PortProtocol, length: u16) -> (PortCheck, Box<dyn std::any::Any>) {
    loop {
        let (taken, port): (Box<dyn std::any::Any>, u16) = match protocol {
            PortProtocol::Tcp => {
                let taken = TcpListener::bind("0.0.0.0:0").unwrap();
                let port = taken.local_addr().unwrap().port();
                (Box::new(taken), port)
            }
            PortProtocol::Udp => {
                let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
                let port = taken.local_addr().unwrap().port();
                (Box::new(taken), port)
            }
        };
        let text = format!("{}-{port}", port.saturating_sub(length - 1).max(1));
        let check = PortCheck { range: text.parse().unwrap(), protocol };
        let listeners = PortListeners::open(check, KEY, |_| {}).unwrap();
        if listeners.opened().busy == [port].into_iter().collect() && listeners.opened().denied.is_empty() {
            return (check, taken);
        }
    }
}

fn knock(check: PortCheck, ports: &PortSet, key: [u8; 32], is_proven: bool) -> Knocked {
    knock_ports(LOOPBACK, ports, check.protocol, key, is_proven, &AtomicBool::new(false)).unwrap()
}

#[test]
fn ports_on_which_the_other_host_listens_are_open_and_it_tells_where_it_heard_a_knock() {
    for protocol in [PortProtocol::Tcp, PortProtocol::Udp] {
        let (check, _taken) = range(protocol, 6);
        let (heard, coming) = channel();
        let listeners = PortListeners::open(check, KEY, move |ports| drop(heard.send(ports))).unwrap();
        let ports = listeners.opened().listening(&check);
        assert_eq!(ports.len(), 5);
        assert_eq!(knock(check, &ports, KEY, true), [(PortFate::Open, ports.clone())].into());
        // In one second or in two.
        let mut told = PortSet::default();
        while told != ports {
            coming.recv().unwrap().iter().for_each(|port| told.insert(port));
        }
        // Nobody else is answered, and a port is free when the order is over.
        let one: PortSet = ports.iter().take(1).collect();
        let fate = if protocol == PortProtocol::Tcp { PortFate::Foreign } else { PortFate::Filtered };
        assert_eq!(knock(check, &one, [8; 32], true), [(fate, one.clone())].into());
        drop(listeners);
        assert_eq!(knock(check, &one, KEY, true), [(PortFate::Refused, one)].into());
    }
}

#[test]
fn at_an_address_that_proves_nothing_few_ports_are_asked() {
    let (check, _taken) = range(PortProtocol::Udp, 60);
    let all: PortSet = check.ports().collect();
    let knocked = knock(check, &all, KEY, false);
    let asked: usize = knocked.values().map(PortSet::len).sum();
    assert!((8..=PortCheck::UNPROVEN).contains(&asked), "{knocked:?}");
    let listeners = PortListeners::open(check, KEY, |_| {}).unwrap();
    let ports = listeners.opened().listening(&check);
    assert_eq!(knock(check, &ports, KEY, false), [(PortFate::Open, ports)].into());
}

#[test]
fn no_more_than_64_ports_wait_for_an_answer_at_once_and_200_a_second_are_asked() {
    let clock = Clock::start();
    let took = |check, ports| {
        let began = clock.now();
        let knocked = knock(check, ports, KEY, true);
        (knocked, clock.now() - began)
    };
    let (check, _taken) = range(PortProtocol::Udp, 66);
    // With another key it answers nothing.
    let listeners = PortListeners::open(check, [8; 32], |_| {}).unwrap();
    let ports = listeners.opened().listening(&check);
    assert_eq!(ports.len(), PortCheck::AT_ONCE + 1);
    let (knocked, silent) = took(check, &ports);
    assert_eq!(knocked, [(PortFate::Filtered, ports.clone())].into());
    // The last one begins when one of the others has been asked twice.
    assert!(silent >= PortCheck::PATIENCE * i64::from(2 * PortCheck::TRIES), "{silent:?}");
    drop(listeners);
    let (knocked, refused) = took(check, &ports);
    assert_eq!(knocked, [(PortFate::Refused, ports)].into());
    assert!(refused >= Duration::from_millis(64 * 5), "{refused:?}");
}

#[test]
fn a_check_that_is_over_knocks_no_more() {
    let ports: PortSet = (40_000..40_100).collect();
    let over = AtomicBool::new(true);
    let knocked = knock_ports(LOOPBACK, &ports, PortProtocol::Tcp, KEY, true, &over).unwrap();
    assert_eq!(knocked, Knocked::new());
}
