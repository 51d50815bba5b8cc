//! A writer that returns its first error again on every later call, so that a file has no gap: a
//! buffer flushed after a full disk has room again writes nothing.

use std::io::{self, Write};

pub(super) struct StickyError<W> {
    inner: W,
    failed: Option<io::ErrorKind>,
}

impl<W> StickyError<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, failed: None }
    }

    fn unless_failed<T>(&mut self, operation: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let result = operation(&mut self.inner);
        // An interrupted write wrote nothing; the caller repeats it.
        self.failed = result.as_ref().err().map(io::Error::kind).filter(|k| *k != io::ErrorKind::Interrupted);
        result
    }
}

impl<W: Write> Write for StickyError<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_failed(|inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed(W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk of ten bytes that is full once, then has room again.
    struct FullOnce {
        written: Vec<u8>,
        failed: bool,
    }

    impl Write for FullOnce {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.written.len() + bytes.len() > 10 && !std::mem::replace(&mut self.failed, true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_written_after_an_error() {
        let mut writer = StickyError::new(FullOnce { written: Vec::new(), failed: false });
        writer.write_all(b"12345678").unwrap();
        assert_eq!(writer.write_all(b"abcdefgh").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(writer.write_all(b"z").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(writer.inner.written, b"12345678");
    }
}
