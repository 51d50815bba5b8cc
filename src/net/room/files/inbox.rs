//! Where fetched files go: into one folder, under a safe name, never over a file that is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::room::{ContentHash, Shelf, ShelfFile};

/// A folder for what others send.
#[derive(Clone, Debug)]
pub struct Inbox {
    folder: PathBuf,
}

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The disk does not take it.
    #[error("cannot write {path}")]
    Write {
        /// The file that was written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The bytes have another hash than the room told.
    #[error("{name} changed on its way: its hash is another; fetch it again")]
    WrongHash {
        /// The file's name.
        name: String,
    },
    /// The room sends more or fewer bytes than it told.
    #[error("{name} has another length than the room told; fetch it again")]
    WrongLength {
        /// The file's name.
        name: String,
    },
}

/// A file on its way into the inbox. Dropped before its end, it can go on later.
#[derive(Debug)]
pub struct Partial {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    of: ShelfFile,
    /// Bytes that are still to come.
    left: u64,
}

impl Inbox {
    /// This folder, which is made when the first file comes.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Begins to receive, or goes on: the second value is the byte from which on the file is to be sent.
    pub fn receive(&self, of: &ShelfFile) -> Result<(Partial, u64), InboxError> {
        let known = of.hash.map_or_else(|| format!("{}-{}", of.number, of.bytes), |hash| hash.to_string());
        // The name of a hash is no name of a member's.
        let path = self.folder.join(format!(".udpecho-{}.partial", &known[..known.len().min(32)]));
        let failed = |source| InboxError::Write { path: path.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut file = open_partial(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len().min(of.bytes);
        let offset = if of.hash.is_some() { length / Shelf::BLOCK * Shelf::BLOCK } else { 0 };
        let positioned = file.set_len(offset).and_then(|()| file.seek(SeekFrom::Start(offset)));
        positioned.map_err(failed)?;
        let (folder, left) = (self.folder.clone(), of.bytes - offset);
        Ok((Partial { folder, path: path.clone(), file, of: of.clone(), left }, offset))
    }
}

impl Partial {
    /// The next bytes. A room that sends more than it told cannot fill the disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), InboxError> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| self.wrong_length())?;
        self.file.write_all(bytes).map_err(|source| {
            // A full disk gets its room back.
            let _ = fs::remove_file(&self.path);
            InboxError::Write { path: self.path.clone(), source }
        })
    }

    /// All bytes came: checks them and gives the file its name, with a number if that is taken.
    pub fn finish(mut self) -> Result<PathBuf, InboxError> {
        if self.left > 0 {
            return Err(self.wrong_length());
        }
        let failed = |source| InboxError::Write { path: self.path.clone(), source };
        let hash = self.file.seek(SeekFrom::Start(0)).and_then(|_| hash_of(&self.file)).map_err(failed)?;
        if self.of.hash.is_some_and(|told| told != hash) {
            let _ = fs::remove_file(&self.path);
            return Err(InboxError::WrongHash { name: self.of.name.to_string() });
        }
        self.file.sync_all().map_err(failed)?;
        for name in self.of.name.variants().take(10_000) {
            let path = self.folder.join(name);
            // The empty file takes the name; the rename replaces nothing but it.
            match File::create_new(&path) {
                Ok(_) => {
                    fs::rename(&self.path, &path).map_err(failed)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(InboxError::Write { path, source }),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    fn wrong_length(&self) -> InboxError {
        let _ = fs::remove_file(&self.path);
        InboxError::WrongLength { name: self.of.name.to_string() }
    }
}

/// The hash of a file from here on.
pub fn hash_of(mut file: impl Read) -> io::Result<ContentHash> {
    let mut hasher = blake3::Hasher::new();
    let mut part = vec![0; 1 << 18];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(ContentHash::finish(&hasher)),
            length => hasher.update(&part[..length]),
        };
    }
}

/// A regular file of ours; a link in its place is removed, not followed.
fn open_partial(path: &Path) -> io::Result<File> {
    let is_ours = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    if !is_ours {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(!is_ours).create_new(!is_ours);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    options.open(path)
}
