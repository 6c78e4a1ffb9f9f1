//! The stream of a connection: tells the [`Watch`] when its client does not take what is written.

use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;

/// Passes everything on. Costs nothing while each write takes all there is.
#[derive(Debug)]
pub(super) struct WatchedStream<S> {
    inner: S,
    watch: Arc<Watch>,
    lags: bool,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(inner: S, watch: Arc<Watch>) -> Self {
        Self {
            inner,
            watch,
            lags: false,
        }
    }

    fn wrote(&mut self, offered: usize, written: &Poll<Result<usize, Error>>) {
        match written {
            Poll::Ready(Ok(taken)) if *taken == offered => {
                if self.lags {
                    self.lags = false;
                    self.watch.lag_ends();
                }
            }
            Poll::Ready(Ok(taken)) => {
                self.lag();
                self.watch.lag_shrinks(*taken);
            }
            Poll::Pending => self.lag(),
            Poll::Ready(Err(_)) => {}
        }
    }

    fn lag(&mut self) {
        if !self.lags {
            self.lags = true;
            self.watch.lag_begins();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote(bytes.len(), &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.wrote(offered, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::super::counters::Deadline;
    use super::super::watch::Patience;
    use super::*;

    #[tokio::test]
    async fn a_client_that_does_not_read_lags_until_it_has_everything() {
        let second = Duration::from_secs(1);
        let watch = Watch::new(Patience {
            head: 20 * second,
            body: 20 * second,
            answer: 10 * second,
        });
        let late = || watch.look(Instant::now() + 10 * second).err();
        let (server, mut client) = tokio::io::duplex(8);
        let mut server = WatchedStream::new(server, watch.clone());

        server.write_all(b"in time").await.unwrap();
        assert_eq!(late(), None, "the client's buffer took it");
        let mut rest = Box::pin(server.write_all(b", and more than fits"));
        assert!(futures::poll!(&mut rest).is_pending());
        assert_eq!(late(), Some(Deadline::Answer));
        let mut taken = [0; 27];
        let (written, read) = tokio::join!(rest, client.read_exact(&mut taken));
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(late(), None);
    }
}
