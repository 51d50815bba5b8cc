//! Orders from consent to the result, in virtual time.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::room::ports::{PortCheck, PortProtocol};

const KEY: [u8; 32] = [7; 32];
const TERMS: Terms = Terms { count: 100, interval: Duration::from_millis(50), size: 512 };

fn ports() -> PortCheck {
    PortCheck { range: "33000-33009".parse().unwrap(), protocol: PortProtocol::Tcp }
}

fn id(number: u64) -> ConnectionId {
    ConnectionId::of(number)
}

fn parties(from: u64, to: u64) -> Parties {
    Parties { by: id(9), from: id(from), to: id(to) }
}

fn request(from: u64, to: u64, terms: Terms, accept: Accept) -> Request {
    let accepts = Accepts { from: ACCEPTS, to: accept };
    Request { parties: parties(from, to), task: Task::Ping(terms), accepts, seen: None }
}

/// The default of agents.
const ACCEPTS: Accept = Accept::UpTo { bits_per_second: 1e6, length: Duration::from_secs(30) };

fn place(orders: &mut Orders, from: u64, to: u64, accept: Accept) -> OrderNumber {
    orders.place(at(0), request(from, to, TERMS, accept), KEY)
}

fn asked(who: u64) -> News {
    News::Asked { whom: vec![id(who)] }
}

fn at(millis: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5_000))
}

fn addresses(last: u8, varies: bool) -> Addresses {
    Addresses { candidates: vec![address(last)], varies }
}

fn announced(orders: &mut Orders) -> Vec<News> {
    let news = |step| match step {
        Step::Announce { news, .. } => Some(news),
        _ => None,
    };
    orders.take_steps().into_iter().filter_map(news).collect()
}

#[test]
fn an_order_goes_from_consent_to_the_result() {
    let mut orders = Orders::default();
    let order = place(&mut orders, 1, 2, Accept::Ask);
    let announced = Step::Announce { order, news: asked(2) };
    assert_eq!(orders.take_steps(), [announced, Step::Ask { order, whom: id(2) }]);
    // Only the asked member can agree.
    orders.answer(at(10), id(1), order, true);
    assert_eq!(orders.take_steps(), []);
    orders.answer(at(10), id(2), order, true);
    let prepare = |whom| Step::Prepare { order, whom: id(whom), key: KEY };
    assert_eq!(orders.take_steps(), [Step::Announce { order, news: News::Agreed }, prepare(1), prepare(2)]);
    orders.addresses(at(20), id(1), order, addresses(1, false));
    assert_eq!(orders.take_steps(), []);
    orders.addresses(at(30), id(2), order, addresses(2, false));
    let find = |whom, other| Step::FindWay { order, whom: id(whom), candidates: vec![address(other)] };
    assert_eq!(orders.take_steps(), [find(1, 2), find(2, 1)]);
    orders.found(at(130), id(1), order, address(2));
    assert_eq!(
        orders.take_steps(),
        [
            Step::Announce { order, news: News::Way(Way::Direct(address(2))) },
            Step::Measure { order, whom: id(1), to: address(2), terms: TERMS }
        ]
    );
    orders.done(at(6_000), id(1), order);
    let end = |whom| Step::End { order, whom: id(whom) };
    assert_eq!(orders.take_steps(), [end(1), end(2), Step::Announce { order, news: News::Done }]);
    assert_eq!(orders.poll_timeout(), None);
}

#[test]
fn without_a_way_each_is_measured_to_the_room_and_the_nat_is_named() {
    let mut orders = Orders::default();
    let order = place(&mut orders, 1, 2, ACCEPTS);
    orders.addresses(at(20), id(2), order, addresses(2, true));
    orders.addresses(at(30), id(1), order, addresses(1, false));
    drop(orders.take_steps());
    assert_eq!(orders.poll_timeout(), Some(at(2_030)));
    orders.handle_timeout(at(2_030));
    let room = |whom| Step::MeasureRoom { order, whom: id(whom), terms: TERMS };
    let none = News::Way(Way::None { varies: Some(id(2)) });
    assert_eq!(orders.take_steps(), [Step::Announce { order, news: none }, room(1), room(2)]);
    orders.done(at(8_000), id(2), order);
    assert_eq!(orders.take_steps(), []);
    orders.done(at(8_100), id(1), order);
    assert_eq!(announced(&mut orders), [News::Done]);
}

