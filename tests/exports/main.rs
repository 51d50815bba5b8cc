//! What programs read of a run: the record's files, the stream of events, the object at the end.
//! They keep to their schemas, and they say the same.

#[path = "../common/mod.rs"]
mod common;

mod full_disk;
mod made;
mod outputs;
mod report;
mod schema;
mod sums;
mod thresholds;
