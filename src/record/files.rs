//! File access that is safe where another user prepared the folder: writes replace a symbolic link,
//! reads accept regular files only and stop at a size limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a temporary file beside `path` and renames it over `path`: readers see the old file or the
/// new one. A symbolic link there is replaced, its target stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    stream_atomically(path, |file| file.write_all(bytes))
}

/// The same for what is written piece by piece.
pub fn stream_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = new_file().tempfile_in(folder_of(path))?;
    write(temporary.as_file_mut())?;
    temporary.persist(path).map(drop).map_err(|error| error.error)
}

/// Creates a file to stream to. A file or symbolic link of that name is removed first.
pub fn replace(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Adds lines to a table, which begins with its header; returns false and changes nothing if it begins with another one.
/// Part of a line at its end, which a kill left, is cut off; so is part of these lines if they do not fit. A symbolic
/// link of that name is replaced.
pub fn append_lines(path: &Path, header: &[u8], lines: &[u8]) -> io::Result<bool> {
    let mut file = open_to_append(path)?;
    // Another program may add lines, too. A file system without locks has none to wait for.
    let _ = file.lock();
    let begin = begin_of(&mut file, header.len())?;
    if begin != header && !header.starts_with(&begin) {
        return Ok(false);
    }
    let begins_here = begin.len() < header.len();
    let end = if begins_here { 0 } else { end_of_lines(&mut file)? };
    file.set_len(end)?;
    let text = [if begins_here { header } else { &[] }, lines].concat();
    let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(&text));
    written.inspect_err(|_| _ = file.set_len(end))?;
    Ok(true)
}

fn open_to_append(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        fs::remove_file(path)?;
    }
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

fn begin_of(file: &mut File, length: usize) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    file.take(length as u64).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Behind the last line that is whole. After a power failure zeros of any length may follow it.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    const PIECE: u64 = 1 << 16;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let from = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(from))?;
        let mut piece = Vec::new();
        file.take(end - from).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
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

    #[test]
    fn lines_are_added_behind_whole_lines_below_the_same_header() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("table.csv");
        let read = || fs::read_to_string(&path).unwrap();
        assert!(append_lines(&path, b"a,b\n", b"1,2\n").unwrap());
        assert!(append_lines(&path, b"a,b\n", b"3,4\n").unwrap());
        assert_eq!(read(), "a,b\n1,2\n3,4\n");
        assert!(!append_lines(&path, b"a,c\n", b"5,6\n").unwrap());
        assert_eq!(read(), "a,b\n1,2\n3,4\n");
        let zeros = format!("a,b\n1,2\n3,{}", "\0".repeat(200_000));
        let whole = "a,b\n1,2\n5,6\n";
        for (torn, whole) in [("a,b\n1,2\n3,\"x", whole), (&zeros, whole), ("a,", "a,b\n5,6\n")] {
            fs::write(&path, torn).unwrap();
            assert!(append_lines(&path, b"a,b\n", b"5,6\n").unwrap());
            assert_eq!(read(), whole);
        }
    }

    #[test]
    fn a_file_that_begins_otherwise_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("table.csv");
        for other in ["no table", "a,c\n1,2\n3", "\n"] {
            fs::write(&path, other).unwrap();
            assert!(!append_lines(&path, b"a,b\n", b"5,6\n").unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
    }

    #[test]
    fn two_writers_of_one_table_lose_no_line_of_each_other() {
        const LINES: usize = 2_000;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("table.csv");
        let add = |line: &[u8]| {
            for _ in 0..LINES {
                assert!(append_lines(&path, b"a,b\n", line).unwrap());
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| add(b"1,2\n"));
            add(b"3,4\n");
        });
        let text = fs::read_to_string(&path).unwrap();
        let count = |line: &str| text.lines().filter(|found| *found == line).count();
        assert_eq!((text.lines().count(), count("1,2"), count("3,4")), (1 + 2 * LINES, LINES, LINES));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_replaced_and_its_target_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let (target, link) = (place.path().join("precious"), place.path().join("report.png"));
        fs::write(&target, "precious").unwrap();
        let write: [fn(&Path) -> io::Result<()>; 3] = [
            |path| append_lines(path, b"", b"new").map(|is_added| assert!(is_added)),
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
