//! The tables of irtt's packets on the protocol's page are those of the codec.

use udpecho::wire::irtt::{Clocks, Echo, HmacKey, Packet, Params, ReceivedStats, StampAt, Times};

use super::protocol::{page, rows};

/// The offsets in a cell: `3`, `4-11`, or `60-` up to the end.
fn bytes<'a>(datagram: &'a [u8], cell: &str) -> &'a [u8] {
    let number = |text: &str| text.parse::<usize>().unwrap();
    match cell.split_once('-') {
        None => &datagram[number(cell)..=number(cell)],
        Some((from, "")) => &datagram[number(from)..],
        Some((from, to)) => &datagram[number(from)..=number(to)],
    }
}

#[test]
fn a_packet_of_irtt_has_the_fields_of_the_page() {
    let key = HmacKey::new(b"secret");
    let open = Packet::emit_open(&Params::default(), true, Some(&key));
    let table = rows(&page(), "irtt packet", 3);
    let names: Vec<&str> = table.iter().map(|row| &row[1][..]).collect();
    assert_eq!(names, ["magic", "flags", "HMAC"]);
    let magic: Vec<String> = bytes(&open, &table[0][0]).iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(table[0][2], format!("`{}`", magic.join(" ")));
    assert_eq!(bytes(&open, &table[1][0]), [1 | 4 | 8]);
    assert_eq!(table[1][2], "1 open, 2 reply, 4 close, 8 HMAC");
    let mut parameters = Vec::new();
    Params::default().emit(&mut parameters);
    assert_eq!(bytes(&open, &table[2][0]).len() + 4 + parameters.len(), open.len());
    assert_eq!(Packet::emit_open_reply(1, &Params::default(), false, None)[3], 3);
    assert_eq!(Packet::emit_close(1, None)[3], 4);
}

#[test]
fn a_reply_of_irtt_has_the_fields_of_the_page() {
    let (params, mut reply) = (Params::default(), [0xEE; 70]);
    let times = |wall, monotonic| Times { wall: Some(wall), monotonic: Some(monotonic) };
    let echo = Echo {
        token: 0x0102_0304_0506_0708,
        seq: 2,
        count: Some(3),
        window: Some(4),
        received: times(5, 6),
        sent: times(7, 8),
    };
    Packet::emit_echo(&echo, false, &params, false, &mut reply);
    let eight = u64::to_le_bytes;
    let expected = [
        ("token", eight(echo.token).to_vec()),
        ("seq", 2_u32.to_le_bytes().to_vec()),
        ("received count", 3_u32.to_le_bytes().to_vec()),
        ("received window", eight(4).to_vec()),
        ("receive wall clock", eight(5).to_vec()),
        ("receive monotonic clock", eight(6).to_vec()),
        ("send wall clock", eight(7).to_vec()),
        ("send monotonic clock", eight(8).to_vec()),
        ("payload", vec![0xEE; 10]),
    ];
    let found = rows(&page(), "irtt probe and reply", 2);
    let found: Vec<_> = found.iter().map(|row| (&row[1][..], bytes(&reply, &row[0]).to_vec())).collect();
    assert_eq!(found, expected);
}

/// Each alone, with a value that has a number of its own.
#[test]
fn each_parameter_of_irtt_has_its_number_on_the_page() {
    let none = || Params {
        version: 0,
        received: ReceivedStats::default(),
        stamp_at: StampAt::None,
        clocks: Clocks { wall: false, monotonic: false },
        ..Params::default()
    };
    let (count, window) = (true, true);
    let parameters = [
        ("version", Params { version: 1, ..none() }, 2),
        ("duration", Params { duration: 1, ..none() }, 2),
        ("interval", Params { interval: 1, ..none() }, 2),
        ("length", Params { length: -1, ..none() }, 1),
        ("received stats", Params { received: ReceivedStats { count, window }, ..none() }, 6),
        ("timestamps", Params { stamp_at: StampAt::Midpoint, ..none() }, 8),
        ("clocks", Params { clocks: Clocks::default(), ..none() }, 6),
        ("traffic class", Params { dscp: 4, ..none() }, 8),
        ("fill", Params { fill: "rand".to_owned(), ..none() }, 4),
    ];
    let expected = parameters.map(|(name, params, value)| {
        let mut bytes = Vec::new();
        params.emit(&mut bytes);
        assert_eq!(bytes[1], value, "{name}");
        vec![bytes[0].to_string(), name.to_owned()]
    });
    let mut found = rows(&page(), "irtt parameters", 2);
    assert_eq!(found.remove(0), ["number", "parameter"]);
    assert_eq!(found, expected);
}
