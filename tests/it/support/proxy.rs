//! A TCP proxy before PostgreSQL that loses, on demand, the answer to a statement the server carried out.

use super::Gate;
use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::CancellationToken;

/// What is cut, and whether the statement reaches the server first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The statement is carried out; its answer is lost.
    Answer,
    /// The statement never arrives.
    Statement,
    /// What the server sends is lost.
    Result,
}

#[derive(Debug, Default)]
struct Orders {
    next: Mutex<VecDeque<(Cut, &'static [u8])>>,
    hold: Mutex<Option<(&'static [u8], Arc<Gate>)>>,
    cuts: AtomicUsize,
    /// Of the connections made from now on: cancelled, they swallow what is sent.
    silence: Mutex<CancellationToken>,
}

/// The proxy.
pub(crate) struct Proxy {
    port: u16,
    orders: Arc<Orders>,
}

impl Proxy {
    /// A proxy before the server of `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let orders = Arc::new(Orders::default());
        let shared = orders.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(&server).await {
                    relay(client, server, &shared);
                }
            }
        });
        Self { port, orders }
    }

    /// `url` by way of the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        let database = url.rsplit('/').next().unwrap();
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Cuts the connection over which the next message goes that contains `needle`, after the cuts ordered before.
    pub(crate) fn cut(&self, cut: Cut, needle: &'static str) {
        let mut next = self.orders.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.push_back((cut, needle.as_bytes()));
    }

    /// Holds the next message to the server that contains `needle`, until the gate is opened.
    pub(crate) fn hold(&self, needle: &'static str) -> Arc<Gate> {
        let gate = Gate::new();
        let hold = (needle.as_bytes(), gate.clone());
        *self.orders.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        gate
    }

    /// From now on every connection stays open and swallows what is sent, as behind a router that lost its way.
    pub(crate) fn silence(&self) {
        self.orders.silence.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// New connections work again. Those of before stay silent.
    pub(crate) fn end_silence(&self) {
        *self.orders.silence.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.orders.cuts.load(Ordering::SeqCst)
    }
}

impl Orders {
    /// The gate these bytes have to wait at.
    fn gate(&self, bytes: &[u8]) -> Option<Arc<Gate>> {
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = hold.as_ref().is_some_and(|(needle, _)| contains(bytes, needle));
        if meant { hold.take().map(|(_, gate)| gate) } else { None }
    }

    /// Takes the order if it is about these bytes, which came from the server or go there.
    fn take(&self, bytes: &[u8], from_server: bool) -> Option<Cut> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (cut, needle) = *next.front()?;
        let meant = (cut == Cut::Result) == from_server && contains(bytes, needle);
        if meant { next.pop_front().map(|(cut, _)| cut) } else { None }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn relay(client: TcpStream, server: TcpStream, orders: &Arc<Orders>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (doomed, over) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let silence = orders.silence.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let up = upstream(from_client, to_server, orders.clone(), doomed.clone());
    let down = downstream(from_server, to_client, orders.clone(), doomed);
    tokio::spawn(ending(over.clone(), silence.clone(), up));
    tokio::spawn(ending(over, silence, down));
}

/// Where one direction ends, the other does: both ends see the connection closed.
async fn ending(over: CancellationToken, silence: CancellationToken, direction: impl Future<Output = ()>) {
    let mut direction = pin!(direction);
    if silence.run_until_cancelled(over.run_until_cancelled(&mut direction)).await.is_none() {
        // Not dropped: neither end sees the connection closed.
        over.cancelled().await;
    }
    over.cancel();
}

async fn upstream(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    orders: Arc<Orders>,
    doomed: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if let Some(gate) = orders.gate(&buffer[..length]) {
            gate.pass().await;
        }
        match orders.take(&buffer[..length], false) {
            Some(Cut::Statement) => {
                orders.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Some(Cut::Answer) => doomed.store(true, Ordering::SeqCst),
            Some(Cut::Result) | None => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn downstream(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    orders: Arc<Orders>,
    doomed: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if doomed.load(Ordering::SeqCst) || orders.take(&buffer[..length], true).is_some() {
            // The server answers only what it has carried out.
            orders.cuts.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
