//! How long a connection may keep us waiting for its next request.
//!
//! A client that keeps a connection open for later is welcome to a minute; one that has begun a
//! request's head must finish it in seconds. The HTTP library knows one timeout for both, which
//! would either let slow heads hold connections or cut off idle clients as they send.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// Longest wait for the first byte of a further request.
const IDLE: Duration = Duration::from_mins(1);

/// What the service tells the stream of its progress.
#[derive(Default)]
pub(super) struct Progress {
    serving: AtomicBool,
    begun: AtomicUsize,
}

impl Progress {
    /// A request's head has arrived.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.serving.store(true, Ordering::Relaxed);
    }

    /// Its answer is ready.
    pub(super) fn end(&self) {
        self.serving.store(false, Ordering::Relaxed);
    }
}

/// A stream that fails with `TimedOut` when the other side keeps it waiting too long.
pub(super) struct PatientStream {
    stream: TcpStream,
    progress: Arc<Progress>,
    seen: usize,
    waiting: Waiting,
    head: Duration,
    timer: Pin<Box<Sleep>>,
}

/// What the timer runs for.
#[derive(Clone, Copy, PartialEq)]
enum Waiting {
    Nothing,
    FirstByte,
    RestOfHead,
}

impl PatientStream {
    /// Waits `head` for a request's head to be complete.
    pub(super) fn new(stream: TcpStream, head: Duration, progress: Arc<Progress>) -> Self {
        let timer = Box::pin(sleep(head));
        Self { stream, progress, seen: 0, waiting: Waiting::Nothing, head, timer }
    }

    fn wait_for(&mut self, what: Waiting, span: Duration) {
        if self.waiting != what {
            self.waiting = what;
            self.timer.as_mut().reset(Instant::now() + span);
        }
    }

    /// A request that came through resets the wait.
    fn look_at_progress(&mut self) -> bool {
        let begun = self.progress.begun.load(Ordering::Relaxed);
        if begun != self.seen {
            self.seen = begun;
            self.waiting = Waiting::Nothing;
        }
        self.progress.serving.load(Ordering::Relaxed)
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // The body of a request being served has a deadline of its own.
        if self.look_at_progress() {
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before {
                let head = self.head;
                self.wait_for(Waiting::RestOfHead, head);
            }
            return read;
        }
        if self.waiting == Waiting::Nothing {
            self.wait_for(Waiting::FirstByte, IDLE);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
