//! `seconds.csv`: a row a second, from 1, those without a probe included.

use std::io::{self, Write};

use super::probes::put_micros;
use crate::stats::{Delay, Second};
use crate::time::Duration;

pub const COLUMNS: [&str; 10] = [
    "second",
    "sent",
    "ok",
    "late",
    "lost",
    "throughput_bps",
    "delay_mean_us",
    "delay_p50_us",
    "delay_p99_us",
    "delay_max_us",
];

pub struct SecondWriter<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> SecondWriter<W> {
    pub fn new(writer: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer })
    }

    pub fn write(&mut self, second: &Second) -> io::Result<()> {
        let counts =
            [second.second, second.sent, second.ok, second.late, second.lost, second.throughput_bps()];
        for count in counts {
            self.writer.write_field(count.to_string())?;
        }
        let delays: [fn(&Delay) -> Duration; 4] = [|d| d.mean, |d| d.p50, |d| d.p99, |d| d.max];
        for delay in delays {
            let mut cell = Vec::new();
            if let Some(delays) = &second.delay {
                put_micros(delay(delays), &mut cell)?;
            }
            self.writer.write_field(cell)?;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
