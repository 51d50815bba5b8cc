//! The inbox and the archive of a run, with what a member may send on purpose.

use std::path::Path;

use super::*;
use crate::room::{ContentHash, FileKind, FileName, Name, Shelf};

fn file(name: &str, content: &[u8]) -> ShelfFile {
    ShelfFile {
        number: 3,
        name: FileName::nearest(name),
        bytes: content.len() as u64,
        from: Name::new("anna").unwrap(),
        to: None,
        kind: FileKind::File,
        order: None,
        hash: Some(ContentHash::of(content)),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn receive(inbox: &Inbox, of: &ShelfFile, content: &[u8]) -> Result<std::path::PathBuf, InboxError> {
    let (mut partial, offset) = inbox.receive(of)?;
    partial.write(&content[offset as usize..])?;
    partial.finish()
}

#[test]
fn a_received_file_never_replaces_another_and_never_leaves_the_inbox() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("inbox");
    let inbox = Inbox::new(&folder);
    std::fs::write(place.path().join("passwd"), "precious").unwrap();
    for (offered, received) in [
        ("../passwd", "passwd"),
        ("../passwd", "passwd (2)"),
        ("/etc/passwd", "passwd (3)"),
        ("CON.txt", "_CON.txt"),
        ("a\nb.txt", "a_u{a}b.txt"),
        (&"x".repeat(255), &"x".repeat(199)),
    ] {
        let path = receive(&inbox, &file(offered, b"content"), b"content").unwrap();
        assert_eq!(path, folder.join(received));
        assert_eq!(std::fs::read(path).unwrap(), b"content");
    }
    assert_eq!(names(place.path()), ["inbox", "passwd"]);
    assert_eq!(std::fs::read_to_string(place.path().join("passwd")).unwrap(), "precious");
    assert_eq!(names(&folder).len(), 6, "no partial file is left");
}

#[cfg(unix)]
#[test]
fn a_planted_link_is_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let (target, inbox) = (place.path().join("precious"), Inbox::new(place.path()));
    std::fs::write(&target, "precious").unwrap();
    let of = file("a.txt", b"content");
    std::os::unix::fs::symlink(&target, place.path().join("a.txt")).unwrap();
    let partial = place.path().join(format!(".udpecho-{}.partial", &of.hash.unwrap().to_string()[..32]));
    std::os::unix::fs::symlink(&target, &partial).unwrap();
    assert_eq!(receive(&inbox, &of, b"content").unwrap(), place.path().join("a (2).txt"));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn a_cut_file_goes_on_at_its_last_block_and_a_changed_one_is_deleted() {
    let place = tempfile::tempdir().unwrap();
    let inbox = Inbox::new(place.path());
    let content: Vec<u8> = (0..400_000_u32).map(|k| (k % 251) as u8).collect();
    let of = file("a.bin", &content);
    for cut in [0, 1, 65_536, 65_537, 399_999] {
        let (mut partial, offset) = inbox.receive(&of).unwrap();
        assert!(offset % Shelf::BLOCK == 0);
        partial.write(&content[offset as usize..cut.max(offset as usize)]).unwrap();
        drop(partial);
        assert_eq!(inbox.receive(&of).unwrap().1, cut as u64 / Shelf::BLOCK * Shelf::BLOCK);
    }
    let path = receive(&inbox, &of, &content).unwrap();
    assert!(std::fs::read(path).unwrap() == content);
    let changed = receive(&inbox, &of, &vec![0; content.len()]);
    assert!(matches!(changed, Err(InboxError::WrongHash { .. })));
    assert_eq!(names(place.path()), ["a.bin"]);
}

#[test]
fn a_room_that_sends_more_or_less_than_it_told_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let inbox = Inbox::new(place.path());
    let unhashed = ShelfFile { hash: None, ..file("a.bin", b"content") };
    for of in [file("a.bin", b"content"), unhashed] {
        for bytes in [&b"content and more"[..], b"cont"] {
            let received = receive(&inbox, &of, bytes);
            assert!(matches!(received, Err(InboxError::WrongLength { .. })), "{received:?}");
            assert!(names(place.path()).is_empty());
        }
    }
}

/// A byte every 10 ms, without an end.
fn trickle() -> impl Stream<Item = Vec<u8>> {
    futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        Some((vec![1], ()))
    })
}

