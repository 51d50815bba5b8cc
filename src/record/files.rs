//! File access that is safe where another user prepared the folder: writes replace a symbolic link,
//! reads accept regular files only and stop at a size limit.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Writes a temporary file beside `path` and renames it over `path`: readers see the old file or the
/// new one. A symbolic link there is replaced, its target stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = new_file().tempfile_in(folder_of(path))?;
    temporary.write_all(bytes)?;
    temporary.persist(path).map(drop).map_err(|error| error.error)
}

/// Creates a file to stream to. A file or symbolic link of that name is removed first.
pub fn replace(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Opens a regular file only: a pipe could block the reader, and a device has no end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Reads all of the text, of at most `limit` bytes.
pub fn read_text(reader: impl Read, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    let mut reader = reader.take(limit);
    reader.read_to_string(&mut text)?;
    if reader.into_inner().read(&mut [0])? > 0 {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
    }
    Ok(text)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// With the permissions of an ordinary new file; `tempfile` would make it private to its owner.
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
    fn a_text_longer_than_the_limit_is_an_error() {
        assert_eq!(read_text(&b"1234"[..], 4).unwrap(), "1234");
        assert_eq!(read_text(&b"12345"[..], 4).unwrap_err().to_string(), "longer than 4 bytes");
        assert!(read_text(io::repeat(b'x'), 1 << 16).is_err());
        // The limit falls within a character: still too long.
        assert!(read_text("123é".as_bytes(), 4).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_replaced_and_its_target_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let (target, link) = (place.path().join("precious"), place.path().join("report.png"));
        fs::write(&target, "precious").unwrap();
        let write: [fn(&Path) -> io::Result<()>; 2] = [
            |path| write_atomically(path, b"new"),
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
        // The same permissions as any new file.
        let other = place.path().join("other");
        fs::write(&other, "").unwrap();
        write_atomically(&link, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&link), mode(&other));
    }
}
