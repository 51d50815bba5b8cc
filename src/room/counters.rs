//! Counts of a room since it began: for its closing lines and for `/metrics`.

/// Counts since the room began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomCounters {
    /// TCP connections of any kind.
    pub connections: u64,
    /// Too many connections, in all or of one source.
    pub turned_away: u64,
    /// From addresses where none of their kind are allowed.
    pub not_allowed: u64,
    /// Encrypted ones with another key.
    pub other_key: u64,
    /// Connections that gave a name.
    pub joined: u64,
    /// Connections for which there was no place.
    pub refused: u64,
    /// Lines that members said.
    pub lines: u64,
    /// Lines beyond the flood limit.
    pub dropped_lines: u64,
    /// Members that were disconnected because they did not read.
    pub slow_readers: u64,
    /// Members that were disconnected because they sent too much.
    pub floods: u64,
    /// Connections that gave no name in time.
    pub nameless: u64,
}

/// A count of refusals, by its name in `/metrics` and in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: &'static str,
    pub words: &'static str,
    pub count: u64,
}

impl RoomCounters {
    /// Every kind, the most outward first.
    pub fn refusals(&self) -> [Refusal; 8] {
        let refusal = |reason, words, count| Refusal { reason, words, count };
        [
            refusal("too_many", "turned away: too many connections", self.turned_away),
            refusal("address", "from addresses that are not allowed", self.not_allowed),
            refusal("key", "with another key", self.other_key),
            refusal("full", "refused: no place in the room", self.refused),
            refusal("no_name", "gave no name", self.nameless),
            refusal("flood", "disconnected: sent too much", self.floods),
            refusal("slow_reader", "disconnected: did not read", self.slow_readers),
            refusal("flood_line", "dropped: lines beyond the rate", self.dropped_lines),
        ]
    }
}
