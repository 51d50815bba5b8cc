//! Attacks on the folders of a receiver and of a kept room: a member by hand with names that lead elsewhere, and
//! links that lie in the way.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use udpecho::room::ContentHash;

use super::Room;
use crate::common::process::{command, output, python, run};

/// Every path below this one, with the target of a link and the content of a file.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let is = if meta.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else if meta.is_dir() {
                folders.push(path.clone());
                "a folder".to_owned()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            found.insert(path, is);
        }
    }
    found
}

/// A folder that no transfer may change, beside those of the receiver and of the room.
struct Place {
    folder: tempfile::TempDir,
    before: BTreeMap<PathBuf, String>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        ["elsewhere", "bea", "bea/inbox"].iter().for_each(|name| fs::create_dir(at(name)).unwrap());
        fs::write(at("elsewhere/precious"), "precious").unwrap();
        for (name, target) in [
            ("link", "elsewhere/precious"),
            ("evil", "elsewhere/new"),
            ("folder", "elsewhere"),
            ("run", "elsewhere"),
            ("passwd", "/etc/passwd"),
        ] {
            symlink(at(target), at("bea/inbox").join(name)).unwrap();
        }
        let before = tree(folder.path());
        // It is in the way of the first file, and not among the things that stay.
        let hash = ContentHash::of(b"evil").to_string();
        let partial = format!("bea/inbox/.udpecho-{}.partial", &hash[..32]);
        symlink(at("elsewhere/precious"), at(&partial)).unwrap();
        Self { folder, before }
    }

    /// The path that the attacker aims at.
    fn target(&self) -> PathBuf {
        self.folder.path().join("elsewhere/evil")
    }

    /// Nothing is new but in these folders, and nothing that was there has changed.
    fn assert_unchanged_besides(&self, folders: &[&Path]) {
        let now = tree(self.folder.path());
        let is_new = |path: &&PathBuf| !self.before.contains_key(*path);
        let new: Vec<_> = now
            .keys()
            .filter(is_new)
            .filter(|path| !folders.iter().any(|own| path.starts_with(own)))
            .collect();
        assert!(new.is_empty(), "{new:#?}");
        for (path, was) in &self.before {
            assert_eq!(now.get(path), Some(was), "{}", path.display());
        }
    }
}

#[test]
fn no_name_of_a_member_leads_out_of_an_inbox_or_of_a_kept_room() {
    crate::needs!(Python);
    let place = Place::new();
    let kept = place.folder.path().join("kept");
    let room = Room::start(&format!("--keep {}", kept.display()));
    let mut eve = python("room_traversal.py");
    eve.arg(room.port.to_string()).arg(place.target());
    let attacked = output(eve, "");
    assert!(attacked.status.success(), "{}", String::from_utf8_lossy(&attacked.stderr));
    let answers = String::from_utf8(attacked.stdout).unwrap();
    let shelved: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shelved.len(), 25);

    let folder = place.folder.path().join("bea");
    let inbox = folder.join("inbox");
    for file in &shelved {
        let mut join = command(&folder, &format!("join 127.0.0.1:{} --name bea --do", room.port));
        join.arg(format!("/get {}", file["number"]));
        let fetched = run(join);
        let name = file["name"].as_str().unwrap();
        assert_eq!((fetched.code, fetched.stdout.len()), (Some(0), 1), "{name}: {fetched:#?}");
        let path = folder.join(&fetched.stdout[0]);
        assert_eq!(path.parent(), Some(&*inbox), "{name}: {fetched:#?}");
        if file["kind"] == "run" {
            let entries = tree(&path);
            let names: Vec<_> = entries.keys().map(|path| path.file_name().unwrap()).collect();
            assert_eq!(names, ["report.html", "run.json"], "{entries:#?}");
        } else {
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{name}");
            assert_eq!(fs::read_to_string(path).unwrap(), "evil");
        }
    }
    room.process.signal("TERM");
    assert_eq!(room.process.finish().code, Some(0));
    place.assert_unchanged_besides(&[&inbox, &kept]);
    assert_only_the_rooms_own(&kept);
}

/// The room keeps files under their hashes, of a run its record, and no page of a member's.
fn assert_only_the_rooms_own(kept: &Path) {
    let found = tree(kept);
    let names: Vec<String> =
        found.keys().map(|path| path.strip_prefix(kept).unwrap().display().to_string()).collect();
    let is_own = |name: &String| {
        matches!(&**name, "files" | "runs" | "talk.html" | "talk.ndjson")
            || name.strip_prefix("files/").is_some_and(|hash| hash.parse::<ContentHash>().is_ok())
            || matches!(&**name, "runs/link" | "runs/link/run.json" | "runs/run" | "runs/run/run.json")
    };
    assert!(names.iter().all(is_own), "{names:#?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("runs/")).count(), 4, "{names:#?}");
}
