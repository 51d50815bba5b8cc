//! Writes the record of a watch. A thread of its own writes, so that no disk delays anything else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;

use crate::cli::printer::stderr_line;
use crate::fleet::{
    Minutes, Moment, RecordStatus, Snapshot, TargetView, file_name, header, is_expired, keep_newest, lines_of,
};
use crate::net::{Clock, Control, lower_priority};
use crate::record::files::append_lines;
use crate::time::{Duration, Instant};

/// Hands the counters to the thread that writes.
pub(super) struct Recorder {
    clock: Clock,
    counted: SyncSender<Counted>,
    status: Arc<Mutex<RecordStatus>>,
    thread: JoinHandle<()>,
    /// The minute that is counted now.
    minute: Instant,
    /// Targets that were removed since the thread took the last minute.
    removed: Vec<TargetView>,
}

/// The targets with their counters.
struct Counted {
    at: Moment,
    of: Snapshot,
    /// Before those of the same names in `of`, which are others.
    removed: Vec<TargetView>,
    /// The rows end then.
    end: Instant,
}

impl Recorder {
    pub(super) fn start(folder: PathBuf, keep: Duration, clock: Clock) -> anyhow::Result<Self> {
        let now = moment(clock);
        // While the disk is stuck one minute waits; those after it are counted by the next rows.
        let (counted, to_write) = sync_channel(1);
        let status = Arc::default();
        let mut writer = Writer::new(folder, keep, now, Arc::clone(&status));
        let write = move || {
            lower_priority();
            writer.begin(now);
            writer.write_all(&to_write);
        };
        let thread = std::thread::Builder::new().name("record".into()).spawn(write);
        let thread = thread.context("cannot start a thread")?;
        Ok(Self { clock, counted, status, thread, minute: now.minute(), removed: Vec::new() })
    }

    /// Whether a minute of the wall clock is over.
    pub(super) fn is_due(&self) -> bool {
        moment(self.clock).minute() != self.minute
    }

    /// A minute that the thread cannot take counts as a failure: it still writes the one before the last.
    pub(super) fn minute(&mut self, of: Snapshot) {
        let at = moment(self.clock);
        self.minute = at.minute();
        let removed = std::mem::take(&mut self.removed);
        if let Some(counted) = self.hand_over(Counted { at, of, removed, end: at.minute() }) {
            self.removed = counted.removed;
            lock(&self.status).failures += 1;
        }
    }

    /// These targets are measured no more.
    pub(super) fn removed(&mut self, targets: Vec<TargetView>) {
        self.removed.extend(targets);
        keep_newest(&mut self.removed);
    }

    /// Writes the rows of the minute that has begun; an abort waits no longer for a disk that hangs.
    pub(super) fn finish(mut self, of: Snapshot, control: &Control) -> RecordStatus {
        const LOOK: std::time::Duration = std::time::Duration::from_millis(5);
        let (at, removed) = (moment(self.clock), std::mem::take(&mut self.removed));
        let mut last = self.hand_over(Counted { at, of, removed, end: at.wall });
        let waits = |thread: &JoinHandle<()>| !thread.is_finished() && !control.abort_asked();
        while let Some(counted) = last.filter(|_| waits(&self.thread)) {
            std::thread::sleep(LOOK);
            last = self.hand_over(counted);
        }
        // Without a sender the thread ends.
        drop(self.counted);
        while waits(&self.thread) {
            std::thread::sleep(LOOK);
        }
        *lock(&self.status)
    }

    /// Returns it if the thread cannot take it yet.
    fn hand_over(&self, counted: Counted) -> Option<Counted> {
        match self.counted.try_send(counted) {
            Ok(()) => None,
            Err(TrySendError::Full(counted) | TrySendError::Disconnected(counted)) => Some(counted),
        }
    }

    pub(super) fn status(&self) -> RecordStatus {
        *lock(&self.status)
    }
}

fn lock(status: &Mutex<RecordStatus>) -> MutexGuard<'_, RecordStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

fn moment(clock: Clock) -> Moment {
    let steady = clock.now();
    Moment { steady, wall: steady + clock.wall_offset() }
}

/// Lives in the thread that writes.
struct Writer {
    folder: PathBuf,
    keep: Duration,
    minutes: Minutes,
    status: Arc<Mutex<RecordStatus>>,
    /// The last attempt failed, and that was told.
    is_failing: bool,
    /// The last day on which old files were removed.
    cleaned: Option<String>,
}

impl Writer {
    fn new(folder: PathBuf, keep: Duration, now: Moment, status: Arc<Mutex<RecordStatus>>) -> Self {
        Self { folder, keep, minutes: Minutes::new(now), status, is_failing: false, cleaned: None }
    }

