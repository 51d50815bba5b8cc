//! Where the bytes of the shelf lie: in unnamed temporary files, or in a folder that is kept, where a
//! file is called by its hash. The names that members give never become paths here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use super::inbox::hash_of;
use crate::room::ContentHash;

#[derive(Debug)]
pub(super) struct FileStore {
    /// `None`: nothing is left when the process ends.
    kept: Option<PathBuf>,
    open: Mutex<HashMap<u32, Arc<Mutex<File>>>>,
}

impl FileStore {
    pub(super) fn temporary() -> Self {
        Self { kept: None, open: Mutex::default() }
    }

    /// In this folder, which is made if it is not there.
    pub(super) fn kept(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { kept: Some(folder), open: Mutex::default() })
    }

    /// Makes room for a file unless a part of it is there.
    pub(super) async fn create(&self, number: u32) -> io::Result<()> {
        if self.lock().contains_key(&number) {
            return Ok(());
        }
        let partial = self.partial(number);
        let file = blocking(move || match partial {
            None => tempfile::tempfile(),
            Some(path) => {
                let _ = fs::remove_file(&path);
                File::options().read(true).write(true).create_new(true).open(path)
            }
        });
        let file = file.await?;
        self.lock().insert(number, Arc::new(Mutex::new(file)));
        Ok(())
    }

    pub(super) async fn write(&self, number: u32, offset: u64, bytes: Vec<u8>) -> io::Result<()> {
        let file = self.file(number)?;
        blocking(move || {
            let mut file = lock(&file);
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        })
        .await
    }

    /// At most `most` bytes; fewer only at the end.
    pub(super) async fn read(&self, number: u32, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        let file = self.file(number)?;
        blocking(move || {
            let mut bytes = Vec::new();
            let mut file = lock(&file);
            file.seek(SeekFrom::Start(offset))?;
            (&mut *file).take(most).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    /// Reads the whole, on a thread that may block.
    pub(super) fn reader(&self, number: u32) -> io::Result<StoreReader> {
        Ok(StoreReader { file: self.file(number)?, offset: 0 })
    }

    /// Of all that was written.
    pub(super) async fn hash(&self, number: u32) -> io::Result<ContentHash> {
        let file = self.file(number)?;
        blocking(move || {
            let mut file = lock(&file);
            file.seek(SeekFrom::Start(0))?;
            hash_of(&*file)
        })
        .await
    }

    /// The file is whole: in a kept folder it gets its hash as its name.
    pub(super) async fn complete(&self, number: u32, hash: ContentHash) -> io::Result<()> {
        let Some((folder, partial)) = self.kept.clone().zip(self.partial(number)) else { return Ok(()) };
        blocking(move || fs::rename(partial, folder.join(hash.to_string()))).await
    }

    /// Forgets a file that is not whole.
    pub(super) fn remove(&self, number: u32) {
        self.lock().remove(&number);
        if let Some(partial) = self.partial(number) {
            let _ = fs::remove_file(partial);
        }
    }

    fn partial(&self, number: u32) -> Option<PathBuf> {
        self.kept.as_ref().map(|folder| folder.join(format!("{number}.partial")))
    }

    fn file(&self, number: u32) -> io::Result<Arc<Mutex<File>>> {
        self.lock().get(&number).map(Arc::clone).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<Mutex<File>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place of its own in a file that others read too.
#[derive(Debug)]
pub(in crate::net::room) struct StoreReader {
    file: Arc<Mutex<File>>,
    offset: u64,
}

impl Read for StoreReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read(buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

fn lock(file: &Mutex<File>) -> MutexGuard<'_, File> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slow disk must not hold up the talk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
