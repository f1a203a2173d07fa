//! The engine on its own: a small workflow that has nothing to do with tickets.
//!
//! A bed is measured and watered until it is moist enough, then waits for an inspector's word before the harvest.
//! Run it, kill it in the middle, run it again: it goes on where it was.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/greenhouse cargo run -p ticketflow-worker --example greenhouse
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use sqlx::PgPool;
use std::{error::Error, time::Duration};
use ticketflow_engine::{
    Actor, Arrival, Catalog, Client, Clock, Definition, MIGRATOR, Step, StepContext, StepError, StepOutcome,
    client::EnqueueRequest,
    error::ControlError,
    input, maybe, output,
    store::{control, event},
    wakeup::Wakeup,
};
use ticketflow_worker::{Shutdown, WorkerOptions};

#[derive(Debug, Serialize, Deserialize)]
struct Bed {
    name: String,
    dryness: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Moisture {
    percent: u32,
}

/// Measures; every watering helps.
struct Measure;

impl Step for Measure {
    const NAME: &'static str = "measure";
    type Input = (Bed, Option<Moisture>);
    type Output = Moisture;

    async fn run(
        &self,
        context: &StepContext,
        (bed, watered): Self::Input,
    ) -> Result<StepOutcome<Moisture>, StepError> {
        let percent = watered.map_or(100_u32.saturating_sub(bed.dryness), |before| before.percent);
        context.note("measured", serde_json::json!({ "bed": bed.name, "percent": percent }));
        Ok(StepOutcome::Next(Moisture { percent }))
    }
}

/// Waters, and has it measured again while the bed is too dry.
struct Water;

impl Step for Water {
    const NAME: &'static str = "water";
    type Input = Moisture;
    type Output = Moisture;

    async fn run(&self, _: &StepContext, moisture: Moisture) -> Result<StepOutcome<Moisture>, StepError> {
        let watered = Moisture { percent: moisture.percent + 20 };
        Ok(if watered.percent < 60 {
            StepOutcome::GoTo(Measure::NAME, watered)
        } else {
            StepOutcome::Next(watered)
        })
    }
}

/// Harvests once an inspector has said so.
struct Harvest;

impl Step for Harvest {
    const NAME: &'static str = "harvest";
    type Input = Moisture;
    type Output = String;

    async fn run(&self, context: &StepContext, moisture: Moisture) -> Result<StepOutcome<String>, StepError> {
        match context.arrival() {
            Some(Arrival::Signal(word)) => {
                Ok(StepOutcome::Next(format!("harvested at {} %, says {}", moisture.percent, word.from)))
            }
            Some(Arrival::TimedOut) => Err(StepError::fail("not_inspected", "no inspector came in time")),
            Some(Arrival::Woke) | None => Ok(StepOutcome::Wait {
                signal: "inspected".to_owned(),
                timeout: Some(Duration::from_mins(10)),
                about: serde_json::json!({ "percent": moisture.percent }),
            }),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    MIGRATOR.run(&pool).await?;
    let greenhouse = Definition::builder::<Bed>("greenhouse", 1)
        .step(Measure, (input::<Bed>(), maybe::<Water>()))
        .step(Water, output::<Measure>())
        .may_go_to(Measure::NAME, 5)
        .step(Harvest, output::<Water>())
        .build()?;
    let client = Client::new(pool.clone(), Catalog::new([greenhouse])?, Clock::default(), Wakeup::new(true));
    let shutdown = Shutdown::default();
    let worker =
        tokio::spawn(ticketflow_worker::run(client.clone(), WorkerOptions::default(), shutdown.clone()));

    let bed = to_raw_value(&Bed { name: "tomatoes".to_owned(), dryness: 90 })?;
    let run = client.enqueue(EnqueueRequest::new("greenhouse", bed, Actor::new("gardener"))).await?.run();
    match client.signal(run, "inspected", &to_raw_value("ripe")?, &Actor::new("inspector")).await {
        Ok(_) | Err(ControlError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut connection = pool.acquire().await?;
    while control::live(&mut connection, run, false).await?.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for record in event::load(&mut connection, run, -1).await? {
        println!("{:>2}  {:<16} {}", record.seq.0, record.event.kind(), record.payload);
    }
    shutdown.request();
    worker.await??;
    Ok(())
}
