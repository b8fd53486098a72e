//! One TCP connection: admitted, bounded in time, served, and drained at shutdown.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body};
use http_body_util::BodyExt as _;
use hyper::{
    body::Body as _,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::patience::{PatientStream, Progress};
use crate::config::Limits;

/// Largest request head, in bytes, and most header fields.
const HEAD_BYTES: usize = 64 << 10;
const HEAD_FIELDS: usize = 100;
/// How long requests under way may take once shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after an accept error such as "too many open files", so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `shutdown` completes, then cancels `stop` and waits for the requests under way.
pub(super) async fn accept(
    listener: TcpListener,
    app: Router,
    limits: &Limits,
    stop: CancellationToken,
    shutdown: impl Future<Output = ()>,
) {
    let admission = Admission::new(limits);
    let tracker = TaskTracker::new();
    let head = Duration::from_secs(limits.header_seconds);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(admitted) = admission.admit(peer.ip()) else {
                    metrics::counter!("hearken_connections_refused_total").increment(1);
                    continue;
                };
                let app = app.clone();
                let stop = stop.clone();
                tracker.spawn(async move {
                    serve(stream, app, head, stop).await;
                    drop(admitted);
                });
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.cancel();
    tracker.close();
    if timeout(DRAIN, tracker.wait()).await.is_err() {
        warn!("some requests did not end in time and were cut off");
    }
}

async fn serve(stream: TcpStream, app: Router, head: Duration, stop: CancellationToken) {
    // A client that connects and says nothing holds no more than this wait.
    let mut byte = [0];
    let first_byte = timeout(head, stream.peek(&mut byte));
    let spoke = tokio::select! {
        spoke = first_byte => spoke,
        () = stop.cancelled() => return,
    };
    if !matches!(spoke, Ok(Ok(1))) {
        return;
    }
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY");
    }
    let progress = Arc::new(Progress::default());
    let stream = PatientStream::new(stream, head, progress.clone());
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |request| {
        progress.begin();
        let (answer, serving) = (app.call(request), Serving(progress.clone()));
        async move {
            let answer = answer.await?;
            if answer.body().size_hint().exact().is_some() {
                return Ok::<_, Infallible>(answer);
            }
            // A stream: it goes on being served for as long as it lives.
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _ = &serving;
                    frame
                }))
            }))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(HEAD_FIELDS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

/// A request being served; it no longer is when this is dropped.
struct Serving(Arc<Progress>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Bounds connections in all and by address.
struct Admission {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address: usize,
}

/// A place among the admitted connections; given back when dropped.
struct Admitted {
    _place: OwnedSemaphorePermit,
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Admission {
    fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            by_address: Arc::default(),
            per_address: limits.connections_per_ip,
        }
    }

    fn admit(&self, address: IpAddr) -> Option<Admitted> {
        let place = self.all.clone().try_acquire_owned().ok()?;
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Admitted { _place: place, address, by_address: self.by_address.clone() })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
