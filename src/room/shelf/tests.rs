//! The rules of the shelf: offers, tickets, cuts, quotas, and who sees what.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn offer(bytes: &[u8]) -> Offer {
    Offer {
        name: FileName::nearest("a.txt"),
        bytes: bytes.len() as u64,
        to: None,
        kind: FileKind::File,
        order: None,
        hash: Some(ContentHash::of(bytes)),
    }
}

fn upload(offered: Result<Offered, ShelfError>) -> Transfer {
    match offered {
        Ok(Offered::Upload(transfer)) => transfer,
        other => panic!("no upload: {other:?}"),
    }
}

/// Puts these bytes there at once.
fn put(shelf: &mut Shelf, from: &str, offer: Offer, content: &[u8]) -> Result<ShelfFile, ShelfError> {
    let transfer = upload(shelf.offer(at(0), &name(from), offer));
    shelf.begin(at(0), transfer.ticket.as_str(), Direction::Put)?;
    shelf.finish(transfer.file.number, ContentHash::of(content))
}

#[test]
fn a_file_is_offered_sent_listed_and_fetched() {
    let mut shelf = Shelf::new([1; 32], 1_000);
    let file = put(&mut shelf, "anna", offer(b"hello"), b"hello").unwrap();
    assert_eq!((file.number, file.bytes, file.name.as_str()), (1, 5, "a.txt"));
    assert_eq!(shelf.files(None), std::slice::from_ref(&file));
    let transfer = shelf.ask(at(1), &name("bea"), 1).unwrap();
    assert_eq!(shelf.begin(at(2), transfer.ticket.as_str(), Direction::Get).unwrap().file, file);
    assert_eq!(shelf.begin(at(2), transfer.ticket.as_str(), Direction::Put), Err(ShelfError::NoTicket));
    assert_eq!(shelf.begin(at(601), transfer.ticket.as_str(), Direction::Get), Err(ShelfError::NoTicket));
    assert_eq!(shelf.ask(at(1), &name("bea"), 2), Err(ShelfError::NoSuchFile(2)));
    // The same content need not be sent again.
    assert_eq!(shelf.offer(at(3), &name("bea"), offer(b"hello")), Ok(Offered::Known(file)));
}

#[test]
fn a_cut_upload_goes_on_at_the_last_whole_block_and_expires_after_an_hour() {
    let mut shelf = Shelf::new([1; 32], 1 << 30);
    let big = Offer { bytes: 300_000, ..offer(b"x") };
    let first = upload(shelf.offer(at(0), &name("anna"), big.clone()));
    shelf.begin(at(0), first.ticket.as_str(), Direction::Put).unwrap();
    assert_eq!(shelf.offer(at(1), &name("anna"), big.clone()), Err(ShelfError::OnItsWay));
    assert_eq!(shelf.begin(at(1), first.ticket.as_str(), Direction::Put), Err(ShelfError::OnItsWay));
    shelf.pause(at(2), 1, 200_000);
    let again = upload(shelf.offer(at(3), &name("anna"), big.clone()));
    assert_eq!((again.file.number, again.offset), (1, 196_608));
    // Another member's offer of the same is one of its own: it cannot spoil the first.
    assert_eq!(upload(shelf.offer(at(3), &name("bea"), big.clone())).file.number, 2);
    assert_eq!(shelf.poll_timeout(), Some(at(3_602)));
    assert_eq!(shelf.expire(at(3_602)), [1]);
    assert_eq!(shelf.expire(at(3_603)), [2]);
    assert_eq!(shelf.begin(at(3_603), again.ticket.as_str(), Direction::Put), Err(ShelfError::NoTicket));
}

#[test]
fn a_wrong_hash_removes_the_file() {
    let mut shelf = Shelf::new([1; 32], 1_000);
    assert_eq!(put(&mut shelf, "anna", offer(b"hello"), b"other"), Err(ShelfError::WrongHash));
    assert_eq!(shelf.files(None), []);
    assert_eq!(put(&mut shelf, "anna", Offer { hash: None, ..offer(b"hello") }, b"hello").unwrap().number, 2);
}

