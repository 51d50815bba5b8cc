//! The rules of the design, each in virtual time or at a desk, each by a test that fails if it is
//! broken.

#[path = "../common/mod.rs"]
mod common;

mod abuse;
mod frozen;
mod impossible_times;
mod injection;
mod keys;
mod limits;
mod loops;
mod moving;
mod opening;
mod promises;
mod restart;
mod text_client;
mod text_server;
mod timing;
