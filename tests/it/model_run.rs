//! Many tickets and a model that fails in every way there is.

use crate::support::{
    TestEngine,
    desk::{MODEL_STEPS, desk_on, provider},
};
use chrono::TimeDelta;
use std::{collections::BTreeMap, time::Duration};
use ticketflow_engine::store::stats;
use ticketflow_fake_llm::{Behaviour, Mode};
use ticketflow_tickets::triage::AiStatus;

/// Tickets of the run.
const TICKETS: usize = 2_000;
/// Share of the requests that go wrong, in percent: every way equally often.
const ERRORS: f64 = 10.0;

/// Answers that arrived, answers that are kept, and calls whose answer came too late or never.
const PAID: &str =
    "SELECT (SELECT sum(calls - failures)::bigint FROM model_usage), (SELECT count(*) FROM model_answers),
    (SELECT count(*) FROM run_events WHERE kind = 'step_retried' AND payload::text LIKE '%model_timed_out%')";

/// None is lost, none is paid for twice, and each says who did its steps and why.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_tickets_complete_while_a_tenth_of_the_calls_fails_in_every_way() {
    let wrong: Vec<Mode> = Mode::ALL.into_iter().filter(|mode| *mode != Mode::Fine).collect();
    #[expect(clippy::cast_precision_loss, reason = "there are few modes")]
    let chance = ERRORS / wrong.len() as f64;
    let mix = wrong.iter().map(|mode| (*mode, chance)).collect();
    let builder = TestEngine::builder().workers(2).options(|options| options.capacity = 128);
    let desk = desk_on(builder, Behaviour { mix, ..Behaviour::default() }, |settings| {
        let provider = provider(settings);
        provider.timeout = Duration::from_secs(3);
        provider.concurrency = 64;
        provider.breaker_cool_down = TimeDelta::milliseconds(50);
    })
    .await;
    let runs = desk.submit_many(TICKETS).await;
    desk.all_triaged().await;
    let tally = desk.model.tally();
    // Every answer that arrived is kept and counted once, so none was asked for again. What came too late nobody can keep.
    let (arrived, kept, late): (i64, i64, i64) =
        sqlx::query_as(PAID).fetch_one(&desk.engine.pool).await.unwrap();
    assert_eq!(arrived, kept, "some were paid twice, or not counted: {tally:?}");
    assert!(kept > 1_000, "{kept} are kept: {tally:?}");
    assert!(tally.answered_again <= u64::try_from(late).unwrap(), "{late} came too late: {tally:?}");
    for mode in wrong {
        assert!(tally.modes.contains_key(&mode), "{mode} never struck: {tally:?}");
    }
    let left = stats::queue(&mut *desk.engine.connection().await).await.unwrap();
    let statuses: Vec<(String, i64)> =
        sqlx::query_as("SELECT status, count(*) FROM tickets GROUP BY status ORDER BY status")
            .fetch_all(&desk.engine.pool)
            .await
            .unwrap();
    let statuses: BTreeMap<String, i64> = statuses.into_iter().collect();
    assert_eq!(statuses.values().sum::<i64>(), i64::try_from(TICKETS).unwrap());
    assert!(
        statuses.keys().all(|status| ["completed", "awaiting_approval"].contains(&status.as_str())),
        "{statuses:?}"
    );
    assert_eq!(left.waiting, statuses.get("awaiting_approval").copied().unwrap_or_default());
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs.iter().step_by(10) {
        for step in MODEL_STEPS {
            let account = desk.account(*run, step).await;
            assert_eq!(account.ai_status == AiStatus::Fallback, account.fallback.is_some(), "{account:#?}");
            let why = account.fallback.map_or("done", |reason| reason.as_str());
            *by_status.entry(why).or_default() += 1;
        }
    }
    // A refusal of the key, of the model's name or for want of quota opens the breaker: it keeps tickets from the model, but
    // for moments. What else goes wrong is asked for again.
    assert!(by_status["done"] > 0, "{by_status:?}");
    desk.finish().await;
}
