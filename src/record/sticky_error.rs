//! A writer that stops for good at its first error: what was written is the beginning of what was to
//! be written, even where a full disk has room again later and buffers are flushed once more.

use std::io::{self, Write};

pub struct Fuse<W> {
    inner: W,
    blown: Option<io::ErrorKind>,
}

impl<W> Fuse<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, blown: None }
    }

    fn pass<T>(&mut self, operation: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if let Some(kind) = self.blown {
            return Err(kind.into());
        }
        let result = operation(&mut self.inner);
        // An interrupted write has done nothing and is tried again.
        self.blown = result.as_ref().err().map(io::Error::kind).filter(|k| *k != io::ErrorKind::Interrupted);
        result
    }
}

impl<W: Write> Write for Fuse<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pass(|inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass(W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what fits, fails once, and has room again.
    struct Briefly {
        taken: Vec<u8>,
        failed: bool,
    }

    impl Write for Briefly {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.taken.len() + bytes.len() > 10 && !std::mem::replace(&mut self.failed, true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut fuse = Fuse::new(Briefly { taken: Vec::new(), failed: false });
        fuse.write_all(b"12345678").unwrap();
        assert_eq!(fuse.write_all(b"abcdefgh").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fuse.write_all(b"z").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fuse.inner.taken, b"12345678");
    }
}
