//! Files that others may have prepared: written without following a link, read without waiting and
//! up to a bound.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Writes a file whole: a new one of a random name beside it, which then takes its place. A link of
/// that name is replaced; what it points to stays as it is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = new_file().tempfile_in(folder_of(path))?;
    beside.write_all(bytes)?;
    beside.persist(path).map(drop).map_err(|error| error.error)
}

/// A file to be written bit by bit, in place of the one of that name or of the link.
pub fn replace(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// A regular file: a pipe could keep its reader waiting, and a device has no end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// All of the text, if it is no longer than this.
pub fn read_text(reader: impl Read, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let mut reader = reader.take(most);
    reader.read_to_string(&mut text)?;
    if reader.into_inner().read(&mut [0])? > 0 {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {most} bytes")));
    }
    Ok(text)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// With the permissions that any new file has.
fn new_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".udpecho-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_long_as_it_may_be_and_no_longer() {
        assert_eq!(read_text(&b"1234"[..], 4).unwrap(), "1234");
        assert_eq!(read_text(&b"12345"[..], 4).unwrap_err().to_string(), "it is longer than 4 bytes");
        assert!(read_text(io::repeat(b'x'), 1 << 16).is_err());
        // Cut within a character, it is too long all the same.
        assert!(read_text("123é".as_bytes(), 4).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_points_to_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let (target, link) = (place.path().join("precious"), place.path().join("report.png"));
        fs::write(&target, "precious").unwrap();
        let write: [fn(&Path) -> io::Result<()>; 2] = [
            |path| write_whole(path, b"new"),
            |path| replace(path).and_then(|mut file| file.write_all(b"new")),
        ];
        for write in write {
            let _ = fs::remove_file(&link);
            symlink(&target, &link).unwrap();
            write(&link).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
            assert!(!link.is_symlink());
            assert_eq!(fs::read_to_string(&link).unwrap(), "new");
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
        // As any other new file, not readable by its owner alone.
        let other = place.path().join("other");
        fs::write(&other, "").unwrap();
        write_whole(&link, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&link), mode(&other));
    }
}
