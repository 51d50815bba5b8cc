//! `udpecho ping --find-rate`: the rate that the path carries, and what load does to delay.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};

use crate::cli::args::{FindRate, HowToLoad, Ping};
use crate::cli::exit::{self, Exit};
use crate::cli::measurement::{Config, cannot_send, exit_of, explain, in_the_middle, run_folder};
use crate::cli::picture::draw_rate;
use crate::cli::printer::{Printer, print_path};
use crate::cli::signals;
use crate::net::{Control, run_load};
use crate::probe::rate_search::{self, RateSearch};
use crate::probe::{CutShort, Dialect, Found, LoadSettings, LoadTest, RateRow, Way};
use crate::record::rate::{DirectionRate, Rate, SCALE};
use crate::record::{Folder, RATE_ROWS, RateWriter, Run};
use crate::report::{bit_rate, bytes_on_the_wire, milliseconds, rate_lines, rate_table};
use crate::time::Duration;
use crate::wire::auth::TAG;
use crate::wire::native::Load;

pub(crate) fn run(arguments: &Ping, argv: Vec<String>) -> anyhow::Result<Exit> {
    let config = Config::new(arguments, argv)?;
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let (peer, clock) = (&config.connection.peer, config.clock);
    let settings = settings(&config, &arguments.rate_search)?;
    let zero = clock.now();
    let folder = run_folder(arguments, &peer.host, zero + clock.wall_offset())?;
    let for_program = arguments.export.json;
    let printer = if for_program { Printer::start(|| {}) } else { Printer::with_status(|| {}) }?;
    let mut test = LoadTest::new(settings.clone(), zero);
    let ran = run_load(
        &mut test,
        settings.size as usize,
        peer.address,
        &config.connection.outgoing,
        clock,
        &control,
        &mut |test| {
            if !for_program {
                printer.status(progress(test).into_iter().collect());
            }
        },
    );
    printer.status(Vec::new());
    let ran = ran.map_err(|error| cannot_send(&error, &config.connection));
    let is_empty = test.found().is_empty();
    let failed = match (ran, test.outcome(), test.cut_short()) {
        (Err(error), ..) => Some((error, Exit::Error)),
        (_, Some(Err(failure)), _) => Some((explain(failure, peer, Dialect::Native), exit_of(failure))),
        (_, _, Some(CutShort::Failed(failure))) if is_empty => {
            Some((anyhow!("no rate was found: {}", in_the_middle(failure)), exit_of(failure)))
        }
        _ if is_empty => Some((anyhow!("stopped before the rate was found"), Exit::NoReply)),
        _ => None,
    };
    if let Some((error, exit)) = failed {
        folder.inspect(Folder::discard);
        return Ok(exit::print_error(&error, exit));
    }
    let mut run = config.rate_record(zero, test.server());
    run.rate = Some(rate(&test, settings.size, clock.now() - zero));
    print(arguments, &run, &printer)?;
    printer.finish_checked()?;
    if let Some(folder) = folder {
        write(&folder, &run, test.rows())?;
        print_path(&draw_rate(&folder)?);
    }
    let verdict = judge(&arguments.rate_search, &run);
    Ok(match test.cut_short() {
        Some(CutShort::Failed(failure)) if verdict == Exit::Success => exit_of(failure),
        _ => verdict,
    })
}

fn settings(config: &Config, asked: &FindRate) -> anyhow::Result<LoadSettings> {
    let ways = ways(asked.find_rate);
    if (asked.max_rate.get() as f64) < RateSearch::LEAST_RATE {
        bail!(
            "'{}' for '--max-rate' is too low: a search takes 25kbit at least; for example 10Mbit",
            asked.max_rate
        );
    }
    let (size, address) = (config.settings.size, config.connection.peer.address);
    let search = rate_search::Settings {
        target_queue: asked.target_queue.get(),
        max_rate: asked.max_rate.get() as f64,
        max_queue: asked.max_queue.get(),
        max_bytes: asked.max_bytes.get(),
        packet: bytes_on_the_wire(size, address.ip()),
    };
    if ways != [Way::Echo] {
        check(config.settings.dialect, size, config.settings.key.is_some())?;
    }
    Ok(LoadSettings {
        dialect: config.settings.dialect,
        ways,
        search,
        size,
        other_size: FindRate::OTHER_SIZE,
        seed: config.settings.seed,
        key: config.settings.key.clone(),
    })
}

