//! Messages of DNS, as far as discovery needs them: a question for A, AAAA or SRV records (RFC 1035, 2782), and the
//! records of its answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of record that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts with ports.
    Srv,
}

/// A record that discovery uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of an A or AAAA record.
    Address(IpAddr),
    /// Of an SRV record.
    Service {
        /// Without the last dot.
        host: String,
        /// As it was received.
        port: u16,
    },
}

/// Why a message of DNS is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// A label is empty or longer than 63 bytes, or the name longer than 253.
    #[error("it is no name for DNS")]
    BadName,
    /// The message is cut off or contradicts itself.
    #[error("the answer of the DNS server cannot be read")]
    Malformed,
    /// It answers another question.
    #[error("the DNS server answers another question")]
    OtherQuestion,
    /// NXDOMAIN.
    #[error("there is no such name in DNS")]
    NoSuchName,
    /// SERVFAIL, REFUSED and the like.
    #[error("the DNS server refuses (code {0})")]
    Refused(u8),
}

const IN: u16 = 1;
const OPT: u16 = 41;
/// Of a datagram that is asked for by EDNS; longer answers come by TCP.
const DATAGRAM: u16 = 1232;
const RECURSION_DESIRED: u8 = 1;
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Pointers in one name; more are a loop.
const MOST_POINTERS: usize = 32;

impl RecordKind {
    const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Srv => 33,
        }
    }
}

/// A question to a resolver, with this number.
pub fn question(number: u16, name: &str, kind: RecordKind) -> Result<Vec<u8>, DnsError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len());
    if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
        return Err(DnsError::BadName);
    }
    let mut message = number.to_be_bytes().to_vec();
    message.extend([RECURSION_DESIRED, 0]);
    [1, 0, 0, 1].into_iter().for_each(|count: u16| message.extend(count.to_be_bytes()));
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    [kind.code(), IN].into_iter().for_each(|field| message.extend(field.to_be_bytes()));
    message.push(0);
    [OPT, DATAGRAM, 0, 0, 0].into_iter().for_each(|field| message.extend(field.to_be_bytes()));
    Ok(message)
}

/// The records of this kind that answer the question with this number.
pub fn answer(message: &[u8], number: u16, kind: RecordKind) -> Result<Vec<Record>, DnsError> {
    let mut reader = Reader { message, at: 0 };
    let [id, flags, questions, answers, _, _] = reader.fields()?;
    let is_answer = flags >> 15 == 1;
    if id != number || !is_answer {
        return Err(DnsError::OtherQuestion);
    }
    match (flags & 15) as u8 {
        0 => {}
        3 => return Err(DnsError::NoSuchName),
        code => return Err(DnsError::Refused(code)),
    }
    for _ in 0..questions {
        reader.name()?;
        let [asked, _] = reader.fields()?;
        if asked != kind.code() {
            return Err(DnsError::OtherQuestion);
        }
    }
    let mut records = Vec::new();
    for _ in 0..answers {
        records.extend(reader.record(kind)?);
    }
    Ok(records)
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], DnsError> {
        let end = self.at + count;
        let bytes = self.message.get(self.at..end).ok_or(DnsError::Malformed)?;
        self.at = end;
        Ok(bytes)
    }

    /// Numbers of two bytes.
    fn fields<const N: usize>(&mut self) -> Result<[u16; N], DnsError> {
        let bytes = self.bytes(2 * N)?;
        Ok(std::array::from_fn(|index| u16::from_be_bytes([bytes[2 * index], bytes[2 * index + 1]])))
    }

    /// None of another kind, as the aliases on the way are.
    fn record(&mut self, kind: RecordKind) -> Result<Option<Record>, DnsError> {
        self.name()?;
        let [found, class, _, _, length] = self.fields()?;
        let start = self.at;
        let data = self.bytes(length.into())?;
        if found != kind.code() || class != IN {
            return Ok(None);
        }
        Ok(Some(match kind {
            RecordKind::A => Record::Address(Ipv4Addr::from(exactly(data)?).into()),
            RecordKind::Aaaa => Record::Address(Ipv6Addr::from(exactly::<16>(data)?).into()),
            RecordKind::Srv => {
                let mut inner = Self { message: &self.message[..self.at], at: start };
                let [_, _, port] = inner.fields()?;
                Record::Service { host: inner.name()?, port }
            }
        }))
    }

    /// A name, which may end with a pointer to an earlier one.
    fn name(&mut self) -> Result<String, DnsError> {
        let mut name = String::new();
        let (mut at, mut end, mut pointers) = (self.at, None, 0);
        loop {
            let length = usize::from(*self.message.get(at).ok_or(DnsError::Malformed)?);
            match length >> 6 {
                0 if length == 0 => break,
                0 => {
                    let label = self.message.get(at + 1..at + 1 + length).ok_or(DnsError::Malformed)?;
                    let dot = if name.is_empty() { "" } else { "." };
                    name = name + dot + &String::from_utf8_lossy(label);
                    at += 1 + length;
                }
                3 => {
                    let low = usize::from(*self.message.get(at + 1).ok_or(DnsError::Malformed)?);
                    end.get_or_insert(at + 2);
                    at = (length & 63) << 8 | low;
                    pointers += 1;
                }
                _ => return Err(DnsError::Malformed),
            }
            if pointers > MOST_POINTERS || name.len() > 4 * LONGEST_NAME {
                return Err(DnsError::Malformed);
            }
        }
        self.at = end.unwrap_or(at + 1);
        Ok(name)
    }
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], DnsError> {
    data.try_into().map_err(|_| DnsError::Malformed)
}

