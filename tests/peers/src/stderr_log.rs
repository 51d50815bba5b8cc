//! Prints the log of a library on stderr.

use log::{LevelFilter, Log, Metadata, Record};

struct Stderr {
    /// Targets that begin with this.
    of: &'static str,
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with(self.of)
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            eprintln!("{} {}", record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

pub fn start(of: &'static str, level: LevelFilter) {
    log::set_boxed_logger(Box::new(Stderr { of })).expect("the only logger");
    log::set_max_level(level);
}
