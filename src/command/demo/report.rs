//! What the demo has to show.

use super::takeover::{Killed, Takeover};
use crate::{
    command::audit,
    exit::Exit,
    output::{Column, Format, counted, out, print},
};
use serde::Serialize;
use serde_json::Value;
use ticketflow_engine::audit::Report;

const COLUMNS: [Column; 7] = [
    ("CUSTOMER", "customer_id"),
    ("LANG", "result.language"),
    ("CATEGORY", "result.category"),
    ("PRIORITY", "result.priority"),
    ("ACTION", "result.action"),
    ("STATUS", "status"),
    ("SUBJECT", "subject"),
];
/// Characters of a subject that fit beside the rest.
const SUBJECT_WIDTH: usize = 44;

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) tickets: Vec<Value>,
    pub(super) killed: Killed,
    pub(super) takeovers: Vec<Takeover>,
    pub(super) audit: Report,
}

impl Outcome {
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return out(&serde_json::to_string_pretty(self)?);
        }
        let shown: Vec<Value> = self.tickets.iter().map(shortened).collect();
        print(&shown, Format::Table, &COLUMNS, "id")?;
        out(&format!("\n{}; their next checkpoints:", self.killed))?;
        for takeover in &self.takeovers {
            out(&format!(
                "  {} was at {} with {} kept; {} went on with {}",
                takeover.ticket,
                takeover.step,
                counted(takeover.kept, "checkpoint"),
                takeover.taken_by,
                takeover.continued_with
            ))?;
        }
        let waiting = self.tickets.iter().filter(|ticket| ticket["status"] == "awaiting_approval").count();
        let done = self.tickets.iter().filter(|ticket| ticket["status"] == "completed").count();
        let done = counted(done, "ticket");
        out(&format!("\ndone: {done}; waiting for a person's approval: {waiting}\n"))?;
        audit::print(&self.audit)
    }

    /// Whether what was to be shown was shown.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        if !self.audit.is_clean() {
            return Err(Exit::Violations.with("the audit found violations"));
        }
        if self.takeovers.is_empty() {
            return Err(Exit::Failed.with("no run of the killed worker was taken over"));
        }
        Ok(())
    }
}

fn shortened(ticket: &Value) -> Value {
    let mut ticket = ticket.clone();
    let subject = ticket["subject"].as_str().unwrap_or_default();
    if subject.chars().count() > SUBJECT_WIDTH {
        let short: String = subject.chars().take(SUBJECT_WIDTH - 1).collect();
        ticket["subject"] = Value::String(format!("{short}…"));
    }
    ticket
}
