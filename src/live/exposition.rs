//! The Prometheus text format, version 0.0.4, and OpenMetrics 1.0 with timestamps.

use std::fmt::{Display, Write};

use crate::time::Instant;

/// A page of metrics: families of samples.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// Labels of every sample.
    labels: String,
    is_open_metrics: bool,
    /// The end of each sample's line.
    time: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    pub(super) fn labelled(labels: &[(&str, &str)]) -> Self {
        Self { labels: joined("", labels), ..Self::default() }
    }

    /// OpenMetrics: the text goes out piece by piece, by `take`.
    pub(super) fn open_metrics() -> Self {
        Self { is_open_metrics: true, ..Self::default() }
    }

    /// The labels of the next samples, before their own.
    pub(super) fn of(&mut self, labels: &[(&str, &str)]) {
        self.labels = joined("", labels);
    }

    /// The next samples are of this moment.
    pub(super) fn at(&mut self, moment: Instant) {
        let millis = moment.as_nanos().div_euclid(1_000_000);
        self.time = format!(" {}.{:03}", millis / 1_000, millis % 1_000);
    }

    /// The lines since the last call.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // OpenMetrics names the family of a counter without the ending of its samples.
        let name = name.strip_suffix("_total").filter(|_| self.is_open_metrics).unwrap_or(name);
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = joined(&self.labels, labels);
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let line = format!("{name}{braced} {value}{}\n", self.time);
        self.text.push_str(&line);
    }

    /// A family with one sample.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, line: std::fmt::Arguments) {
        self.text.write_fmt(line).expect("writing to a string cannot fail");
    }
}

fn joined(before: &str, labels: &[(&str, &str)]) -> String {
    let mut all = before.to_owned();
    for (name, value) in labels {
        let comma = if all.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(all, "{comma}{name}=\"{value}\"");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_samples_and_escaped_labels() {
        let mut page = Exposition::labelled(&[("target", "a\"b\\c\nd")]);
        page.single("up", Kind::Gauge, "Whether.", 1);
        page.family("lost_total", Kind::Counter, "Lost.");
        page.sample("lost_total", &[("cause", "up")], 2.5);
        let label = r#"target="a\"b\\c\nd""#;
        let expected = format!(
            "# HELP up Whether.\n# TYPE up gauge\nup{{{label}}} 1\n\
             # HELP lost_total Lost.\n# TYPE lost_total counter\nlost_total{{{label},cause=\"up\"}} 2.5\n"
        );
        assert_eq!(page.finish(), expected);
        assert_eq!(joined("", &[]), "");
    }
}
