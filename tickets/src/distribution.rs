//! How the support desk's tables lie on a Citus cluster: with their runs, and the articles and what is known of models on every node.

use ticketflow_engine::store::distribution::Schema;

/// The support desk's part.
pub const SCHEMA: Schema = Schema {
    functions: &["text_config(text)", "joined(text[])"],
    reference: &["articles", "model_breakers", "model_usage"],
    distributed: &["tickets", "ticket_words", "approvals", "model_answers"],
};