#[test]
fn consent_is_needed_and_may_be_given_before() {
    let refused = |terms, accept| {
        let mut orders = Orders::default();
        orders.place(at(0), request(1, 2, terms, accept), KEY);
        announced(&mut orders)
    };
    let refuses = Refusal::NotAccepted(id(2));
    assert_eq!(refused(TERMS, Accept::Nothing), [News::Refused { why: refuses }]);
    let accept = |bits_per_second| Accept::UpTo { bits_per_second, length: Duration::from_secs(30) };
    // 540 bytes both ways, 20 times a second: 172,800 bit/s.
    assert_eq!(refused(TERMS, accept(172_800.0)), [News::Agreed]);
    assert_eq!(refused(TERMS, accept(172_799.0)), [asked(2)]);
    let long = Terms { count: 1_201, ..TERMS };
    assert_eq!(refused(long, Accept::Ask), [News::Refused { why: Refusal::TooLong }]);

    let mut orders = Orders::default();
    place(&mut orders, 1, 2, Accept::Ask);
    orders.handle_timeout(at(60_000));
    assert_eq!(announced(&mut orders), [asked(2), News::Refused { why: Refusal::NoAnswer(id(2)) }]);
    place(&mut orders, 1, 1, Accept::Ask);
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::SameHost }]);
}

#[test]
fn a_host_takes_part_in_one_order_at_a_time() {
    let mut orders = Orders::default();
    let first = place(&mut orders, 1, 2, Accept::Ask);
    let second = place(&mut orders, 3, 2, Accept::Ask);
    place(&mut orders, 3, 4, Accept::Ask);
    assert_eq!(announced(&mut orders), [asked(2), News::Queued, asked(4)]);
    assert!(!orders.stop(at(5), id(5), first));
    assert!(orders.stop(at(5), id(9), first));
    // The third order keeps host 3, so the second waits on.
    assert_eq!(announced(&mut orders), [News::Ended { why: Ending::Stopped }]);
    orders.gone(at(6), id(4));
    assert_eq!(announced(&mut orders), [News::Ended { why: Ending::Gone }, asked(2)]);
    orders.answer(at(7), id(2), second, false);
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::ByTheAsked(id(2)) }]);
}

#[test]
fn a_host_that_does_not_do_its_part_ends_the_order() {
    let mut orders = Orders::default();
    let order = place(&mut orders, 1, 2, Accept::Ask);
    orders.answer(at(0), id(2), order, true);
    orders.handle_timeout(at(5_000));
    let ended = |order, whom| Step::Announce { order, news: News::Ended { why: Ending::Stalled(whom) } };
    assert_eq!(orders.take_steps().last(), Some(&ended(order, None)));
    assert_eq!(orders.poll_timeout(), None);
    let order = place(&mut orders, 1, 2, ACCEPTS);
    orders.addresses(at(0), id(1), order, addresses(1, false));
    orders.handle_timeout(at(5_000));
    assert_eq!(orders.take_steps().last(), Some(&ended(order, Some(id(2)))));
}

/// Hosts 1 and 2 agree, and say where they may be reached.
fn looking_for_a_way(orders: &mut Orders, seen: Option<IpAddr>) -> OrderNumber {
    let request = Request { task: Task::Ports(ports()), seen, ..request(1, 2, TERMS, ACCEPTS) };
    let order = orders.place(at(0), request, KEY);
    for host in [1, 2] {
        orders.addresses(at(0), id(host.into()), order, addresses(host, false));
    }
    drop(orders.take_steps());
    order
}

#[test]
fn ports_are_asked_at_the_address_that_answered_or_at_the_one_that_the_room_sees_and_at_no_other() {
    let mut orders = Orders::default();
    let order = looking_for_a_way(&mut orders, Some(address(3).ip()));
    orders.found(at(100), id(1), order, address(2));
    let knock = |order, last| Step::Knock { order, whom: id(1), at: address(last).ip() };
    let way = |way| Step::Announce { order, news: News::Way(way) };
    assert_eq!(orders.take_steps(), [way(Way::Direct(address(2))), knock(order, 2)]);

    let mut orders = Orders::default();
    let order = looking_for_a_way(&mut orders, Some(address(3).ip()));
    orders.handle_timeout(at(2_000));
    assert_eq!(orders.take_steps(), [way(Way::Seen(address(3).ip())), knock(order, 3)]);
    orders.done(at(3_000), id(1), order);
    assert_eq!(announced(&mut orders), [News::Done]);

    let mut orders = Orders::default();
    looking_for_a_way(&mut orders, None);
    orders.handle_timeout(at(2_000));
    assert_eq!(announced(&mut orders), [News::Ended { why: Ending::NoAddress }]);
}

