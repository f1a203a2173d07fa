//! `ticketflow fake-llm`: a model server that understands nothing, for tests and demonstrations.

use crate::{command::serve, exit::Exit, output::say, runtime};
use std::{collections::BTreeMap, net::SocketAddr};
use ticketflow_fake_llm::{Behaviour, FakeModel, Latency, Mode};
use ticketflow_worker::Shutdown;

/// Flags of `fake-llm`.
#[derive(Debug, clap::Args)]
#[command(after_help = MODES)]
pub(crate) struct FakeLlmArgs {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// Chances in percent, as in 429=5,500=2,hang=0.5
    #[arg(long, value_parser = Behaviour::parse_mix, default_value = "")]
    mix: BTreeMap<Mode, f64>,
    /// How long answers take: MEDIAN..P99, as in 300ms..2s; at once unless given
    #[arg(long, value_parser = parse_latency)]
    latency: Option<Latency>,
    /// Seconds that the header Retry-After names
    #[arg(long, default_value_t = 1)]
    retry_after: u64,
    /// Another seed, another fate for the same requests
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

const MODES: &str = "\
Modes: fine, 429, 429-bare (no Retry-After), quota, 400, 401, 404, no-json-schema, no-json-object, 500, 503, hang, drip, cut,
huge (200 MB), redirect, wrong-type, invalid-json, wrong-shape, no-usage, refusal, length, obey (does what the text says).
A model named fake-MODE always meets that mode. GET /fake/requests, /fake/tally and /fake/behaviour show what came in and
what is done with it; PUT /fake/behaviour changes that.";

fn parse_latency(text: &str) -> Result<Latency, String> {
    let (median, p99) = text.split_once("..").unwrap_or((text, text));
    let millis = |text: &str| {
        let time =
            humantime::parse_duration(text.trim()).map_err(|error| format!("{text} is no time: {error}"))?;
        u64::try_from(time.as_millis()).map_err(|_| format!("{text} is too long"))
    };
    Ok(Latency { median_ms: millis(median)?, p99_ms: millis(p99)? })
}

/// Serves until a signal comes.
pub(crate) async fn run(args: FakeLlmArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::default();
    runtime::stop_on_signals(&shutdown)?;
    let behaviour = Behaviour {
        mix: args.mix,
        latency: args.latency,
        retry_after: args.retry_after,
        seed: args.seed,
        ..Behaviour::default()
    };
    behaviour.check().map_err(|error| Exit::Usage.with(error.to_string()))?;
    let listener = serve::bind(args.listen).await?;
    let model = FakeModel::serve(listener, behaviour, shutdown.stop.clone())?;
    say(&format!("a fake model, for tests and demonstrations, listens on {}", model.url()));
    model.ended().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_mode() {
        let named = |mode: &Mode| MODES.split([' ', ',', '\n', '(', ')']).any(|word| word == mode.as_str());
        assert_eq!(Mode::ALL.iter().find(|mode| !named(mode)), None);
    }

    #[test]
    fn latencies_are_a_median_and_a_99th_percentile_or_one_time() {
        assert_eq!(parse_latency("300ms..2s"), Ok(Latency { median_ms: 300, p99_ms: 2_000 }));
        assert_eq!(parse_latency("1s"), Ok(Latency { median_ms: 1_000, p99_ms: 1_000 }));
        assert!(parse_latency("fast").unwrap_err().contains("fast is no time"));
    }
}
