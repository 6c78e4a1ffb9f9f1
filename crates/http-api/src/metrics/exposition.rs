//! The text formats: [Prometheus's own](https://prometheus.io/docs/instrumenting/exposition_formats/) and
//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/).
//!
//! They differ in little: the family of a counter is called after its samples in the one, and without `_total` in the
//! other, which also marks the end.

use std::fmt::{Display, Write};

use http::{HeaderMap, header};
use storage::metrics::HistogramSnapshot;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4, for everybody.
    Text,
    /// OpenMetrics 1.0.0, for whoever names it.
    OpenMetrics,
}

impl Format {
    /// What the client takes.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let mut accepted = accepted.filter_map(|value| value.to_str().ok());
        if accepted.any(|value| value.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The names and values that tell the samples of a family apart.
pub type Labels<'l> = &'l [(&'static str, &'static str)];

/// What the numbers of a histogram are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, shown in seconds.
    Nanoseconds,
    /// A plain number of things.
    Number,
}

/// Nanoseconds as seconds, exactly.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "{whole}.{rest:09}")
    }
}

/// A text that grows family by family.
#[derive(Debug)]
pub struct Exposition {
    text: String,
    format: Format,
}

impl Exposition {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self {
            text: String::with_capacity(16 * 1024),
            format,
        }
    }

    /// Begins a family of counters. Its name ends in `_total`.
    pub fn counters(&mut self, name: &'static str, help: &str) -> Samples<'_> {
        let family = match self.format {
            Format::Text => name,
            Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        };
        self.family((family, "counter"), name, help)
    }

    /// Begins a family of gauges.
    pub fn gauges(&mut self, name: &'static str, help: &str) -> Samples<'_> {
        self.family((name, "gauge"), name, help)
    }

    /// Begins a family of histograms.
    pub fn histograms(&mut self, name: &'static str, help: &str) -> Samples<'_> {
        self.family((name, "histogram"), name, help)
    }

    /// A counter that is alone in its family.
    pub fn counter(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.counters(name, help).add(&[], value);
    }

    /// A gauge that is alone in its family.
    pub fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.gauges(name, help).add(&[], value);
    }

    /// The finished text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn family(
        &mut self,
        (family, kind): (&str, &str),
        name: &'static str,
        help: &str,
    ) -> Samples<'_> {
        self.line(format_args!("# HELP {family} {help}"));
        self.line(format_args!("# TYPE {family} {kind}"));
        Samples {
            exposition: self,
            name,
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The samples of one family.
#[derive(Debug)]
pub struct Samples<'e> {
    exposition: &'e mut Exposition,
    name: &'static str,
}

impl Samples<'_> {
    /// Adds a counter or a gauge.
    pub fn add(&mut self, labels: Labels<'_>, value: impl Display) {
        self.sample("", (labels, None), value);
    }

    /// Adds a histogram.
    pub fn spread(&mut self, labels: Labels<'_>, histogram: &HistogramSnapshot, unit: Unit) {
        for ((_, bound), count) in &histogram.buckets {
            self.sample("_bucket", (labels, Some(bound)), count);
        }
        self.sample("_bucket", (labels, Some("+Inf")), histogram.count);
        match unit {
            Unit::Nanoseconds => self.sample("_sum", (labels, None), Seconds(histogram.sum)),
            Unit::Number => self.sample("_sum", (labels, None), histogram.sum),
        }
        self.sample("_count", (labels, None), histogram.count);
    }

    fn sample(
        &mut self,
        suffix: &str,
        (labels, bound): (Labels<'_>, Option<&'static str>),
        value: impl Display,
    ) {
        let bound = bound.map(|bound| ("le", bound));
        let pairs = labels.iter().copied().chain(bound);
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let name = self.name;
        if pairs.is_empty() {
            self.exposition.line(format_args!("{name}{suffix} {value}"));
        } else {
            let pairs = pairs.join(",");
            self.exposition
                .line(format_args!("{name}{suffix}{{{pairs}}} {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use storage::metrics::{Bound, Histogram};

    use super::*;

    fn example(format: Format) -> String {
        const BOUNDS: &[Bound] = &[(1_000_000, "0.001"), (1_000_000_000, "1.0")];
        let histogram = Histogram::new(BOUNDS);
        histogram.observe(900_000);
        histogram.observe(2_000_000_001);
        let mut text = Exposition::new(format);
        text.gauge("waiting", "What waits.", 3);
        let mut counters = text.counters("things_total", "Things.");
        counters.add(&[("kind", "a"), ("result", "b")], 1);
        counters.add(&[("kind", "c"), ("result", "d")], 2);
        let mut times = text.histograms("time_seconds", "Times.");
        times.spread(&[("step", "e")], &histogram.snapshot(), Unit::Nanoseconds);
        text.finish()
    }

    #[test]
    fn families_are_written_in_prometheus_format() {
        let expected = "\
# HELP waiting What waits.
# TYPE waiting gauge
waiting 3
# HELP things_total Things.
# TYPE things_total counter
things_total{kind=\"a\",result=\"b\"} 1
things_total{kind=\"c\",result=\"d\"} 2
# HELP time_seconds Times.
# TYPE time_seconds histogram
time_seconds_bucket{step=\"e\",le=\"0.001\"} 1
time_seconds_bucket{step=\"e\",le=\"1.0\"} 1
time_seconds_bucket{step=\"e\",le=\"+Inf\"} 2
time_seconds_sum{step=\"e\"} 2.000900001
time_seconds_count{step=\"e\"} 2
";
        assert_eq!(example(Format::Text), expected);
        let expected = expected
            .replace("HELP things_total", "HELP things")
            .replace("TYPE things_total", "TYPE things");
        assert_eq!(example(Format::OpenMetrics), expected + "# EOF\n");
    }

    #[test]
    fn who_names_open_metrics_gets_it() {
        let accepted = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            Format::accepted(&headers)
        };
        assert_eq!(accepted(&[]), Format::Text);
        assert_eq!(accepted(&["*/*"]), Format::Text);
        assert_eq!(accepted(&["text/plain;version=0.0.4"]), Format::Text);
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(accepted(&[prometheus]), Format::OpenMetrics);
        assert_eq!(
            accepted(&["text/plain", "application/openmetrics-text"]),
            Format::OpenMetrics
        );
    }
}
