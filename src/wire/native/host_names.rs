//! The names that a server tells of its host: the last fields of `Accept`. Releases before them ignore these bytes, and
//! their opens have no room for them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fields::{get_text, put_text};

/// A host by its name and place, as its server says or a monitor repeats it. A text is empty if it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNames<T = String> {
    /// Of the host.
    pub name: T,
    /// Of the rack in which it stands.
    pub rack: T,
    /// Of the zone in which it stands.
    pub zone: T,
}

const NAME: usize = 2 + 64;
const PLACE: usize = 2 + 32;

impl HostNames {
    /// Bytes of all fields.
    pub(super) const LENGTH: usize = NAME + 2 * PLACE;

    /// Name, rack and zone: a length of two bytes each, and the text.
    pub(super) fn slots(start: usize) -> [Range<usize>; 3] {
        let [rack, zone] = [start + NAME, start + NAME + PLACE];
        [start..rack, rack..zone, zone..zone + PLACE]
    }
}

impl<T> HostNames<T> {
    /// The same change of each text.
    pub fn map<'a, U>(&'a self, change: impl Fn(&'a T) -> U) -> HostNames<U> {
        HostNames { name: change(&self.name), rack: change(&self.rack), zone: change(&self.zone) }
    }
}

impl<'a> HostNames<&'a str> {
    /// Texts for which the message has no room are left out.
    pub(super) fn put(&self, message: &mut [u8], start: usize) {
        for (at, text) in HostNames::slots(start).into_iter().zip([self.name, self.rack, self.zone]) {
            if let Some(slot) = message.get_mut(at) {
                put_text(slot, text);
            }
        }
    }

    /// A text that is no UTF-8 or longer than its place is taken for an empty one: no reason to refuse the session.
    pub(super) fn get(message: &'a [u8], start: usize) -> Self {
        let text = |at: Range<usize>| message.get(at).and_then(get_text).unwrap_or_default();
        let [name, rack, zone] = HostNames::slots(start).map(text);
        Self { name, rack, zone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostNames<&str> = HostNames { name: "n7", rack: "r2", zone: "eu-1a" };

    fn read_back(names: HostNames<&str>, length: usize) -> HostNames {
        let mut message = vec![0; length];
        names.put(&mut message, 300);
        HostNames::get(&message, 300).map(|text| (*text).to_owned())
    }

    #[test]
    fn names_are_read_back_and_a_short_message_has_those_that_fit() {
        let owned = HOST.map(|text| (*text).to_owned());
        let [name, _, zone] = HostNames::slots(300);
        assert_eq!(read_back(HOST, 600), owned);
        for (length, names) in [
            (zone.end, owned.clone()),
            (zone.end - 1, HostNames { zone: String::new(), ..owned.clone() }),
            (name.end, HostNames { name: "n7".into(), ..HostNames::default() }),
            (name.end - 1, HostNames::default()),
        ] {
            assert_eq!(read_back(HOST, length), names, "{length} bytes");
        }
    }

    #[test]
    fn a_long_name_is_cut_at_a_character_and_one_that_is_no_text_is_empty() {
        let long = "\u{fc}".repeat(200);
        let cut = read_back(HostNames { name: &long, ..HOST }, 600);
        assert_eq!((cut.name.as_str(), cut.rack.as_str()), (&long[..64], "r2"));
        let mut message = [0; 600];
        HOST.put(&mut message, 300);
        message[302] = 0xFF;
        assert_eq!(HostNames::get(&message, 300), HostNames { name: "", ..HOST }, "no UTF-8");
        message[300] = 1;
        assert_eq!(HostNames::get(&message, 300), HostNames { name: "", ..HOST }, "258 bytes");
    }
}
