//! Measurements on order: one member asks that A measures to B, B agrees, both look for a direct way, A
//! measures, and the room hears the result.
//!
//! The machine says what is to be told to whom (`Step`) and keeps the time-outs. It sees no socket: the
//! clients of A and B send the datagrams and report what they found.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::connection_id::ConnectionId;
use crate::time::{Duration, Instant};

/// The number that members type.
pub type OrderNumber = u32;

/// What is to be measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub(crate) count: u64,
    pub(crate) interval: Duration,
    /// Bytes of payload.
    pub size: u32,
}

impl Terms {
    /// An order takes at most so long.
    pub const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn length(&self) -> Duration {
        self.interval * i64::try_from(self.count).unwrap_or(i64::MAX / 1_000_000_000)
    }

    /// Both directions together, UDP and IPv4 headers included.
    pub fn bits_per_second(&self) -> f64 {
        const HEADERS: u32 = 28;
        f64::from(self.size + HEADERS) * 8.0 * 2.0 / self.interval.as_secs_f64()
    }
}

/// What a member allows without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Accept {
    /// A person decides each time.
    #[default]
    Ask,
    /// What stays below both bounds.
    UpTo {
        /// Both directions together, headers included.
        bits_per_second: f64,
        /// Of the whole measurement.
        length: Duration,
    },
    /// Refuses every order.
    Nothing,
}

impl Accept {
    fn decide(self, terms: &Terms) -> Option<bool> {
        match self {
            Self::Ask => None,
            Self::Nothing => Some(false),
            Self::UpTo { bits_per_second, length } => {
                (terms.bits_per_second() <= bits_per_second && terms.length() <= length).then_some(true)
            }
        }
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub(crate) by: ConnectionId,
    /// Measures.
    pub from: ConnectionId,
    /// Answers.
    pub to: ConnectionId,
}

/// The way between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Datagrams to this address arrive.
    Direct(SocketAddr),
    /// No datagram came through; `varies` names the host whose NAT changes ports, if one does.
    None {
        /// `None` if neither NAT does.
        varies: Option<ConnectionId>,
    },
}

/// What is to be done next, for one client or for all to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask this member whether it agrees.
    Ask {
        /// Its number.
        order: OrderNumber,
        /// The member to ask.
        whom: ConnectionId,
    },
    /// Open a UDP socket, send to the room's UDP port, and say which addresses the host has.
    Prepare {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
        /// Of this order alone: both hosts seal their datagrams with it.
        key: [u8; 32],
    },
    /// Send to these addresses of the other every 100 ms, and say which answers.
    FindWay {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
        /// Of the other host.
        candidates: Vec<SocketAddr>,
    },
    /// Measure to this address.
    Measure {
        /// Its number.
        order: OrderNumber,
        /// The member that measures.
        whom: ConnectionId,
        /// The other host.
        to: SocketAddr,
        /// How much, how fast, how large.
        terms: Terms,
    },
    /// Measure to the room's server instead.
    MeasureRoom {
        /// Its number.
        order: OrderNumber,
        /// The member that measures.
        whom: ConnectionId,
        /// How much, how fast, how large.
        terms: Terms,
    },
    /// The reflector and the sockets of this order are closed.
    End {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
    },
    /// For everybody.
    Announce {
        /// Its number.
        order: OrderNumber,
        /// What happened.
        news: News,
    },
}

/// How an order goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// One of its hosts is busy with another order.
    Queued,
    /// A member was asked whether it agrees.
    Asked,
    /// The member agreed.
    Agreed,
    /// There will be no measurement.
    Refused {
        /// The reason to tell.
        why: Refusal,
    },
    /// What the search for a direct way found.
    Way(Way),
    /// The measurement is complete.
    Done,
    /// It stopped before it was complete.
    Ended {
        /// The reason to tell.
        why: Ending,
    },
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The member said no.
    ByTheAsked,
    /// No answer within a minute.
    NoAnswer,
    /// Longer than `Terms::LONGEST`.
    TooLong,
    /// Longer or faster than the asked member ever accepts.
    NotAccepted,
    /// Both names are of one host.
    SameHost,
}

/// Why an order stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A member asked for it.
    Stopped,
    /// One of the two left.
    Gone,
    /// One of the two did not do its part in time.
    Stalled,
}

/// All orders of a room.
#[derive(Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderNumber, Order>,
    last: OrderNumber,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Order {
    parties: Parties,
    terms: Terms,
    key: [u8; 32],
    accept: Accept,
    phase: Phase,
    until: Instant,
    /// Its answering host was asked, rather than accepting in advance.
    asked: bool,
    /// No way was found.
    to_room: bool,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// One of its hosts is busy with another order.
    Queued,
    Asked,
    /// What each has said of its addresses.
    Preparing {
        from: Option<Addresses>,
        to: Option<Addresses>,
    },
    FindingWay {
        varies: Option<ConnectionId>,
    },
    Measuring {
        waits_for: Vec<ConnectionId>,
    },
}

