//! A disk that is full before the run is over: the measurement goes on, and the end tells.

use std::cell::Cell;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::rc::Rc;

use proptest::prelude::*;
use tempfile::TempDir;
use udpecho::probe::Resolved;
use udpecho::record::{EventWriter, Folder, ProbeReader, ProbeWriter};

use super::generated::{Made, Scenario};
use crate::common::process::{Process, run, udpecho};

/// Takes so many bytes. Later there is room again.
struct Disk {
    taken: Vec<u8>,
    room: Rc<Cell<usize>>,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.room.get().saturating_sub(self.taken.len()));
        self.taken.extend(&bytes[..fits]);
        if fits == 0 && !bytes.is_empty() {
            self.room.set(usize::MAX);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is tried after the error, what is on the disk is the beginning of the file.
    #[test]
    fn what_fits_is_the_beginning_of_the_file(scenario in Scenario::any(), part in 0.0..1.0) {
        let Some(made) = scenario.make() else { return Ok(()) };
        let room = ((made.probes.len() - 1) as f64 * part) as usize;
        let mut disk = Disk { taken: Vec::new(), room: Rc::new(Cell::new(room)) };
        let failed = write_rows(&mut disk, &made.rows).is_err();
        prop_assert!(failed);
        prop_assert_eq!(&disk.taken[..], &made.probes[..room]);
        let read: Vec<Resolved> = ProbeReader::new(&disk.taken[..]).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&read[..], &made.rows[..read.len()]);

        let mut whole = Vec::new();
        write_events(&mut whole, &made).unwrap();
        let room = ((whole.len() - 1) as f64 * part) as usize;
        let mut disk = Disk { taken: Vec::new(), room: Rc::new(Cell::new(room)) };
        prop_assert!(write_events(&mut disk, &made).is_err());
        prop_assert_eq!(&disk.taken[..], &whole[..room]);
    }
}

/// Goes on after an error, as a caller that does not look would.
fn write_rows(disk: &mut Disk, rows: &[Resolved]) -> io::Result<()> {
    let mut writer = ProbeWriter::new(disk)?;
    let mut result = Ok(());
    for row in rows {
        result = result.and(writer.write(row));
    }
    result.and(writer.flush())
}

fn write_events(out: impl Write, made: &Made) -> io::Result<()> {
    let mut writer = EventWriter::new(out);
    let mut result = writer.start(&made.run);
    for row in &made.rows {
        result = result.and(writer.probe(row)).and(writer.flush());
    }
    result.and(writer.end(&made.run)).and(writer.flush())
}

#[test]
fn rows_that_do_not_fit_end_no_measurement() {
    let mut command = udpecho();
    command.args(["ping", "-n", "5", "-i", "0.02", "-W", "2", "--no-record", "--csv", "/dev/full"]);
    let finished = run(command);
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    // A busy host skips probes.
    assert!(finished.has_line(" packets transmitted"), "{finished:#?}");
    assert_eq!(
        finished.stderr,
        ["udpecho: could not finish writing /dev/full: No space left on device (os error 28)"]
    );
}

#[test]
fn neither_do_lines_nor_objects_on_a_full_disk() {
    for options in [&[][..], &["--json"], &["--json-stream"], &["--csv", "-"]] {
        let place = TempDir::new().unwrap();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = udpecho();
        command.args(["ping", "-n", "5", "-i", "0.02", "-W", "2", "-o", "run"]).args(options);
        let output = command.current_dir(&place).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {output:#?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("udpecho: cannot write to standard output: No space left"), "{stderr}");
        let summary = Folder::open(&place.path().join("run")).unwrap().read_run().unwrap().summary;
        let summary = summary.expect("a complete record");
        // A busy host skips probes.
        assert_eq!(summary.sent + summary.send_errors, 5, "{options:?}");
    }
}

/// The shell bounds the size of a file; what would be longer is refused as on a full disk.
#[test]
fn a_record_that_does_not_fit_is_read_as_far_as_it_goes() {
    let place = TempDir::new().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -f 24; exec {} ping -n 400 -i 0.002 -W 1 -q -o run",
        env!("CARGO_BIN_EXE_udpecho")
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(&place);
    let finished = Process::spawn(command).finish();
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.has_line(" packets transmitted"), "{finished:#?}");
    let complaint = finished.stderr.join("\n");
    assert!(complaint.starts_with("udpecho: could not finish writing the record in run: "), "{complaint}");

    let folder = Folder::open(&place.path().join("run")).unwrap();
    let kept = folder.read_run().unwrap();
    let summary = kept.summary.expect("the figures fit");
    assert_eq!(summary.sent + summary.send_errors, 400);
    assert_eq!(kept.events.last().map(|event| event.kind.as_str()), Some("not_recorded"));

    let mut command = udpecho();
    command.args(["report", "run"]).current_dir(&place);
    let report = run(command);
    assert_eq!(report.code, Some(0), "{report:#?}");
    // One run in a hundred fills the file with its last whole row.
    let is_cut = !std::fs::read(place.path().join("run/probes.csv")).unwrap().ends_with(b"\n");
    assert_eq!(report.has_line("note: the last row of probes.csv is incomplete"), is_cut, "{report:#?}");
    assert!(report.has_line("of the run's 400 probes"), "{report:#?}");
}

