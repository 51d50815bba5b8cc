//! The soak of `benches/soak.rs`, for a few seconds and more slowly. Alone in its process, whose memory
//! it watches.

#[path = "common/soak.rs"]
mod soak;

#[test]
fn under_everything_at_once_every_count_adds_up_and_memory_is_flat() {
    let account = soak::run(3, 3000, |_, _| ());
    account.assert_adds_up();
    assert!(account.sums.ok > 0 && account.sums.injected > 0, "{account:#?}");
}