#[test]
fn an_upload_of_less_than_a_block_in_its_time_ends_and_can_go_on() {
    let shelf = Shelf::new([7; 32], 1 << 20);
    let room = RoomService::new(crate::net::Clock::start()).with_shelf(shelf);
    let files = RoomFiles::new(room.clone(), None).unwrap();
    let connecting = crate::room::Connecting {
        source: [127, 0, 0, 1].into(),
        role: crate::room::Role::Member,
        via: crate::room::Via::Client,
        encrypted: true,
    };
    let seat = room.join(connecting).unwrap();
    assert!(seat.say("anna"));
    let content = vec![1; 100_000];
    let ShelfFile { name, bytes, to, kind, order, hash, .. } = file("a.bin", &content);
    let offer = crate::room::Offer { name, bytes, to, kind, order, hash };
    let offered = || match seat.offer_file(offer.clone()).unwrap() {
        crate::room::Offered::Upload(transfer) => transfer,
        known @ crate::room::Offered::Known(_) => panic!("{known:?}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let patience = Duration::from_millis(300);
        let upload = files.upload(offered().ticket.as_str()).await.unwrap();
        let begun = futures_util::stream::iter([vec![1; 70_000]]);
        let slow = upload.receive(begun.chain(trickle()), patience).await;
        assert!(matches!(slow, Err(UploadError::Cut { received: 70_000.., bytes: 100_000 })), "{slow:?}");
        let transfer = offered();
        assert_eq!(transfer.offset, Shelf::BLOCK);
        let rest = vec![content[transfer.offset as usize..].to_vec()];
        let upload = files.upload(transfer.ticket.as_str()).await.unwrap();
        let whole = upload.receive(futures_util::stream::iter(rest), patience).await.unwrap();
        assert_eq!(whole.bytes, 100_000);
    });
}

#[test]
fn the_folder_of_a_run_comes_out_as_it_went_in_and_nothing_else_does() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    std::fs::create_dir(&run).unwrap();
    for name in ["run.json", "probes.csv", "notes.txt"] {
        std::fs::write(run.join(name), name).unwrap();
    }
    let to = place.path().join("inbox");
    for received in ["run", "run (2)"] {
        let folder = unpack_run(pack_run(&run).unwrap(), &to, &FileName::nearest("run")).unwrap();
        assert_eq!(folder, to.join(received));
        assert_eq!(names(&folder), ["probes.csv", "run.json"]);
        assert_eq!(std::fs::read_to_string(folder.join("run.json")).unwrap(), "run.json");
    }
    assert!(pack_run(place.path()).is_err());
}

/// Names that an archive may hold but a run does not: paths, links, devices.
#[test]
fn a_hostile_archive_writes_nothing_but_the_files_of_a_run() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind) in [
        ("../evil", tar::EntryType::Regular),
        ("/tmp/evil", tar::EntryType::Regular),
        ("x/run.json", tar::EntryType::Regular),
        ("probes.csv", tar::EntryType::Symlink),
        ("seconds.csv", tar::EntryType::Fifo),
        ("run.json", tar::EntryType::Regular),
    ] {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        if kind == tar::EntryType::Symlink {
            header.as_mut_bytes()[157..168].copy_from_slice(b"/etc/passwd");
        }
        header.set_size(if kind == tar::EntryType::Regular { 4 } else { 0 });
        header.set_cksum();
        let bytes: &[u8] = if kind == tar::EntryType::Regular { b"evil" } else { b"" };
        archive.append(&header, bytes).unwrap();
    }
    // A GNU long-name entry, whose name has no limit.
    for (name, kind, bytes) in [
        ("././@LongLink", tar::EntryType::GNULongName, &b"report.html\0"[..]),
        ("x", tar::EntryType::Regular, b"evil"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, bytes).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    let folder = unpack_run(&archive[..], &place.path().join("inbox"), &FileName::nearest("r")).unwrap();
    assert_eq!(names(&folder), ["run.json"]);
    assert_eq!(names(place.path()), ["inbox"]);
    let mut broken = archive.clone();
    broken.truncate(700);
    let _ = unpack_run(&broken[..], place.path(), &FileName::nearest("b"));
    broken.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(7));
    let _ = unpack_run(&broken[..], place.path(), &FileName::nearest("b"));
}