/// The servers and the search list of a `resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    /// In the order in which they are asked.
    pub servers: Vec<IpAddr>,
    search: Vec<String>,
    dots: usize,
}

impl Resolvers {
    /// Reads the file; what is not understood is left out.
    pub fn parse(text: &str) -> Self {
        let mut found = Self { dots: 1, ..Self::default() };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    found.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()))
                }
                Some("search" | "domain") => found.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let mut dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    found.dots = dots.next_back().unwrap_or(found.dots);
                }
                _ => {}
            }
        }
        found
    }

    /// The full names that a name may stand for, the likeliest first; one with a last dot is full already.
    pub fn full_names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let with_search = self.search.iter().map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
        let alone = [name.to_owned()].into_iter();
        if name.matches('.').count() >= self.dots {
            alone.chain(with_search).collect()
        } else {
            with_search.chain(alone).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = 12;

    /// An answer to the question, with these records behind a pointer to its name.
    fn answered(kind: RecordKind, records: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = question(7, "udpecho.example", kind).unwrap();
        let end = message.len() - 11;
        message.truncate(end);
        message[2] = 0x81;
        (message[6], message[7]) = ((records.len() >> 8) as u8, records.len() as u8);
        message[11] = 0;
        for (kind, data) in records {
            message.extend([0xC0, HEADER as u8]);
            [*kind, IN, 0, 60, data.len() as u16]
                .iter()
                .for_each(|field| message.extend(field.to_be_bytes()));
            message.extend(data);
        }
        message
    }

    #[test]
    fn a_question_has_the_name_in_labels() {
        let message = question(0x0102, "a.bc.", RecordKind::Srv).unwrap();
        assert_eq!(message[..HEADER], [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(message[HEADER..HEADER + 10], [1, b'a', 2, b'b', b'c', 0, 0, 33, 0, 1]);
        assert!(question(1, &"a.".repeat(130), RecordKind::A).is_err());
        for name in ["", "a..b", &"x".repeat(64)] {
            assert_eq!(question(1, name, RecordKind::A), Err(DnsError::BadName), "{name}");
        }
    }

    #[test]
    fn records_of_the_kind_are_read_and_aliases_are_passed_over() {
        let alias = (5, vec![1, b'x', 0]);
        let v4 = (1, vec![192, 0, 2, 7]);
        let message = answered(RecordKind::A, &[alias.clone(), v4.clone(), v4]);
        let address = Record::Address("192.0.2.7".parse().unwrap());
        assert_eq!(answer(&message, 7, RecordKind::A), Ok(vec![address.clone(), address]));
        let v6 = "2001:db8::1".parse::<Ipv6Addr>().unwrap();
        let message = answered(RecordKind::Aaaa, &[(28, v6.octets().to_vec())]);
        assert_eq!(answer(&message, 7, RecordKind::Aaaa), Ok(vec![Record::Address(v6.into())]));
        // Priority, weight, port 8080, and "n1." before a pointer to the question's name.
        let service = (33, vec![0, 1, 0, 2, 0x1F, 0x90, 2, b'n', b'1', 0xC0, HEADER as u8]);
        let found = answer(&answered(RecordKind::Srv, &[alias, service]), 7, RecordKind::Srv).unwrap();
        assert_eq!(found, [Record::Service { host: "n1.udpecho.example".into(), port: 8080 }]);
    }

    #[test]
    fn thousands_of_records_are_read() {
        let record = |n: u16| (1, [10, 0].into_iter().chain(n.to_be_bytes()).collect());
        let records: Vec<_> = (0..4_000).map(record).collect();
        assert_eq!(answer(&answered(RecordKind::A, &records), 7, RecordKind::A).unwrap().len(), 4_000);
    }

    #[test]
    fn an_answer_that_is_none_says_why() {
        let good = answered(RecordKind::A, &[(1, vec![192, 0, 2, 7])]);
        assert_eq!(answer(&good, 8, RecordKind::A), Err(DnsError::OtherQuestion));
        assert_eq!(answer(&good, 7, RecordKind::Srv), Err(DnsError::OtherQuestion));
        for (code, error) in [(3, DnsError::NoSuchName), (2, DnsError::Refused(2)), (5, DnsError::Refused(5))]
        {
            let mut refused = good.clone();
            refused[3] = code;
            assert_eq!(answer(&refused, 7, RecordKind::A), Err(error));
        }
        for length in 0..good.len() {
            assert!(answer(&good[..length], 7, RecordKind::A).is_err(), "{length} bytes");
        }
        // A name that points to itself.
        let mut circle = good;
        let name = circle.len() - 16;
        (circle[name], circle[name + 1]) = (0xC0, name as u8);
        assert_eq!(answer(&circle, 7, RecordKind::A), Err(DnsError::Malformed));
    }

    #[test]
    fn a_name_with_few_dots_is_looked_for_in_the_search_list_first() {
        let text = "# comment\nnameserver 10.96.0.10\nnameserver fd00::a\nnameserver x\n\
                    search mon.svc.cluster.local cluster.local.\noptions timeout:2 ndots:5\n";
        let resolvers = Resolvers::parse(text);
        assert_eq!(resolvers.servers, ["10.96.0.10", "fd00::a"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        let names = ["u.mon.mon.svc.cluster.local", "u.mon.cluster.local", "u.mon"];
        assert_eq!(resolvers.full_names("u.mon"), names);
        assert_eq!(resolvers.full_names("u.mon."), ["u.mon."]);
        assert_eq!(Resolvers::parse("search a").full_names("u.mon"), ["u.mon", "u.mon.a"]);
    }
}
