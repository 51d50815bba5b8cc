//! `run.json` of a proxy, which is also the object of `proxy --json`: what it relayed, and what came of it.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::relay::RelayFigures;

/// As it is written.
#[derive(Clone, Debug, Serialize)]
pub struct ProxyRun<'a> {
    /// The version of its form.
    pub schema: u32,
    /// The version of the program.
    pub udpecho: &'static str,
    /// Tells it from the record of `ping`: `proxy`.
    pub command: &'static str,
    /// The command line.
    pub argv: Vec<String>,
    /// RFC 3339.
    pub started: String,
    /// Mappings and counters.
    #[serde(flatten)]
    pub figures: &'a RelayFigures,
    /// Absent while it runs, and when it was killed.
    pub end: Option<ProxyEnd>,
}

/// How a proxy ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyEnd {
    /// Of the program.
    pub exit_code: u8,
    /// Expectations that were not met, in words.
    pub unmet: Vec<String>,
}

impl<'a> ProxyRun<'a> {
    /// The version of its form.
    pub const SCHEMA: u32 = 1;
    /// The value of `command`.
    pub const COMMAND: &'static str = "proxy";

    /// A proxy that runs.
    pub fn new(argv: Vec<String>, started: String, figures: &'a RelayFigures) -> Self {
        Self {
            schema: Self::SCHEMA,
            udpecho: env!("CARGO_PKG_VERSION"),
            command: Self::COMMAND,
            argv,
            started,
            figures,
            end: None,
        }
    }

    /// The whole of `run.json`.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}

/// As a report reads it: everything that is counted comes from `datagrams.csv`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedProxy {
    /// The version of the program.
    pub udpecho: String,
    /// The command line.
    pub argv: Vec<String>,
    /// RFC 3339.
    pub started: String,
    /// Every mapping, removed ones too.
    pub mappings: Vec<RecordedMapping>,
    /// Absent if it was killed.
    pub end: Option<ProxyEnd>,
}

/// A mapping and its lines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedMapping {
    /// Unique.
    pub name: String,
    /// Its address.
    pub listen: String,
    /// The server, as it was named.
    pub to: String,
    /// Of its random draws.
    pub seed: u64,
    /// Toward the server.
    pub up: RecordedLine,
    /// Toward the client.
    pub down: RecordedLine,
}

/// The impairments of a direction, as they were at the end.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedLine {
    /// As `--up` takes it.
    pub line: String,
}
