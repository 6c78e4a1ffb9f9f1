//! The bodies of a request and of its answer, which tell the [`Watch`](super::watch::Watch) how far they are.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::watch::{PIECE, Receipt, Ticket};

/// The body that a client sends.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Incoming,
    /// Until all of it is here.
    receipt: Option<Receipt>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, ticket: &Ticket) -> Self {
        let receipt = (!inner.is_end_stream()).then(|| ticket.receipt());
        Self { inner, receipt }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if over || self.inner.is_end_stream() {
            self.receipt = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body that a client takes, in pieces of at most [`PIECE`] bytes: the next one is asked for when there is room for
/// it, so that asking is progress.
#[derive(Debug)]
pub(super) struct AnswerBody {
    inner: Body,
    /// What is left of the last frame.
    rest: Bytes,
    asked: bool,
    ticket: Ticket,
}

impl AnswerBody {
    pub(super) fn new(inner: Body, ticket: Ticket) -> Self {
        ticket.answering();
        Self {
            inner,
            rest: Bytes::new(),
            asked: false,
            ticket,
        }
    }

    /// The first piece is asked for at once.
    fn progress(&mut self) {
        if self.asked {
            self.ticket.answering();
        }
        self.asked = true;
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Pending => {
                    self.ticket.working();
                    self.asked = true;
                    return Poll::Pending;
                }
                over @ Poll::Ready(_) => return over,
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.progress();
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.inner.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::super::watch::{Patience, Watch};
    use super::*;

    fn answer(body: Body) -> AnswerBody {
        let second = Duration::from_secs(1);
        let watch = Watch::new(Patience {
            head: second,
            body: second,
            answer: second,
        });
        AnswerBody::new(body, Ticket::begin(&watch, false, true))
    }

    #[tokio::test]
    async fn a_large_answer_goes_out_in_pieces_and_stays_what_it_is() {
        let whole: Vec<u8> = (0..=250).cycle().take(2 * PIECE + 7).collect();
        let mut body = answer(whole.clone().into());
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut got = Vec::new();
        let mut lengths = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            lengths.push(data.len());
            got.extend_from_slice(&data);
            let left = (whole.len() - got.len()) as u64;
            assert_eq!(body.size_hint().exact(), Some(left));
            assert_eq!(body.is_end_stream(), left == 0);
        }
        assert_eq!(lengths, [PIECE, PIECE, 7]);
        assert_eq!(got, whole);
    }

    #[tokio::test]
    async fn an_empty_answer_is_over_at_once() {
        let mut body = answer(Body::empty());
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }
}
