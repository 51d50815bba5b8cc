//! What programs read of a run: the record's files, the stream of events, the object at the end.
//! They keep to their schemas, and they say the same.

mod full_disk;
mod generated;
mod outputs;
mod report;
pub mod schema;
mod sums;
mod thresholds;
