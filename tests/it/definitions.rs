//! What does not fit together is refused when it is built, never in the middle of a run.

use crate::support::{
    Script,
    greenhouse::{Harvest, Inspect, Made, Measure, Order, Plan, Water, at_once, greenhouse},
};
use ticketflow_engine::{Catalog, Definition, DefinitionError, DefinitionId, StepName, input, output};

fn refusal(definition: Result<Definition, DefinitionError>) -> DefinitionError {
    definition.err().expect("the definition is refused")
}

fn id() -> DefinitionId {
    DefinitionId::new("greenhouse", 1)
}

#[test]
fn a_step_that_needs_a_later_output_is_refused() {
    let script = Script::new();
    let built = Definition::builder::<Order>("greenhouse", 1)
        .step(Plan(script.clone()), (input::<Order>(), output::<Measure>()))
        .step(Measure(script), input::<Order>())
        .build();
    let (step, missing) = (StepName::new("plan"), StepName::new("measure"));
    assert_eq!(refusal(built), DefinitionError::MissingOutput { definition: id(), step, missing });
}

#[test]
fn a_step_that_needs_an_output_nobody_makes_is_refused() {
    let script = Script::new();
    let built = Definition::builder::<Order>("greenhouse", 1)
        .step(Measure(script.clone()), input::<Order>())
        .step(Harvest(script), (input::<Order>(), output::<Measure>(), ticketflow_engine::maybe::<Water>()))
        .build();
    let (step, missing) = (StepName::new("harvest"), StepName::new("water"));
    assert_eq!(refusal(built), DefinitionError::MissingOutput { definition: id(), step, missing });
}

#[test]
fn a_jump_to_an_unknown_step_is_refused() {
    let built = greenhouse(1, &Script::new(), at_once()).may_go_to("compost", 1).build();
    let (step, target) = (StepName::new("ship"), StepName::new("compost"));
    assert_eq!(refusal(built), DefinitionError::UnknownTarget { definition: id(), step, target });
}

#[test]
fn two_steps_of_one_name_are_refused() {
    let script = Script::new();
    let built = greenhouse(1, &script, at_once()).step(Measure(script.clone()), input::<Order>()).build();
    assert_eq!(refusal(built), DefinitionError::DuplicateStep(id(), StepName::new("measure")));
}

#[test]
fn a_step_that_takes_another_input_than_the_run_has_is_refused() {
    let built =
        Definition::builder::<Made>("greenhouse", 1).step(Measure(Script::new()), input::<Order>()).build();
    let error = refusal(built).to_string();
    assert!(error.contains("measure") && error.contains("Order"), "{error}");
}

#[test]
fn a_workflow_without_steps_is_refused() {
    assert_eq!(refusal(Definition::builder::<Order>("greenhouse", 1).build()), DefinitionError::Empty(id()));
}

#[test]
fn two_definitions_of_one_name_and_version_are_refused() {
    let build = || greenhouse(1, &Script::new(), at_once()).build().unwrap();
    let catalog = Catalog::new([build(), build()]);
    assert_eq!(catalog.err(), Some(DefinitionError::DuplicateDefinition(id())));
}

#[test]
fn configuring_a_step_that_does_not_exist_is_refused() {
    let mut catalog = Catalog::new([greenhouse(1, &Script::new(), at_once()).build().unwrap()]).unwrap();
    catalog.override_policy("greenhouse", "water", |policy| policy.max_attempts = 9).unwrap();
    let changed = catalog.latest("greenhouse").unwrap().step(&StepName::new("water")).unwrap().policy;
    assert_eq!(changed.max_attempts, 9);
    assert!(catalog.override_policy("greenhouse", "compost", |_| {}).is_err());
}

/// The wire's types are the compiler's business; that the well-formed workflow builds shows the rest.
#[test]
fn a_well_formed_workflow_is_accepted() {
    let definition = greenhouse(1, &Script::new(), at_once()).build().unwrap();
    assert_eq!(definition.step_names(), "measure, plan, water, inspect, harvest, ship");
    assert!(definition.step(&StepName::new("inspect")).is_some_and(|step| !step.jumps.is_empty()));
    drop(Inspect(Script::new()));
}
