//! Orders from consent to the result, in virtual time.

use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [7; 32];
const TERMS: Terms = Terms { count: 100, interval: Duration::from_millis(50), size: 512 };

fn id(number: u64) -> ConnectionId {
    ConnectionId::of(number)
}

fn parties(from: u64, to: u64) -> Parties {
    Parties { by: id(9), from: id(from), to: id(to) }
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
    let order = orders.place(at(0), parties(1, 2), TERMS, Accept::Ask, KEY);
    let asked = Step::Announce { order, news: News::Asked };
    assert_eq!(orders.take_steps(), [Step::Ask { order, whom: id(2) }, asked]);
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
    let accept = Accept::UpTo { bits_per_second: 1e6, length: Duration::from_secs(30) };
    let order = orders.place(at(0), parties(1, 2), TERMS, accept, KEY);
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
        orders.place(at(0), parties(1, 2), terms, accept, KEY);
        announced(&mut orders)
    };
    assert_eq!(refused(TERMS, Accept::Nothing), [News::Refused { why: Refusal::NotAccepted }]);
    let accept = |bits_per_second| Accept::UpTo { bits_per_second, length: Duration::from_secs(30) };
    // 540 bytes both ways, 20 times a second: 172,800 bit/s.
    assert_eq!(refused(TERMS, accept(172_800.0)), [News::Agreed]);
    assert_eq!(refused(TERMS, accept(172_799.0)), [News::Asked]);
    let long = Terms { count: 1_201, ..TERMS };
    assert_eq!(refused(long, Accept::Ask), [News::Refused { why: Refusal::TooLong }]);

    let mut orders = Orders::default();
    orders.place(at(0), parties(1, 2), TERMS, Accept::Ask, KEY);
    orders.handle_timeout(at(60_000));
    assert_eq!(announced(&mut orders), [News::Asked, News::Refused { why: Refusal::NoAnswer }]);
    orders.place(at(0), parties(1, 1), TERMS, Accept::Ask, KEY);
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::SameHost }]);
}

#[test]
fn a_host_takes_part_in_one_order_at_a_time() {
    let mut orders = Orders::default();
    let first = orders.place(at(0), parties(1, 2), TERMS, Accept::Ask, KEY);
    let second = orders.place(at(0), parties(3, 2), TERMS, Accept::Ask, KEY);
    orders.place(at(0), parties(3, 4), TERMS, Accept::Ask, KEY);
    assert_eq!(announced(&mut orders), [News::Asked, News::Queued, News::Asked]);
    assert!(!orders.stop(at(5), id(5), first));
    assert!(orders.stop(at(5), id(9), first));
    // The third order keeps host 3, so the second waits on.
    assert_eq!(announced(&mut orders), [News::Ended { why: Ending::Stopped }]);
    orders.gone(at(6), id(4));
    assert_eq!(announced(&mut orders), [News::Ended { why: Ending::Gone }, News::Asked]);
    orders.answer(at(7), id(2), second, false);
    assert_eq!(announced(&mut orders), [News::Refused { why: Refusal::ByTheAsked }]);
}

#[test]
fn a_host_that_does_not_do_its_part_ends_the_order() {
    let mut orders = Orders::default();
    let order = orders.place(at(0), parties(1, 2), TERMS, Accept::Ask, KEY);
    orders.answer(at(0), id(2), order, true);
    orders.handle_timeout(at(5_000));
    assert_eq!(
        orders.take_steps().last(),
        Some(&Step::Announce { order, news: News::Ended { why: Ending::Stalled } })
    );
    assert_eq!(orders.poll_timeout(), None);
}

proptest! {
    /// Whatever clients say in whatever order: an order ends once, hosts that prepared are told, and nobody
    /// but its parties moves it.
    #[test]
    fn every_order_ends(acts in proptest::collection::vec((0_u8..7, 0_u64..5, 1_u32..6, 0_i64..3_000), 0..80)) {
        let mut orders = Orders::default();
        let mut now = at(0);
        let mut ended = Vec::new();
        let mut open: Vec<(OrderNumber, ConnectionId)> = Vec::new();
        let mut placed = 0;
        for (act, who, number, pause) in acts {
            now += Duration::from_millis(pause);
            match act {
                0 => { placed = orders.place(now, parties(who, (who + 1) % 5), TERMS, Accept::Ask, KEY); }
                1 => orders.answer(now, id(who), number, true),
                2 => orders.addresses(now, id(who), number, addresses(1, false)),
                3 => orders.found(now, id(who), number, address(1)),
                4 => orders.done(now, id(who), number),
                5 => { orders.stop(now, id(who), number); }
                _ => orders.gone(now, id(who)),
            }
            orders.handle_timeout(now);
            for step in orders.take_steps() {
                match step {
                    Step::Prepare { order, whom, .. } => open.push((order, whom)),
                    Step::End { order, whom } => open.retain(|known| *known != (order, whom)),
                    Step::Announce { order, news: News::Done | News::Ended { .. } | News::Refused { .. } } => ended.push(order),
                    _ => {}
                }
            }
        }
        for _ in 0..1_000 {
            let Some(until) = orders.poll_timeout() else { break };
            now = now.max(until);
            orders.handle_timeout(now);
            for step in orders.take_steps() {
                match step {
                    Step::Prepare { order, whom, .. } => open.push((order, whom)),
                    Step::End { order, whom } => open.retain(|known| *known != (order, whom)),
                    Step::Announce { order, news: News::Done | News::Ended { .. } | News::Refused { .. } } => ended.push(order),
                    _ => {}
                }
            }
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (1..=placed).collect::<Vec<_>>());
        prop_assert!(open.is_empty(), "{:?}", open);
    }
}
