//! The results as a Markdown table, medians with their spread, and ratios to the C loop.

use std::fmt::{self, Write as _};

use super::DUTIES;
use super::load::{Load, Measured};
use super::peers::Peer;

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    size: usize,
    sources: usize,
    trains: bool,
    cells: Vec<(&'static str, Vec<Measured>)>,
}

/// The middle one, and the least and the greatest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], least: values[0], most: values[values.len() - 1] }
    }

    pub fn in_thousands(&self) -> String {
        let [median, least, most] = [self.median, self.least, self.most].map(|value| value / 1e3);
        Self { median, least, most }.to_string()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ({:.0}-{:.0})", self.median, self.least, self.most)
    }
}

impl Table {
    pub fn add(&mut self, name: &'static str, load: Load, measured: Measured) {
        let same = |row: &Row| (row.size, row.sources, row.trains) == (load.size, load.sources, load.trains);
        let index = self.rows.iter().position(same).unwrap_or_else(|| {
            let Load { size, sources, trains, .. } = load;
            self.rows.push(Row { size, sources, trains, cells: Vec::new() });
            self.rows.len() - 1
        });
        let cells = &mut self.rows[index].cells;
        match cells.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push(measured),
            None => cells.push((name, vec![measured])),
        }
    }

    /// What was added last, while the rest is still being measured.
    pub fn print_last(&self) {
        let Some(row) = self.rows.last() else { return };
        for (name, all) in &row.cells {
            println!(
                "{name:>14} {:>5} bytes {:>5} sources{}: {}, {} lost",
                row.size,
                row.sources,
                if row.trains { " in trains" } else { "" },
                row.cell(name).unwrap_or_default(),
                all.iter().map(|measured| measured.lost).sum::<u64>()
            );
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the report bears its date")]
    pub fn write(&self, peers: &[Peer], injecting: &str) {
        let now = jiff::Zoned::now();
        let mut text = format!(
            "# The server's engine, {}\n\n`cargo bench --bench echo` on {}. The server on core 1, the load on core 0, \
             in turn; thousands of echoes a second, median of {} (least-most), **ratio** to the C loop, and \
             nanoseconds of the server's core for each echo.\n\n",
            now.strftime("%Y-%m-%d"),
            machine(),
            super::ROUNDS
        );
        let _ = writeln!(
            text,
            "| bytes | sources | | C loop | {DUTIES} | plain | native | text |\n|--:|--:|:--|--:|--:|--:|--:|--:|"
        );
        for row in &self.rows {
            let _ = write!(
                text,
                "| {} | {} | {} |",
                row.size,
                row.sources,
                if row.trains { "trains" } else { "" }
            );
            for name in ["C loop", DUTIES, "plain", "native", "text"] {
                let _ = write!(text, " {} |", row.cell(name).unwrap_or_default());
            }
            text += "\n";
        }
        text += "\n";
        for peer in peers {
            let _ = writeln!(text, "- {peer}");
        }
        let _ = write!(
            text,
            "\n## While it injects\n\nThe default profile, 4096 sources, 64 bytes, one thread; the times are RTTs without \
             what was held on purpose. \"{}\" is the least server that does the same, without sessions \
             (`benches/echo/hold.c`), in turn with this one.\n\n{injecting}",
            super::HOLDS
        );
        let path = format!("{}/results/server.md", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, &text).expect("the results are written");
        println!("{text}\nwritten to {path}");
    }
}

impl Row {
    fn cell(&self, name: &str) -> Option<String> {
        let ratio = self.ratio(name).map_or(String::new(), |ratio| format!(" **{ratio:.2}**"));
        Some(format!("{}{ratio}, {:.0} ns", self.rate(name)?.in_thousands(), self.nanos(name)))
    }

    fn rate(&self, name: &str) -> Option<Spread> {
        let (_, all) = self.cells.iter().find(|(known, _)| *known == name)?;
        Some(Spread::of(all.iter().map(|measured| measured.per_second)))
    }

    /// To the C loop: the median of the ratios of the rounds, whose turns are close in time.
    fn ratio(&self, name: &str) -> Option<f64> {
        let all = |name: &str| self.cells.iter().find(|(known, _)| *known == name).map(|(_, all)| all);
        let (base, own) = (all("C loop").filter(|_| name != "C loop")?, all(name)?);
        Some(Spread::of(base.iter().zip(own).map(|(base, own)| own.per_second / base.per_second)).median)
    }

    fn nanos(&self, name: &str) -> f64 {
        let (_, all) = self.cells.iter().find(|(known, _)| *known == name).expect("a cell that has a rate");
        Spread::of(all.iter().map(|measured| measured.server_nanos)).median
    }
}

/// What it ran on.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let cores = info.lines().filter(|line| line.starts_with("processor")).count().max(cores);
    let kernel = udpecho::net::kernel_release().unwrap_or_default();
    format!("{cores} cores ({}), Linux {kernel}", model.trim_start_matches(['\t', ' ', ':']))
}