#[test]
fn both_hosts_are_asked_unless_they_ordered_it_themselves() {
    let ask = Accepts { from: Accept::Ask, to: Accept::Ask };
    let mut orders = Orders::default();
    let all = Request { accepts: ask, ..request(1, 2, TERMS, ACCEPTS) };
    let order = orders.place(at(0), all, KEY);
    assert_eq!(announced(&mut orders), [News::Asked { whom: vec![id(1), id(2)] }]);
    orders.answer(at(1), id(2), order, true);
    orders.answer(at(1), id(2), order, true);
    assert_eq!(announced(&mut orders), []);
    orders.handle_timeout(at(60_000));
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::NoAnswer(id(1)) }]);
    for (by, other) in [(1, 2), (2, 1)] {
        let mut orders = Orders::default();
        let parties = Parties { by: id(by), ..parties(1, 2) };
        let order = orders.place(at(0), Request { parties, ..all }, KEY);
        orders.answer(at(1), id(other), order, true);
        assert_eq!(announced(&mut orders), [asked(other), News::Agreed]);
    }
}

#[test]
fn an_order_that_begins_after_a_long_stop_of_the_room_is_not_refused_at_once() {
    let mut orders = Orders::default();
    let first = place(&mut orders, 1, 2, Accept::Ask);
    let second = place(&mut orders, 2, 3, Accept::Ask);
    drop(orders.take_steps());
    // Both times are over: the first was not answered, and the second waited for it.
    orders.handle_timeout(at(700_000));
    let news: Vec<(OrderNumber, News)> = orders
        .take_steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Announce { order, news } => Some((order, news)),
            _ => None,
        })
        .collect();
    let silent = News::Refused { why: Refusal::NoAnswer(id(2)) };
    assert_eq!(news, [(first, silent), (second, asked(3))]);
}

#[test]
fn a_check_of_too_many_ports_is_refused() {
    let mut orders = Orders::default();
    let task = Task::Ports(PortCheck { range: "1-513".parse().unwrap(), ..ports() });
    orders.place(at(0), Request { task, ..request(1, 2, TERMS, ACCEPTS) }, KEY);
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::TooManyPorts }]);
}

/// Orders that are over, and hosts that have something open for one.
#[derive(Default)]
struct Told {
    ended: Vec<OrderNumber>,
    open: Vec<(OrderNumber, ConnectionId)>,
}

impl Told {
    fn take_from(&mut self, orders: &mut Orders) {
        for step in orders.take_steps() {
            match step {
                Step::Prepare { order, whom, .. } => self.open.push((order, whom)),
                Step::End { order, whom } => self.open.retain(|known| *known != (order, whom)),
                Step::Announce { order, news: News::Done | News::Ended { .. } | News::Refused { .. } } => {
                    self.ended.push(order);
                }
                _ => {}
            }
        }
    }
}

proptest! {
    /// Whatever clients say in whatever order: an order ends once, hosts that prepared are told, and nobody
    /// but its parties moves it.
    #[test]
    fn every_order_ends(acts in proptest::collection::vec((0_u8..7, 0_u64..5, 1_u32..6, 0_i64..3_000), 0..80)) {
        let mut orders = Orders::default();
        let mut now = at(0);
        let mut told = Told::default();
        let mut placed = 0;
        for (act, who, number, pause) in acts {
            now += Duration::from_millis(pause);
            match act {
                0 => {
                    let mut request = request(who, (who + 1) % 5, TERMS, Accept::Ask);
                    if number % 2 == 0 {
                        request.task = Task::Ports(ports());
                        request.seen = (number == 4).then_some(address(3).ip());
                    }
                    placed = orders.place(now, request, KEY);
                }
                1 => orders.answer(now, id(who), number, true),
                2 => orders.addresses(now, id(who), number, addresses(1, false)),
                3 => orders.found(now, id(who), number, address(1)),
                4 => orders.done(now, id(who), number),
                5 => { orders.stop(now, id(who), number); }
                _ => orders.gone(now, id(who)),
            }
            orders.handle_timeout(now);
            told.take_from(&mut orders);
        }
        for _ in 0..1_000 {
            let Some(until) = orders.poll_timeout() else { break };
            now = now.max(until);
            orders.handle_timeout(now);
            told.take_from(&mut orders);
        }
        told.ended.sort_unstable();
        prop_assert_eq!(told.ended, (1..=placed).collect::<Vec<_>>());
        prop_assert!(told.open.is_empty(), "{:?}", told.open);
    }
}
