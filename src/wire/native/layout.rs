//! Where the fields of each message are. A test holds the tables of `docs/protocol.md` to this list.

use std::ops::Range;

use super::handshake::{Accept, COOKIE, Deny, Open, SPEC_MAX};
use super::path_mtu::{NUMBER, PathMtuProbe, PathMtuReply};
use super::{
    BODY, HostNames, ID, KIND, Kind, LoadReport, Pull, VERSION_AND_FLAGS, load, outcome_query, probe,
};

/// The fields of one kind of message, in the order of their offsets.
#[derive(Clone, Debug)]
pub struct Layout {
    /// As `docs/protocol.md` names the message.
    pub name: String,
    /// None for the prefix of all messages.
    pub kind: Option<u8>,
    /// Name and offsets; the offsets end at `usize::MAX` if the field takes the rest of the message.
    pub fields: Vec<(&'static str, Range<usize>)>,
}

/// The prefix, then each kind.
pub fn layouts() -> Vec<Layout> {
    let prefix = vec![
        ("magic", 0..VERSION_AND_FLAGS),
        ("version and flags", VERSION_AND_FLAGS..KIND),
        ("kind", KIND..ID.start),
        ("id", ID),
    ];
    let prefix = Layout { name: "Prefix".to_owned(), kind: None, fields: prefix };
    let of_kind =
        |kind: &Kind| Layout { name: format!("{kind:?}"), kind: Some(*kind as u8), fields: fields(*kind) };
    std::iter::once(prefix).chain(Kind::ALL.iter().map(of_kind)).collect()
}

fn fields(kind: Kind) -> Vec<(&'static str, Range<usize>)> {
    let text = |start: usize| start..start + 2 + SPEC_MAX;
    let query = vec![
        ("question", outcome_query::QUESTION),
        ("first", outcome_query::FIRST),
        ("count", outcome_query::COUNT),
    ];
    let probe = vec![("seq", probe::SEQ), ("sent", probe::SENT)];
    let packet = vec![("phase", load::PHASE), ("seq", load::SEQ), ("sent", load::SENT)];
    let with = |mut fields: Vec<_>, more: Vec<_>| {
        fields.extend(more);
        fields
    };
    match kind {
        Kind::Hello | Kind::Stop | Kind::Close | Kind::Ending => Vec::new(),
        Kind::Cookie => vec![("cookie", COOKIE)],
        Kind::Open => vec![
            ("cookie", COOKIE),
            ("size", Open::SIZE),
            ("remember", Open::REMEMBER),
            ("idle seconds", Open::IDLE),
            ("first seq", Open::FIRST_SEQ),
            ("requested impairment", text(Open::REQUESTED)),
        ],
        Kind::Accept => vec![
            ("token", Accept::TOKEN),
            ("size", Accept::SIZE),
            ("max size", Accept::MAX_SIZE),
            ("remember", Accept::REMEMBER),
            ("seed", Accept::SEED),
            ("longest hold", Accept::LONGEST_HOLD),
            ("socket", Accept::SOCKET),
            ("session rate", Accept::RATE),
            ("injects", text(Accept::INJECTS)),
            ("idle seconds", Accept::IDLE),
        ]
        .into_iter()
        .chain(["name", "rack", "zone"].into_iter().zip(HostNames::slots(Accept::HOST)))
        .collect(),
        Kind::Deny => vec![("reason", Deny::REASON..Deny::REASON + 1), ("limit", Deny::LIMIT)],
        Kind::Probe => probe,
        Kind::Reply => with(
            probe,
            vec![
                ("received", probe::RECEIVED),
                ("residence", probe::RESIDENCE),
                ("hold", probe::HOLD),
                ("socket", probe::SOCKET),
                ("window", probe::WINDOW),
            ],
        ),
        Kind::UnknownSession => vec![("seq", probe::SEQ)],
        Kind::OutcomeQuery => query,
        Kind::Outcomes => with(
            query,
            vec![("socket", outcome_query::SOCKET), ("statuses", outcome_query::STATUSES..usize::MAX)],
        ),
        Kind::Stopped => vec![("obeyed", BODY..BODY + 1)],
        Kind::PathMtuProbe => vec![("number", NUMBER), ("answer", PathMtuProbe::ANSWER)],
        Kind::PathMtuReply => vec![
            ("number", NUMBER),
            ("received", PathMtuReply::RECEIVED),
            ("max size", PathMtuReply::MAX_SIZE),
        ],
        Kind::Load => with(packet, vec![("report every", load::LAST)]),
        Kind::Push => with(packet, vec![("missed", load::LAST)]),
        Kind::LoadReport => vec![
            ("phase", load::PHASE),
            ("limit", LoadReport::LIMIT),
            ("socket", LoadReport::SOCKET),
            ("number", LoadReport::NUMBER),
            ("newest", LoadReport::NEWEST),
            ("arrived", LoadReport::ARRIVED),
            ("bytes", LoadReport::BYTES),
            ("first", LoadReport::FIRST),
            ("last", LoadReport::LAST),
            ("delays", LoadReport::DELAYS),
        ],
        Kind::Pull => vec![
            ("phase", load::PHASE),
            ("number", Pull::NUMBER),
            ("rate", Pull::RATE),
            ("size", Pull::SIZE),
            ("budget", Pull::BUDGET),
        ],
    }
}
