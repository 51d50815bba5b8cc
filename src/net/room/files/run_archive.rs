//! The folder of a run as one file of the shelf: a tar archive of the files that a run has.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::room::FileName;

/// The files of a run's folder; anything else in an archive is left out.
const FILES: [&str; 6] = ["run.json", "probes.csv", "seconds.csv", "report.png", "report.svg", "report.html"];

/// The archive of this folder, in an unnamed temporary file, to be read from its begin.
pub fn pack_run(folder: &Path) -> io::Result<File> {
    if !folder.join(FILES[0]).is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no run.json in it: not the folder of a run"));
    }
    let mut archive = tar::Builder::new(tempfile::tempfile()?);
    archive.mode(tar::HeaderMode::Deterministic);
    for name in FILES {
        let path = folder.join(name);
        if path.is_file() {
            archive.append_file(name, &mut File::open(path)?)?;
        }
    }
    let mut file = archive.into_inner()?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

/// Unpacks the files of a run into a new folder below `parent`.
pub fn unpack_run(archive: impl Read, parent: &Path, name: &FileName) -> io::Result<PathBuf> {
    fs::create_dir_all(parent)?;
    let folder = name.variants().take(10_000).map(|name| parent.join(name)).find_map(|folder| {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            made => Some(made.map(|()| folder)),
        }
    });
    let folder = folder.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
    unpack_into(archive, &folder)?;
    Ok(folder)
}

/// Only these names, each a regular file that is not there yet. They are short: entries with long names, which the
/// reader would hold in memory, are skipped as any others.
fn unpack_into(archive: impl Read, folder: &Path) -> io::Result<()> {
    for entry in tar::Archive::new(archive).entries()?.raw(true) {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = FILES.into_iter().find(|name| path == Path::new(name));
        if let Some(name) = name.filter(|_| entry.header().entry_type().is_file()) {
            io::copy(&mut entry, &mut File::create_new(folder.join(name))?)?;
        }
    }
    Ok(())
}
