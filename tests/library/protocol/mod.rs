//! The rules of the design, each in virtual time or at a desk, each by a test that fails if it is
//! broken.

mod abuse;
mod ending;
mod frozen;
mod host_names;
mod impossible_times;
mod injection;
mod irtt_client;
mod irtt_server;
mod keys;
mod limits;
mod load;
mod loops;
mod nat_rebinding;
mod opening;
mod promises;
mod restart;
mod stamp_reflector;
mod stamp_sender;
mod text_client;
mod text_server;
mod timing;
