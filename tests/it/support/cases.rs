//! What the workflows are tried with: inputs that together lead through every step and every jump of each.

use super::greenhouse::GREENHOUSE;
use serde_json::{Value, json};
use ticketflow_tickets::triage::{APPROVAL_SIGNAL, WORKFLOW as TICKET_TRIAGE};

/// An input, and what comes from outside while its run waits.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it is about, for messages.
    pub(crate) name: &'static str,
    /// The run's input.
    pub(crate) input: Value,
    /// Signals, each sent when the run waits.
    pub(crate) signals: Vec<(&'static str, Value)>,
    /// What outputs tell of other runs, by step and field; it depends on which there are.
    pub(crate) of_others: &'static [(&'static str, &'static str)],
}

impl Case {
    /// The same, of a ticket for which something is done besides: the keys for that name the ticket.
    fn with_actions(self) -> Self {
        let of_others =
            &[("research", "earlier_tickets"), ("research", "similar_solved"), ("finalize", "actions")];
        Self { of_others, ..self }
    }
}

/// The inputs of a workflow. A new workflow is tried as soon as it has some here, and fails the tests until then.
pub(crate) fn cases(workflow: &str) -> Vec<Case> {
    let cases = match workflow {
        GREENHOUSE => vec![Case {
            name: "an order measured twice",
            input: json!({ "bed": "north", "plants": 3 }),
            signals: Vec::new(),
            of_others: &[],
        }],
        TICKET_TRIAGE => tickets(),
        _ => Vec::new(),
    };
    assert!(!cases.is_empty(), "no test input for workflow {workflow}");
    cases
}

fn tickets() -> Vec<Case> {
    let approval = || (APPROVAL_SIGNAL, json!({ "approved": true, "decided_by": "grace" }));
    let again = json!({ "approved": false, "decided_by": "grace", "instructions": "shorter" });
    vec![
        ticket(
            "a parcel, answered without a person",
            "Where is my parcel?",
            "My order ORD-48213 was due last week. Can you tell me where it is?",
            Vec::new(),
        ),
        ticket(
            "a refund, approved by a person",
            "Charged twice",
            "I was charged 49.90 EUR twice for invoice INV-2026-0042. Please refund the second charge.",
            vec![approval()],
        )
        .with_actions(),
        ticket(
            "a refund, drafted again at a person's request and then refused",
            "Charged twice",
            "I was charged 39.90 EUR twice for invoice INV-2026-0043. Please refund the second charge.",
            vec![
                (APPROVAL_SIGNAL, again),
                (APPROVAL_SIGNAL, json!({ "approved": false, "decided_by": "grace" })),
            ],
        ),
        ticket(
            "an outage, answered with a link until the review finds it",
            "Error 503 on every page",
            "Since this morning every page of your web app shows error 503. Is there an outage?",
            vec![approval()],
        ),
    ]
}

fn ticket(name: &'static str, subject: &str, body: &str, signals: Vec<(&'static str, Value)>) -> Case {
    let input = json!({ "subject": subject, "body": body, "customer_id": "ada" });
    let of_others = &[("research", "earlier_tickets"), ("research", "similar_solved")];
    Case { name, input, signals, of_others }
}
