//! `ticketflow healthcheck`: for containers, which have no curl.

use crate::{http::Api, output::out};

pub(crate) async fn run(api: &Api) -> anyhow::Result<()> {
    out(&api.text("/health").await?)
}
