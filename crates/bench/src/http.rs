//! As much of an HTTP/1.1 client as the load driver needs; every microsecond it spends is one the servers lack.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer that is asked for here comes near it, not even what a change of 100,000 rules is answered with.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A keep-alive connection with one request in flight.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, borrowed from the connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(4096),
        })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.receive().await?;
            if let Some(head) = Head::read(&self.received)? {
                break head;
            }
        };
        while self.received.len() < head.body.end {
            self.receive().await?;
        }
        let body = self.received.get(head.body);
        let body = body.context("an answer's length is not possible")?;
        Ok(Answer {
            status: head.status,
            body,
        })
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let count = self.stream.read_buf(&mut self.received).await?;
        ensure!(count > 0, "the server closed a connection");
        ensure!(self.received.len() <= MAX_ANSWER, "an answer is too long");
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body: Range<usize>,
}

impl Head {
    /// `None` while the head is not complete.
    fn read(received: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&received[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let length: Option<usize> = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        match (status, length) {
            (Some(status), Some(length)) if length <= MAX_ANSWER => {
                let start = end + 4;
                let body = start..start + length;
                Ok(Some(Self { status, body }))
            }
            _ => bail!("an answer has no status, no Content-Length, or one that is too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let whole = b"HTTP/1.1 201 Created\r\nx: y\r\nContent-LENGTH:  12 \r\n\r\n{";
        let start = whole.len() - 1;
        for part in 0..start {
            assert_eq!(Head::read(&whole[..part]).unwrap(), None, "{part}");
        }
        let head = Head::read(whole).unwrap().unwrap();
        assert_eq!((head.status, head.body), (201, start..start + 12));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for head in [
            "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n",
        ] {
            assert!(Head::read(head.as_bytes()).is_err(), "{head}");
        }
    }
}