/// Where a client may be reached: its own addresses and the one that the room saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub(crate) candidates: Vec<SocketAddr>,
    /// Another port of the room saw it at another port.
    pub varies: bool,
}

impl Orders {
    const QUEUED: Duration = Duration::from_secs(600);
    const ASKED: Duration = Duration::from_secs(60);
    const PREPARING: Duration = Duration::from_secs(5);
    const FINDING: Duration = Duration::from_secs(2);
    /// Beyond the length of the measurement itself: its record is drawn, too.
    const SPARE: Duration = Duration::from_secs(45);
    const CANDIDATES: usize = 16;

    /// Why an order cannot be, whatever its hosts do now.
    pub(super) fn refuses(parties: Parties, terms: &Terms, accept: Accept) -> Option<Refusal> {
        if parties.from == parties.to {
            Some(Refusal::SameHost)
        } else if terms.length() > Terms::LONGEST {
            Some(Refusal::TooLong)
        } else if accept.decide(terms) == Some(false) {
            Some(Refusal::NotAccepted)
        } else {
            None
        }
    }

    /// `key` is fresh randomness: it is known to the two hosts alone and dies with the order.
    pub fn place(
        &mut self,
        now: Instant,
        parties: Parties,
        terms: Terms,
        accept: Accept,
        key: [u8; 32],
    ) -> OrderNumber {
        self.last += 1;
        let number = self.last;
        let refusal = Self::refuses(parties, &terms, accept);
        if let Some(why) = refusal {
            self.announce(number, News::Refused { why });
            return number;
        }
        let until = now + Self::QUEUED;
        self.orders.insert(
            number,
            Order { parties, terms, key, accept, phase: Phase::Queued, until, asked: false, to_room: false },
        );
        if self.is_blocked(number) {
            self.announce(number, News::Queued);
        } else {
            self.begin(now, number);
        }
        number
    }

    /// The asked member answers.
    pub fn answer(&mut self, now: Instant, from: ConnectionId, number: OrderNumber, agrees: bool) {
        let asked = |order: &Order| order.phase == Phase::Asked && order.parties.to == from;
        if !self.orders.get(&number).is_some_and(asked) {
            return;
        }
        if agrees {
            self.prepare(now, number);
        } else {
            self.refuse(now, number, Refusal::ByTheAsked);
        }
    }

    /// One of the two says where it may be reached.
    pub fn addresses(
        &mut self,
        now: Instant,
        of: ConnectionId,
        number: OrderNumber,
        mut addresses: Addresses,
    ) {
        addresses.candidates.truncate(Self::CANDIDATES);
        let Some(order) = self.orders.get_mut(&number) else { return };
        let parties = order.parties;
        let Phase::Preparing { from, to } = &mut order.phase else { return };
        match of {
            _ if of == parties.from => *from = Some(addresses),
            _ if of == parties.to => *to = Some(addresses),
            _ => return,
        }
        if let (Some(from), Some(to)) = (&*from, &*to) {
            let (from, to) = (from.clone(), to.clone());
            let varies = [(from.varies, parties.from), (to.varies, parties.to)];
            let varies = varies.into_iter().find(|(varies, _)| *varies).map(|(_, whom)| whom);
            order.phase = Phase::FindingWay { varies };
            order.until = now + Self::FINDING;
            for (whom, candidates) in [(parties.from, to.candidates), (parties.to, from.candidates)] {
                self.steps.push(Step::FindWay { order: number, whom, candidates });
            }
        }
    }

