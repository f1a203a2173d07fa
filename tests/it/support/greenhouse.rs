//! A workflow that has nothing to do with what the engine was built for: growing an order of plants in a bed.
//!
//! measure → plan → water → inspect → harvest → ship; inspect may go back to measure.

use super::Script;
use serde::{Deserialize, Serialize};
use ticketflow_engine::{
    Backoff, Definition, Step, StepContext, StepError, StepOutcome, StepPolicy, input, maybe, output,
    workflow::Builder,
};

/// Name of the workflow.
pub(crate) const GREENHOUSE: &str = "greenhouse";
/// Its steps, in order.
pub(crate) const STEPS: [&str; 6] = ["measure", "plan", "water", "inspect", "harvest", "ship"];
/// How often inspect may send an order back to measure.
pub(crate) const LOOPS: u32 = 2;

/// The run's input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) bed: String,
    pub(crate) plants: u32,
}

/// What every step makes: who it is for, and a number that tells what went into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) bed: String,
    pub(crate) amount: u32,
}

macro_rules! step {
    ($step:ident, $name:literal, |$given:ident: $input:ty| $bed:expr, $amount:expr) => {
        #[doc = concat!("The step ", $name, ".")]
        pub(crate) struct $step(pub(crate) Script);

        impl Step for $step {
            const NAME: &'static str = $name;
            type Input = $input;
            type Output = Made;

            async fn run(
                &self,
                context: &StepContext,
                $given: Self::Input,
            ) -> Result<StepOutcome<Made>, StepError> {
                let made = Made { bed: $bed.clone(), amount: $amount };
                let bed = made.bed.clone();
                self.0.perform(context, $name, &bed, made).await
            }
        }
    };
}

step!(Measure, "measure", |order: Order| order.bed, order.plants);
step!(Plan, "plan", |given: (Order, Made)| given.0.bed, given.0.plants + given.1.amount);
step!(Water, "water", |plan: Made| plan.bed, plan.amount * 10);
step!(Inspect, "inspect", |given: (Made, Made)| given.0.bed, given.0.amount + given.1.amount);
step!(Harvest, "harvest", |given: (Order, Made, Option<Made>)| given.0.bed, {
    given.1.amount + given.2.map_or(0, |water| water.amount)
});
step!(Ship, "ship", |harvest: Made| harvest.bed, harvest.amount + 1);

/// Retries at once, so that a test need not wait.
pub(crate) fn at_once() -> StepPolicy {
    let backoff = Backoff { base_ms: 0, factor: 1.0, cap_ms: 0 };
    StepPolicy { backoff, ..StepPolicy::default() }
}

/// The workflow's definition, not yet built, so that a test can add to it.
pub(crate) fn greenhouse(version: i32, script: &Script, policy: StepPolicy) -> Builder<Order> {
    Definition::builder::<Order>(GREENHOUSE, version)
        .step_with(Measure(script.clone()), input::<Order>(), policy)
        .step_with(Plan(script.clone()), (input::<Order>(), output::<Measure>()), policy)
        .step_with(Water(script.clone()), output::<Plan>(), policy)
        .step_with(Inspect(script.clone()), (output::<Measure>(), output::<Water>()), policy)
        .may_go_to("measure", LOOPS)
        .step_with(Harvest(script.clone()), (input::<Order>(), output::<Inspect>(), maybe::<Water>()), policy)
        .step_with(Ship(script.clone()), output::<Harvest>(), policy)
}