fn ways(asked: Option<HowToLoad>) -> Vec<Way> {
    match asked {
        Some(HowToLoad::Echo) => vec![Way::Echo],
        Some(HowToLoad::Up) => vec![Way::Up],
        Some(HowToLoad::Down) => vec![Way::Down],
        Some(HowToLoad::Each) | None => vec![Way::Up, Way::Down],
    }
}

/// Checks what a load in one direction needs: the dialect, the size and the key.
fn check(dialect: Dialect, size: u32, keyed: bool) -> anyhow::Result<()> {
    let least = Load::MIN + if keyed { TAG } else { 0 };
    if dialect == Dialect::Plain {
        bail!("--plain has only echoes: use --find-rate=echo");
    }
    if (size as usize) < least {
        bail!("'{size}' for '--size' is too small for a load: {least} bytes at least; for example -s 1200");
    }
    Ok(())
}

/// One line while it goes on.
fn progress(test: &LoadTest) -> Option<String> {
    if test.is_waiting() {
        return Some("another client has the server's load: waiting".to_owned());
    }
    let (way, phase, rate) = test.progress()?;
    let rate = if rate > 0.0 { format!(", {}", bit_rate(rate)) } else { String::new() };
    Some(format!("{}: {}{rate}", way.label(), phase.label()))
}

fn rate(test: &LoadTest, size: u32, took: Duration) -> Rate {
    let of = |way: Way| {
        let found = test.found().iter().find(|found| found.way == way);
        found.map(|Found { result, settings, .. }| DirectionRate::of(result, settings, size))
    };
    let idle = test.idle_rtt();
    let mut rate = Rate {
        mode: if of(Way::Echo).is_some() { "echo" } else { "sequential" }.to_owned(),
        echo: of(Way::Echo),
        up: of(Way::Up),
        down: of(Way::Down),
        idle_rtt_p50_us: idle.map(|[p50, _]| p50.as_micros_f64()),
        idle_rtt_p95_us: idle.map(|[_, p95]| p95.as_micros_f64()),
        grade: None,
        scale: SCALE.to_owned(),
        seconds: took.as_secs_f64(),
        bytes: test.found().iter().map(|found| found.result.bytes).sum(),
        ended: test.cut_short().map(|why| match why {
            CutShort::Stopped => "interrupted".to_owned(),
            CutShort::Failed(failure) => in_the_middle(failure),
        }),
    };
    rate.grade = rate.worst_grade();
    rate
}

fn print(arguments: &Ping, run: &Run, printer: &Printer) -> anyhow::Result<()> {
    if arguments.export.json {
        let mut json = Vec::new();
        run.write(&mut json)?;
        printer.text(String::from_utf8(json)?);
        return Ok(());
    }
    rate_lines(run).iter().for_each(|line| printer.paragraph(line));
    if arguments.verbose {
        rate_table(run).iter().for_each(|line| printer.line(line));
    }
    Ok(())
}

fn write(folder: &Folder, run: &Run, rows: &[RateRow]) -> anyhow::Result<()> {
    folder.clear();
    // A record has its rows of probes: this one has none.
    folder.probe_writer()?.flush()?;
    let mut writer = RateWriter::new(folder.stream(RATE_ROWS)?)?;
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.flush()?;
    Ok(folder.write_run(run)?)
}

/// The thresholds, and what they say.
fn judge(asked: &FindRate, run: &Run) -> Exit {
    let mut breaches = Vec::new();
    for (name, found) in run.rate.iter().flat_map(Rate::directions) {
        // A rate that is a lower bound does not show that the path carries less.
        let is_known = found.limited_by.is_none();
        if let Some(least) = asked.fail_rate
            && found.bps < least.get() as f64
            && is_known
        {
            breaches.push(format!("{name}: the rate is {}, below {least}", bit_rate(found.bps)));
        }
        let other = found.pushed.as_ref().and_then(|pushed| pushed.step.other);
        if let (Some(most), Some(other)) = (asked.fail_queue, other)
            && other.mean_us > most.get().as_micros_f64()
        {
            let added = milliseconds(Duration::from_secs_f64(other.mean_us / 1e6));
            breaches.push(format!("{name}: load adds {added} to another flow's delay, more than {most}"));
        }
    }
    breaches.iter().for_each(|breach| exit::print_breach(breach));
    if breaches.is_empty() { Exit::Success } else { Exit::Failed }
}
