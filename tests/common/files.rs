//! The files of a run, read and held against each other.

use std::path::Path;

use udpecho::probe::{Cause, Outcome, Resolved};
use udpecho::record::{Folder, PICTURE, PROBES, RUN, Run, SECONDS, Summary};

use super::process::names;

pub struct Record {
    pub run: Run,
    pub rows: Vec<Resolved>,
}

impl Record {
    /// Reads a run that was ended in order. Every file is there and whole, and all of them say the same.
    pub fn complete(path: &Path) -> Self {
        assert_eq!(names(path), [PROBES, PICTURE, RUN, SECONDS]);
        let record = Self::read(path);
        let summary = record.run.summary.as_ref().expect("a summary");
        record.check_rows(summary);
        check_seconds(path, &record, summary);
        let picture = std::fs::read(path.join(PICTURE)).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.ends_with(b"IEND\xAE\x42\x60\x82"));
        record
    }

    pub fn read(path: &Path) -> Self {
        let folder = Folder::open(path).unwrap();
        let rows = folder.probe_reader().unwrap().map(Result::unwrap).collect();
        Self { run: folder.read_run().unwrap(), rows }
    }

    pub fn count(&self, outcome: Outcome) -> u64 {
        self.rows.iter().filter(|row| row.outcome == outcome).count() as u64
    }

    /// The probes whose reply came in time, those included that a stalled machine skipped: the client
    /// does not send what was due during a stall of 50 ms, and records an event that says so.
    pub fn ok_or_skipped(&self) -> u64 {
        let skipped = self.count(Outcome::SendError);
        let told = self
            .run
            .events
            .iter()
            .any(|event| ["not sent", "skipped"].iter().any(|word| event.text.contains(word)));
        assert!(skipped == 0 || told, "{skipped} probes were not sent: {:?}", self.run.events);
        self.count(Outcome::Ok) + skipped
    }

    /// The numbers of the probes lost by this cause.
    pub fn lost_by(&self, cause: Cause) -> Vec<u64> {
        self.rows.iter().filter(|row| row.cause == Some(cause)).map(|row| row.seq).collect()
    }

    fn check_rows(&self, summary: &Summary) {
        assert!((0..).zip(&self.rows).all(|(seq, row)| row.seq == seq), "numbers are missing or twice");
        let counts = [Outcome::Ok, Outcome::Late, Outcome::Lost, Outcome::SendError].map(|o| self.count(o));
        assert_eq!([summary.ok, summary.late, summary.lost, summary.send_errors], counts);
        assert_eq!(summary.sent, summary.ok + summary.late + summary.lost);
        assert_eq!(summary.causes.values().sum::<u64>(), summary.lost);
        let missing = (summary.late + summary.lost) as f64 / summary.sent as f64;
        assert!(summary.loss_share.is_none_or(|share| (share - missing).abs() < 1e-12));
        for row in &self.rows {
            assert_eq!(row.size, self.run.config.size);
            assert_eq!(row.outcome == Outcome::Lost, row.cause.is_some(), "{row:?}");
            assert_eq!(matches!(row.outcome, Outcome::Ok | Outcome::Late), row.rtt.is_some(), "{row:?}");
        }
        let on_time = self.rows.iter().filter(|row| row.outcome == Outcome::Ok);
        let total: f64 = on_time.map(|row| row.rtt.unwrap().as_micros_f64()).sum();
        let mean = summary.rtt_us.as_ref().map_or(0.0, |rtt| rtt.mean);
        assert!((mean - total / summary.ok.max(1) as f64).abs() < 0.01, "mean {mean}");
    }
}

fn check_seconds(path: &Path, record: &Record, summary: &Summary) {
    let mut reader = csv::Reader::from_path(path.join(SECONDS)).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| -> Vec<u64> {
        let place = header.iter().position(|column| column == name).unwrap();
        rows.iter().map(|row| row[place].parse().unwrap()).collect()
    };
    let last = record.rows.last().map_or(0, Resolved::second);
    assert_eq!(column("second"), (1..=last).collect::<Vec<_>>());
    let sums = ["sent", "ok", "late", "lost"].map(|name| column(name).iter().sum::<u64>());
    assert_eq!(sums, [summary.sent, summary.ok, summary.late, summary.lost]);
    let bits = summary.ok * u64::from(record.run.config.size) * 8 * 2;
    assert_eq!(column("throughput_bps").iter().sum::<u64>(), bits);
}