    /// Creates today's file, so that an error of the folder shows at the start.
    fn begin(&mut self, now: Moment) {
        self.append(now, &[]);
    }

    fn write_all(&mut self, counted: &Receiver<Counted>) {
        counted.iter().for_each(|counted| self.write(&counted));
    }

    fn write(&mut self, Counted { at, of, removed, end }: &Counted) {
        let rows = self.minutes.rows(of, removed, *at, *end);
        if rows.is_empty() || self.append(*at, &lines_of(&rows)) {
            self.minutes.note_written(&rows);
        }
    }

    /// To the file of the day on which the rows begin.
    fn append(&mut self, now: Moment, lines: &[u8]) -> bool {
        let appended = append_to(&self.folder, self.minutes.start(), lines);
        self.note(now, appended.is_ok());
        let has_failed = std::mem::replace(&mut self.is_failing, appended.is_err());
        match &appended {
            Ok(()) if has_failed => {
                stderr_line(format_args!("udpecho: {} is written again", self.folder.display()));
            }
            Err(error) if !has_failed => stderr_line(format_args!("udpecho: {error:#}; measuring goes on")),
            _ => {}
        }
        self.remove_old(now.wall);
        appended.is_ok()
    }

    fn note(&self, now: Moment, is_written: bool) {
        let mut status = lock(&self.status);
        if is_written {
            status.written_at = now.wall;
        } else {
            status.failures += 1;
        }
    }

    /// Once a day.
    fn remove_old(&mut self, today: Instant) {
        let name = file_name(today, 1);
        if self.cleaned.as_ref() == Some(&name) {
            return;
        }
        self.cleaned = Some(name);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let is_old = entry.file_name().to_str().is_some_and(|name| is_expired(name, today, self.keep));
            if is_old && let Err(error) = fs::remove_file(entry.path()) {
                stderr_line(format_args!("udpecho: cannot remove {}: {error}", entry.path().display()));
            }
        }
    }
}

