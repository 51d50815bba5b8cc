//! The report of a rate search.

use crate::cli::args::Format;
use crate::cli::printer::Printer;
use crate::record::{Folder, RateSample, Run};
use crate::report::{Theme, chart, png, rate_html, rate_lines, rate_table};

/// A rate search, read from its folder.
pub(super) struct RateRecord {
    run: Run,
    samples: Vec<RateSample>,
}

impl RateRecord {
    pub(super) fn read(folder: &Folder, run: Run) -> anyhow::Result<Self> {
        Ok(Self { samples: folder.read_rate_rows()?, run })
    }

    pub(super) fn report(&self, format: Format, theme: Theme) -> anyhow::Result<Vec<u8>> {
        let svg = chart::rate(&self.run, &self.samples, theme);
        Ok(match format {
            Format::Png => png::rasterise(&svg)?,
            Format::Svg => svg.into_bytes(),
            Format::Html => rate_html(&self.run, &svg).into_bytes(),
        })
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let printer = Printer::start(|| {})?;
        rate_lines(&self.run).iter().for_each(|line| printer.paragraph(line));
        rate_table(&self.run).iter().for_each(|line| printer.line(line));
        printer.finish_checked()
    }
}
