//! Metrics as typed rows, and the registry that makes their handles and prints them.
//!
//! A row says name, labels and help once; the type says its kind and how many label values a
//! handle needs. Handles are made at start, so that counting is one atomic addition and a
//! series is there, at zero, before anything has happened. There is no global registry.

use ::metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// What is fixed about a metric.
#[derive(Debug)]
pub struct Row {
    /// The whole name: prefix, unit, and `_total` for counters.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels; the values of each are few and known at start.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// A metric whose handles are `H` and which has `N` labels.
#[derive(Debug)]
pub struct Metric<H, const N: usize> {
    /// What is fixed about it.
    pub row: Row,
    handle: PhantomData<fn() -> H>,
}

macro_rules! constructor {
    ($handle:ident, $name:ident, $doc:literal) => {
        impl<const N: usize> Metric<$handle, N> {
            #[doc = $doc]
            #[must_use]
            pub const fn $name(
                name: &'static str,
                labels: &'static [&'static str; N],
                help: &'static str,
            ) -> Self {
                let row = Row { name, kind: stringify!($name), labels, help };
                Metric { row, handle: PhantomData }
            }
        }
    };
}

constructor!(Counter, counter, "A number that only grows; its name ends in `_total`.");
constructor!(Gauge, gauge, "A number that goes up and down.");
constructor!(Histogram, histogram, "A distribution; its name ends in its unit.");

/// Bounds for times, in seconds: 0.25 ms to 10 s.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];
/// Bounds for everything else: sizes of groups and batches.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The registry, shared by cloning.
#[derive(Debug, Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    printer: PrometheusHandle,
}

impl Metrics {
    /// How often [`Metrics::upkeep`] folds samples of histograms into their buckets.
    const UPKEEP: Duration = Duration::from_secs(5);

    /// An empty registry.
    ///
    /// # Errors
    /// Never with the bounds above; the library checks them at run time.
    pub fn new() -> Result<Metrics, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(SIZES)?
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
            .build_recorder();
        let printer = recorder.handle();
        Ok(Metrics { recorder: Arc::new(recorder), printer })
    }

    /// The handle of a counter with these label values, in the order of its labels.
    pub fn counter<const N: usize>(
        &self,
        metric: &'static Metric<Counter, N>,
        values: [&str; N],
    ) -> Counter {
        self.recorder.describe_counter(name(&metric.row), None, metric.row.help.into());
        self.recorder.register_counter(&key(&metric.row, &values), &METADATA)
    }

    /// The handle of a gauge with these label values, in the order of its labels.
    pub fn gauge<const N: usize>(
        &self,
        metric: &'static Metric<Gauge, N>,
        values: [&str; N],
    ) -> Gauge {
        self.recorder.describe_gauge(name(&metric.row), None, metric.row.help.into());
        self.recorder.register_gauge(&key(&metric.row, &values), &METADATA)
    }

    /// The handle of a histogram with these label values, in the order of its labels.
    pub fn histogram<const N: usize>(
        &self,
        metric: &'static Metric<Histogram, N>,
        values: [&str; N],
    ) -> Histogram {
        self.recorder.describe_histogram(name(&metric.row), None, metric.row.help.into());
        self.recorder.register_histogram(&key(&metric.row, &values), &METADATA)
    }

    /// Everything as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        self.printer.render()
    }

    /// Keeps memory bounded while nobody scrapes, until told to end.
    pub async fn upkeep(self, until: impl Future<Output = ()>) {
        let mut until = std::pin::pin!(until);
        while tokio::time::timeout(Metrics::UPKEEP, until.as_mut()).await.is_err() {
            self.printer.run_upkeep();
        }
    }
}

static METADATA: Metadata<'static> =
    Metadata::new("bridge8890", ::metrics::Level::INFO, Some("bridge8890"));

fn name(row: &Row) -> KeyName {
    KeyName::from_const_str(row.name)
}

fn key(row: &Row, values: &[&str]) -> Key {
    let labels = row.labels.iter().zip(values);
    let labels: Vec<Label> =
        labels.map(|(label, value)| Label::new(*label, (*value).to_owned())).collect();
    Key::from_parts(row.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    static SPOKEN: Metric<Counter, 1> =
        Metric::counter("bridge8890_words_total", &["language"], "Words spoken.");
    static TOOK: Metric<Histogram, 0> =
        Metric::histogram("bridge8890_speech_seconds", &[], "Time of a speech.");

    #[test]
    fn a_series_is_there_at_zero_and_a_time_falls_into_its_bucket() {
        let metrics = Metrics::new().expect("bounds are fine");
        let spoken = metrics.counter(&SPOKEN, ["zh"]);
        assert!(metrics.render().contains("bridge8890_words_total{language=\"zh\"} 0"));
        spoken.increment(2);
        metrics.histogram(&TOOK, []).record(0.002);
        let text = metrics.render();
        for line in [
            "# HELP bridge8890_words_total Words spoken.",
            "# TYPE bridge8890_words_total counter",
            "bridge8890_words_total{language=\"zh\"} 2",
            "bridge8890_speech_seconds_bucket{le=\"0.001\"} 0",
            "bridge8890_speech_seconds_bucket{le=\"0.0025\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn upkeep_ends_when_told() {
        let metrics = Metrics::new().expect("bounds are fine");
        metrics.upkeep(tokio::time::sleep(Duration::from_secs(60))).await;
    }
}