#[test]
fn a_file_for_one_member_is_seen_by_it_and_its_sender_alone() {
    let mut shelf = Shelf::new([1; 32], 1_000);
    let to_bea = Offer { to: Some(name("bea")), ..offer(b"hello") };
    put(&mut shelf, "anna", to_bea, b"hello").unwrap();
    assert_eq!(shelf.files(Some(&name("carl"))), []);
    assert_eq!(shelf.ask(at(0), &name("carl"), 1), Err(ShelfError::NoSuchFile(1)));
    for member in ["anna", "bea", "BEA"] {
        assert_eq!(shelf.files(Some(&name(member))).len(), 1);
        assert!(shelf.ask(at(0), &name(member), 1).is_ok());
    }
}

#[test]
fn the_quota_counts_what_is_coming_and_a_member_has_two_uploads() {
    let mut shelf = Shelf::new([1; 32], 100);
    let of = |bytes, mark: &[u8]| Offer { bytes, ..offer(mark) };
    upload(shelf.offer(at(0), &name("anna"), of(60, b"1")));
    let full = ShelfError::Full { bytes: 41, free: 40, quota: 100 };
    assert_eq!(shelf.offer(at(0), &name("bea"), of(41, b"2")), Err(full));
    upload(shelf.offer(at(0), &name("anna"), of(20, b"3")));
    assert_eq!(shelf.offer(at(0), &name("anna"), of(1, b"4")), Err(ShelfError::Busy));
    assert!(shelf.offer(at(0), &name("bea"), of(u64::MAX, b"5")).is_err());
    shelf.expire(at(3_600));
    upload(shelf.offer(at(3_600), &name("bea"), of(100, b"6")));
}

#[test]
fn a_run_that_is_unpacked_beside_its_archive_counts_twice() {
    let of = |kind, mark: &[u8]| Offer { bytes: 40, kind, ..offer(mark) };
    let [run, file] = [FileKind::Run, FileKind::File];
    let mut shelf = Shelf::new([1; 32], 100).unpacking(true);
    upload(shelf.offer(at(0), &name("anna"), of(run, b"1")));
    let full = |bytes, free| Err(ShelfError::Full { bytes, free, quota: 100 });
    assert_eq!(shelf.offer(at(0), &name("bea"), of(file, b"2")), full(40, 20));
    let mut shelf = Shelf::new([1; 32], 100).unpacking(true);
    upload(shelf.offer(at(0), &name("anna"), of(file, b"1")));
    assert_eq!(shelf.offer(at(0), &name("bea"), of(run, b"2")), full(80, 60));
    upload(shelf.offer(at(0), &name("bea"), of(file, b"2")));
    let mut shelf = Shelf::new([1; 32], 100);
    upload(shelf.offer(at(0), &name("anna"), of(run, b"1")));
    upload(shelf.offer(at(0), &name("bea"), of(run, b"2")));
}

proptest! {
    /// Whatever is offered, cut and resumed: what is promised fits the quota, and only whole files are listed.
    #[test]
    fn the_shelf_never_promises_more_than_its_quota(steps in proptest::collection::vec((0_u8..5, 0_u8..3, 0_u64..60_000), 0..60)) {
        let mut shelf = Shelf::new([3; 32], 150_000);
        let mut open: Vec<Transfer> = Vec::new();
        for (step, (what, who, bytes)) in (0_i64..).zip(steps) {
            let who = name(["anna", "bea", "carl"][usize::from(who)]);
            let now = at(step * 400);
            let last = open.last().map(|transfer| (transfer.ticket.clone(), transfer.file.number));
            match (what, last) {
                (0, _) => {
                    let offered = Offer { bytes, ..offer(&bytes.to_be_bytes()) };
                    if let Ok(Offered::Upload(transfer)) = shelf.offer(now, &who, offered) {
                        prop_assert!(transfer.offset <= transfer.file.bytes);
                        open.push(transfer);
                    }
                }
                (1, Some((ticket, _))) => drop(shelf.begin(now, ticket.as_str(), Direction::Put)),
                (2, Some((_, number))) => shelf.pause(now, number, bytes),
                (3, Some((_, number))) => drop(shelf.finish(number, ContentHash::of(&bytes.to_be_bytes()))),
                _ => drop(shelf.expire(now)),
            }
            let promised: u64 = shelf.files.values().map(|entry| entry.file.bytes).sum();
            prop_assert!(promised <= 150_000);
            prop_assert!(shelf.files(None).iter().all(|file| file.hash.is_some()));
        }
    }
}