#[test]
fn at_its_limit_probes_csv_stops_and_all_else_goes_on() {
    let place = TempDir::new().unwrap();
    let mut command = udpecho();
    command.args("ping -n 400 -i 0.002 -W 5 -q -o run --record-limit 8k".split(' ')).current_dir(&place);
    let finished = run(command);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line(" packets transmitted"), "{finished:#?}");
    let warnings: Vec<_> = finished.stderr.iter().filter(|line| line.contains("warning")).collect();
    assert_eq!(warnings.len(), 1, "{finished:#?}");
    assert!(warnings[0].contains("probes.csv has reached 8000 bytes (--record-limit)"), "{finished:#?}");

    let path = place.path().join("run");
    let length = std::fs::metadata(path.join("probes.csv")).unwrap().len();
    assert!((7000..=8000).contains(&length), "{length}");
    let folder = Folder::open(&path).unwrap();
    let rows: Vec<Resolved> = folder.probe_reader().unwrap().map(Result::unwrap).collect();
    assert!((0..).zip(&rows).all(|(seq, row)| row.seq == seq) && rows.len() > 20, "{} rows", rows.len());
    let kept = folder.read_run().unwrap();
    let summary = kept.summary.as_ref().expect("the whole run's figures");
    assert_eq!(summary.sent + summary.send_errors, 400);
    let told: Vec<_> = kept.events.iter().filter(|event| event.kind == "record_limit").collect();
    assert_eq!(told.len(), 1, "{:?}", kept.events);
    assert!(told[0].text.ends_with(&format!("no rows from seq {} on", rows.len())), "{told:?}");
    let seconds = std::fs::read_to_string(path.join("seconds.csv")).unwrap();
    let sent = |row: &str| row.split(',').nth(1).unwrap().parse::<u64>().unwrap();
    assert_eq!(seconds.lines().skip(1).map(sent).sum::<u64>(), 400);

    let before = std::fs::read(path.join("run.json")).unwrap();
    let mut command = udpecho();
    command.args(["report", "run", "--format", "html"]).current_dir(&place);
    let report = run(command);
    assert_eq!(report.code, Some(0), "{report:#?}");
    let note =
        format!("note: probes.csv holds {} of the run's 400 probes; the figures are of these", rows.len());
    assert!(report.has_line(&note), "{report:#?}");
    let page = std::fs::read_to_string(path.join("report.html")).unwrap();
    assert!(page.contains("All figures are of the first probes alone: probes.csv has reached"));
    assert_eq!(std::fs::read(path.join("run.json")).unwrap(), before);
}

#[test]
fn where_nothing_can_be_written_and_no_folder_was_asked_for_it_is_measured_all_the_same() {
    let place = TempDir::new().unwrap();
    std::fs::write(place.path().join("results"), "in the way").unwrap();
    let mut command = udpecho();
    command.args(["ping", "-n", "3", "-i", "0.01", "-W", "5"]).current_dir(&place);
    let finished = run(command);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line("3 packets transmitted"), "{finished:#?}");
    let [warning] = &finished.stderr[..] else { panic!("{finished:#?}") };
    assert!(
        warning.starts_with("udpecho: warning: nothing is recorded: cannot write to results/"),
        "{warning}"
    );
    assert!(!finished.stdout[1].contains("recorded in"), "{finished:#?}");
    // Asked for, it is an error.
    let mut command = udpecho();
    command.args(["ping", "-n", "3", "-i", "0.01", "-o", "results/run"]).current_dir(&place);
    let refused = run(command);
    assert_eq!((refused.code, refused.stderr.len()), (Some(2), 1), "{refused:#?}");
}
