//! Accepts connections, bounds how many and how slow they may be, and lets them finish at shutdown.
//!
//! axum's own `serve` has no limit on connections and no time limit on headers, hence hyper-util underneath.

use crate::{ApiState, router};
use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Pause after an accept that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the API until `shutdown` is cancelled and the requests under way are answered, or the drain time is over.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: CancellationToken) {
    let settings = state.settings.clone();
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let server = Server { builder: builder(settings.header_timeout), router: router(state) };
    let graceful = GracefulShutdown::new();
    while let Some((stream, slot)) = shutdown.run_until_cancelled(accept(&listener, &slots)).await {
        tokio::spawn(server.clone().connection(stream, slot, graceful.watcher()));
    }
    drop(listener);
    if tokio::time::timeout(settings.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    builder
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a permit in the end.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[derive(Clone)]
struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
}

impl Server {
    async fn connection(self, stream: TcpStream, slot: Option<OwnedSemaphorePermit>, watcher: Watcher) {
        // Small answers must not wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        let service = self.router.map_request(|request: Request<_>| request.map(axum::body::Body::new));
        let service = TowerToHyperService::new(service);
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error, "a connection ended early");
        }
        drop(slot);
    }
}
