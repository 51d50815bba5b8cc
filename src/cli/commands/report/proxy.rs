//! The report of a proxy's folder.

use crate::cli::args::Format;
use crate::cli::printer::Printer;
use crate::record::{Folder, RecordedProxy};
use crate::report::{ProxyData, Theme, chart, png, proxy_html, proxy_lines};

/// A proxy's run, read from its folder.
pub(super) struct ProxyRecord {
    run: RecordedProxy,
    data: ProxyData,
    /// The last row of `datagrams.csv` was incomplete.
    truncated: bool,
}

impl ProxyRecord {
    pub(super) fn read(folder: &Folder) -> anyhow::Result<Self> {
        let run = folder.read_proxy()?;
        let mut data = ProxyData::default();
        let truncated = folder.each_datagram(|row| data.push(&row))?;
        Ok(Self { run, data, truncated })
    }

    pub(super) fn report(&self, format: Format, theme: Theme) -> anyhow::Result<Vec<u8>> {
        let (run, data) = (&self.run, &self.data);
        Ok(match format {
            Format::Png => png::rasterise(&chart::proxy(run, data, theme))?,
            Format::Svg => chart::proxy(run, data, theme).into_bytes(),
            Format::Html => proxy_html(run, data, theme).into_bytes(),
        })
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let printer = Printer::start(|| {})?;
        if self.truncated {
            printer.line("note: the last row of datagrams.csv is incomplete and left out");
        }
        if self.run.end.is_none() {
            printer.line("note: the proxy was killed; this is what it had written by then");
        }
        proxy_lines(&self.data).iter().for_each(|line| printer.paragraph(line));
        printer.finish_checked()
    }
}
