//! The Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write};

/// A page of metrics: families of samples.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// Labels of every sample.
    labels: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    pub(super) fn labelled(labels: &[(&str, &str)]) -> Self {
        Self { text: String::new(), labels: joined("", labels) }
    }

    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = joined(&self.labels, labels);
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        self.put(format_args!("{name}{braced} {value}\n"));
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