    /// The measuring host heard the other at this address.
    pub fn found(&mut self, now: Instant, by: ConnectionId, number: OrderNumber, at: SocketAddr) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        if !matches!(order.phase, Phase::FindingWay { .. }) || by != order.parties.from {
            return;
        }
        order.phase = Phase::Measuring { waits_for: vec![by] };
        order.until = now + order.terms.length() + Self::SPARE;
        let terms = order.terms;
        self.announce(number, News::Way(Way::Direct(at)));
        self.steps.push(Step::Measure { order: number, whom: by, to: at, terms });
    }

    /// A host has done its part; its result was passed on.
    pub fn done(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        let Phase::Measuring { waits_for } = &mut order.phase else { return };
        waits_for.retain(|whom| *whom != by);
        if waits_for.is_empty() {
            self.close(now, number, News::Done);
        }
    }

    /// Either end, or the member who ordered it, stops it.
    pub fn stop(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) -> bool {
        let may = |order: &Order| [order.parties.by, order.parties.from, order.parties.to].contains(&by);
        let stopped = self.orders.get(&number).is_some_and(may);
        if stopped {
            self.close(now, number, News::Ended { why: Ending::Stopped });
        }
        stopped
    }

    /// A connection is gone: its orders end at once.
    pub fn gone(&mut self, now: Instant, who: ConnectionId) {
        let theirs = |order: &Order| [order.parties.from, order.parties.to].contains(&who);
        let numbers: Vec<OrderNumber> =
            self.orders.iter().filter(|(_, order)| theirs(order)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.close(now, number, News::Ended { why: Ending::Gone }));
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.orders.values().map(|order| order.until).min()
    }

    /// Ends orders that did not go on in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<OrderNumber> =
            self.orders.iter().filter(|(_, order)| order.until <= now).map(|(number, _)| *number).collect();
        for number in due {
            let Some(order) = self.orders.get_mut(&number) else { continue };
            match order.phase {
                Phase::Asked => self.refuse(now, number, Refusal::NoAnswer),
                Phase::FindingWay { varies } => {
                    // No way through: nothing is relayed; each is measured to the room's server instead.
                    let Order { parties, terms, .. } = *order;
                    order.phase = Phase::Measuring { waits_for: vec![parties.from, parties.to] };
                    order.to_room = true;
                    order.until = now + terms.length() + Self::SPARE;
                    self.announce(number, News::Way(Way::None { varies }));
                    for whom in [parties.from, parties.to] {
                        self.steps.push(Step::MeasureRoom { order: number, whom, terms });
                    }
                }
                Phase::Queued | Phase::Preparing { .. } | Phase::Measuring { .. } => {
                    self.close(now, number, News::Ended { why: Ending::Stalled });
                }
            }
        }
    }

    /// What is to be done since the last call, in order.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// `None` if the order is over or never was.
    pub fn parties(&self, number: OrderNumber) -> Option<Parties> {
        self.orders.get(&number).map(|order| order.parties)
    }

    /// Whether the result of this host is still to come.
    pub(super) fn waits_for(&self, number: OrderNumber, host: ConnectionId) -> bool {
        let phase = self.orders.get(&number).map(|order| &order.phase);
        matches!(phase, Some(Phase::Measuring { waits_for }) if waits_for.contains(&host))
    }

    pub(super) fn is_measured_to_the_room(&self, number: OrderNumber) -> bool {
        self.orders.get(&number).is_some_and(|order| order.to_room)
    }

    pub(super) fn was_asked(&self, number: OrderNumber) -> bool {
        self.orders.get(&number).is_some_and(|order| order.asked)
    }

    /// A host takes part in one order at a time.
    fn is_blocked(&self, number: OrderNumber) -> bool {
        let Some(Order { parties, .. }) = self.orders.get(&number) else { return false };
        let hosts = [parties.from, parties.to];
        self.orders.iter().any(|(other, order)| {
            *other != number
                && order.phase != Phase::Queued
                && (hosts.contains(&order.parties.from) || hosts.contains(&order.parties.to))
        })
    }

    fn begin(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        if order.accept.decide(&order.terms) == Some(true) {
            return self.prepare(now, number);
        }
        order.phase = Phase::Asked;
        order.asked = true;
        order.until = now + Self::ASKED;
        let whom = order.parties.to;
        self.steps.push(Step::Ask { order: number, whom });
        self.announce(number, News::Asked);
    }

    fn prepare(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        order.phase = Phase::Preparing { from: None, to: None };
        order.until = now + Self::PREPARING;
        let (key, hosts) = (order.key, [order.parties.from, order.parties.to]);
        self.announce(number, News::Agreed);
        for whom in hosts {
            self.steps.push(Step::Prepare { order: number, whom, key });
        }
    }

    fn refuse(&mut self, now: Instant, number: OrderNumber, why: Refusal) {
        self.orders.remove(&number);
        self.announce(number, News::Refused { why });
        self.begin_queued(now);
    }

    fn close(&mut self, now: Instant, number: OrderNumber, news: News) {
        let Some(order) = self.orders.remove(&number) else { return };
        if !matches!(order.phase, Phase::Queued | Phase::Asked) {
            for whom in [order.parties.from, order.parties.to] {
                self.steps.push(Step::End { order: number, whom });
            }
        }
        self.announce(number, news);
        self.begin_queued(now);
    }

    fn begin_queued(&mut self, now: Instant) {
        let queued: Vec<OrderNumber> = self
            .orders
            .iter()
            .filter(|(_, order)| order.phase == Phase::Queued)
            .map(|(number, _)| *number)
            .collect();
        for number in queued {
            if !self.is_blocked(number) {
                self.begin(now, number);
            }
        }
    }

    fn announce(&mut self, order: OrderNumber, news: News) {
        self.steps.push(Step::Announce { order, news });
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            orders.take_steps(),
            [Step::Announce { order, news: News::Agreed }, prepare(1), prepare(2)]
        );
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
}