/// A file with other columns, which another version wrote, stays as it is: the next number is taken.
fn append_to(folder: &Path, day: Instant, lines: &[u8]) -> anyhow::Result<()> {
    const MOST: u32 = 100;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for path in (1..=MOST).map(|number| folder.join(file_name(day, number))) {
        let added = append_lines(&path, &header(), lines);
        if added.with_context(|| format!("cannot write {}", path.display()))? {
            return Ok(());
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists)).context("too many files of one day with other columns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Counters, Figures, MinuteRow, read_rows};
    use crate::probe::{Event, Outcome, Resolved};
    use crate::stats::Join;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    /// 2026-11-28T23:58:30Z, 90 s before midnight.
    const START: i64 = 1_795_910_310;

    /// A monitor in virtual time with a probe a second to one target, whose every tenth is lost.
    struct Monitor {
        now: Moment,
        writer: Writer,
        figures: Figures,
        probes: u64,
        removed: Vec<TargetView>,
    }

    impl Monitor {
        fn start(folder: &Path, keep: Duration, now: Moment) -> Self {
            let mut writer = Writer::new(folder.to_owned(), keep, now, Arc::default());
            writer.begin(now);
            Self { now, writer, figures: Figures::default(), probes: 0, removed: Vec::new() }
        }

        fn probe(&mut self, seconds: i64) {
            for _ in 0..seconds {
                let is_lost = self.probes % 10 == 9;
                let (outcome, rtt) =
                    if is_lost { (Outcome::Lost, None) } else { (Outcome::Ok, Some(MINUTE / 60_000)) };
                let probe = Resolved { outcome, rtt, ..Resolved::unanswered(self.probes) };
                self.figures.observe(&Event::Resolved(probe));
                self.probes += 1;
                self.pass(Duration::from_secs(1));
            }
        }

        fn pass(&mut self, time: Duration) {
            self.now = Moment { steady: self.now.steady + time, wall: self.now.wall + time };
        }

        /// Up to the end of the minute before.
        fn write_minute(&mut self) {
            self.write_until(self.now.minute());
        }

        fn write_last(&mut self) {
            self.write_until(self.now.wall);
        }

        fn write_until(&mut self, end: Instant) {
            let (at, of, removed) =
                (self.now, snapshot(vec![self.view()]), std::mem::take(&mut self.removed));
            self.writer.write(&Counted { at, of, removed, end });
        }

        fn remove(&mut self) {
            self.removed.push(self.view());
            self.figures = Figures::default();
        }

        fn view(&self) -> TargetView {
            TargetView::of_test("a, \"b\"", "h", self.figures.clone())
        }
    }

    fn snapshot(targets: Vec<TargetView>) -> Snapshot {
        Snapshot { source: "n1".into(), targets, ..Snapshot::default() }
    }

    fn started() -> Moment {
        let at = Instant::ZERO + Duration::from_secs(START);
        Moment { steady: at, wall: at }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn rows(folder: &Path, name: &str) -> Vec<MinuteRow> {
        let mut rows = Vec::new();
        assert!(!read_rows(fs::File::open(folder.join(name)).unwrap(), |row| rows.push(row)).unwrap());
        rows
    }

    fn sum(rows: &[MinuteRow]) -> Counters {
        let mut sum = Counters::default();
        rows.iter().for_each(|row| sum.join(&row.counters));
        sum
    }

    #[test]
    fn a_row_is_in_the_file_of_the_day_on_which_its_minute_began() {
        let place = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::start(place.path(), DAY, started());
        monitor.probe(30);
        monitor.write_minute();
        monitor.probe(60);
        monitor.write_minute();
        monitor.probe(20);
        monitor.write_last();
        let [before, behind] = ["record-2026-11-28.csv", "record-2026-11-29.csv"];
        assert_eq!(names(place.path()), [before, behind]);
        let [before, behind] = [rows(place.path(), before), rows(place.path(), behind)];
        let times = |rows: &[MinuteRow]| {
            rows.iter().map(|row| (row.start - started().wall, row.length)).collect::<Vec<_>>()
        };
        let seconds = Duration::from_secs;
        assert_eq!(times(&before), [(seconds(0), seconds(30)), (seconds(30), seconds(60))]);
        assert_eq!(times(&behind), [(seconds(90), seconds(20))]);
        assert_eq!(sum(&[before, behind].concat()), monitor.figures.counters());
    }

    #[test]
    fn a_restart_appends_below_one_header_and_the_sums_go_on() {
        let place = tempfile::tempdir().unwrap();
        let mut total = Counters::default();
        let mut now = started();
        for _ in 0..3 {
            let mut monitor = Monitor::start(place.path(), DAY, now);
            monitor.probe(7);
            monitor.write_last();
            total.join(&monitor.figures.counters());
            monitor.pass(Duration::from_secs(2));
            now = monitor.now;
        }
        let rows = rows(place.path(), "record-2026-11-28.csv");
        assert_eq!((rows.len(), sum(&rows), total.outcomes.sent()), (3, total, 21));
        assert_eq!(rows[0].place.key.group, "a, \"b\"", "it was quoted");
    }

    #[test]
    fn days_older_than_is_kept_go_and_other_files_stay() {
        let place = tempfile::tempdir().unwrap();
        for name in ["record-2026-11-02-2.csv", "record-of-mine.csv", "notes.txt"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        let mut monitor = Monitor::start(place.path(), DAY * 2, started());
        for _ in 0..40 {
            monitor.pass(DAY);
            monitor.write_minute();
        }
        let kept = ["notes.txt", "record-2027-01-05.csv", "record-2027-01-06.csv", "record-of-mine.csv"];
        assert_eq!(names(place.path()), kept, "the rows of today are due when the day is over");
    }

    #[test]
    fn rows_that_cannot_be_written_are_made_up_for_by_the_next_ones() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("record");
        fs::write(&folder, "a file is no folder").unwrap();
        let mut monitor = Monitor::start(&folder, DAY, started());
        monitor.probe(30);
        monitor.write_minute();
        assert_eq!(monitor.writer.status.lock().unwrap().failures, 2, "at the start, too");
        assert!(monitor.writer.is_failing);
        fs::remove_file(&folder).unwrap();
        monitor.probe(60);
        monitor.write_minute();
        monitor.probe(60);
        monitor.write_minute();
        let rows = [rows(&folder, "record-2026-11-28.csv"), rows(&folder, "record-2026-11-29.csv")].concat();
        assert_eq!(rows.iter().map(|row| row.length).collect::<Vec<_>>(), [MINUTE + MINUTE / 2, MINUTE]);
        assert_eq!(sum(&rows), monitor.figures.counters());
        let status = *monitor.writer.status.lock().unwrap();
        assert_eq!((status.failures, status.written_at), (2, monitor.now.wall));
        assert!(!monitor.writer.is_failing);
    }

    #[test]
    fn a_target_that_is_removed_has_a_last_row_and_counts_from_zero_when_it_comes_again() {
        for is_full in [false, true] {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("record");
            let mut monitor = Monitor::start(&folder, DAY, started());
            monitor.probe(10);
            monitor.write_minute();
            if is_full {
                fs::remove_dir_all(&folder).unwrap();
                fs::write(&folder, "a file is no folder").unwrap();
            }
            let mut total = Counters::default();
            // Each has more probes than the one before: only the removal tells that these are others.
            for probes in [10, 11, 12] {
                monitor.probe(probes);
                total.join(&monitor.figures.counters());
                monitor.remove();
            }
            monitor.write_minute();
            monitor.probe(13);
            if is_full {
                fs::remove_file(&folder).unwrap();
            }
            monitor.write_last();
            total.join(&monitor.figures.counters());
            let rows = rows(&folder, "record-2026-11-28.csv");
            let lost = if is_full { 10 } else { 0 };
            assert_eq!(sum(&rows).outcomes.sent() + lost, total.outcomes.sent(), "{rows:#?}");
        }
    }

    #[test]
    fn a_minute_that_the_thread_cannot_take_is_a_failure_and_loses_no_removed_target() {
        let (counted, to_write) = sync_channel(1);
        let (clock, thread) = (Clock::start(), std::thread::spawn(|| {}));
        let (status, minute, removed) = (Arc::default(), Instant::ZERO, Vec::new());
        let mut recorder = Recorder { clock, counted, status, thread, minute, removed };
        let place = tempfile::tempdir().unwrap();
        let monitor = Monitor::start(place.path(), DAY, started());
        recorder.minute(snapshot(Vec::new()));
        recorder.removed(vec![monitor.view()]);
        recorder.minute(snapshot(Vec::new()));
        assert_eq!(recorder.status().failures, 1);
        let taken = to_write.recv().unwrap();
        recorder.minute(snapshot(Vec::new()));
        let next = to_write.recv().unwrap();
        assert_eq!((taken.removed.len(), next.removed.len(), recorder.status().failures), (0, 1, 1));
    }

    #[test]
    fn a_clock_that_is_set_moves_no_row_by_more_than_it_was_set() {
        let place = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::start(place.path(), DAY, Moment { wall: Instant::ZERO, ..started() });
        monitor.probe(5);
        // A host without a clock of its own learns the time.
        monitor.now.wall = monitor.now.steady;
        monitor.probe(25);
        monitor.write_minute();
        monitor.now.wall = monitor.now.wall - Duration::from_secs(10);
        monitor.probe(10);
        monitor.write_last();
        let rows = rows(place.path(), "record-2026-11-28.csv");
        let found: Vec<_> = rows.iter().map(|row| (row.start - started().wall, row.length)).collect();
        let seconds = Duration::from_secs;
        assert_eq!(found, [(seconds(0), seconds(30)), (seconds(20), seconds(10))]);
        assert_eq!(sum(&rows), monitor.figures.counters());
    }

    /// Also how the time looks after a host was suspended.
    #[test]
    fn a_clock_that_is_set_into_another_minute_leaves_no_row_without_time() {
        let place = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::start(place.path(), DAY, started());
        monitor.probe(5);
        monitor.now.wall = monitor.now.wall - MINUTE * 600;
        monitor.probe(5);
        monitor.write_minute();
        monitor.probe(20);
        monitor.write_minute();
        let rows = rows(place.path(), "record-2026-11-28.csv");
        let found: Vec<_> = rows.iter().map(|row| (row.start - started().wall, row.length)).collect();
        let at = |seconds| Duration::from_secs(seconds) - MINUTE * 600;
        assert_eq!(found, [(at(0), Duration::from_secs(10)), (at(10), Duration::from_secs(20))]);
    }

    #[test]
    fn rows_begin_when_there_are_targets() {
        let place = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::start(place.path(), DAY, started());
        monitor.pass(MINUTE / 2);
        let (at, of) = (monitor.now, Snapshot::default());
        monitor.writer.write(&Counted { at, of, removed: Vec::new(), end: at.minute() });
        monitor.probe(10);
        monitor.write_last();
        let rows = rows(place.path(), "record-2026-11-28.csv");
        assert_eq!(rows.iter().map(|row| row.length).collect::<Vec<_>>(), [Duration::from_secs(10)]);
    }

    /// Columns as another version has them.
    #[test]
    fn a_file_with_other_columns_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("record-2026-11-28.csv"), "time,target\n").unwrap();
        let mut monitor = Monitor::start(place.path(), DAY, started());
        monitor.probe(3);
        monitor.write_last();
        assert_eq!(rows(place.path(), "record-2026-11-28-2.csv").len(), 1);
        assert_eq!(fs::read_to_string(place.path().join("record-2026-11-28.csv")).unwrap(), "time,target\n");
    }
}
