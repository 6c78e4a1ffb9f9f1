//! Lines on their way out. Who logs leaves a line in memory and goes on; one thread writes what has come together, in one
//! call. A reader that does not read holds up this thread and nothing else: past a bound, lines are counted and dropped.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How much may wait to be written, in bytes.
const ROOM: usize = 4 * 1024 * 1024;
/// How long the thread rests after it has written, so that there is more to write. After a pause, a line is written at once.
const REST: Duration = Duration::from_millis(10);

/// Writes until it is dropped, and then the rest.
#[derive(Debug)]
pub(super) struct Sink {
    lines: Arc<Lines>,
    thread: Option<JoinHandle<()>>,
}

/// Where lines are left.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    /// There is something to do for the thread.
    called: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    /// Lines for which there was no room.
    dropped: u64,
    /// The thread has nothing to do, and sleeps until it is called.
    idle: bool,
    closed: bool,
}

impl Sink {
    /// Starts the thread. `notice` writes the line that says how many were dropped.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        notice: fn(u64) -> String,
    ) -> io::Result<Self> {
        let lines = Arc::new(Lines::default());
        let thread = Builder::new().name("log".to_owned()).spawn({
            let lines = lines.clone();
            move || lines.write_until_closed(out, notice)
        })?;
        Ok(Self {
            lines,
            thread: Some(thread),
        })
    }

    /// Where to leave lines.
    pub(super) fn lines(&self) -> Arc<Lines> {
        self.lines.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.lines.lock().closed = true;
        self.lines.called.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_closed(&self, mut out: impl Write, notice: fn(u64) -> String) {
        let mut text = Vec::new();
        loop {
            let (dropped, closed) = self.take(&mut text);
            // Nobody can be told that the log cannot be written.
            let _ = out.write_all(&text);
            if dropped > 0 {
                let _ = writeln!(out, "{}", notice(dropped));
            }
            text.clear();
            if closed {
                return;
            }
            let rest = self
                .called
                .wait_timeout_while(self.lock(), REST, |waiting| !waiting.closed);
            drop(rest);
        }
    }

    /// Waits for something to write, and exchanges it for the empty `text`.
    fn take(&self, text: &mut Vec<u8>) -> (u64, bool) {
        let mut waiting = self.lock();
        while waiting.text.is_empty() && !waiting.closed {
            waiting.idle = true;
            waiting = self
                .called
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.idle = false;
        std::mem::swap(&mut waiting.text, text);
        (std::mem::take(&mut waiting.dropped), waiting.closed)
    }
}

/// Takes a whole line with each call.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.text.len().saturating_add(line.len()) > ROOM {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        waiting.text.extend_from_slice(line);
        let idle = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if idle {
            self.called.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Passes on what is written; each call waits for a permit.
    struct Gate {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.permits.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Sender<()>, Receiver<Vec<u8>>, Gate) {
        let (permit, permits) = channel();
        let (written, seen) = channel();
        (permit, seen, Gate { permits, written })
    }

    #[test]
    fn a_line_is_written_without_being_asked_for() {
        let (permit, seen, gate) = gate();
        let sink = Sink::start(gate, |dropped| dropped.to_string()).unwrap();
        for _ in 0..3 {
            permit.send(()).unwrap();
            (&*sink.lines()).write_all(b"line\n").unwrap();
            assert_eq!(seen.recv().unwrap(), b"line\n");
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_lost_is_told() {
        let (permit, seen, gate) = gate();
        let sink = Sink::start(gate, |dropped| dropped.to_string()).unwrap();
        let (lines, line) = (sink.lines(), [b'x'; 1024]);
        // The thread holds as much as there is room for, and as much waits.
        let count = 2 * ROOM / line.len() + 10;
        for _ in 0..count {
            (&*lines).write_all(&line).unwrap();
        }
        drop(permit);
        drop(sink);
        let written: Vec<u8> = seen.iter().flatten().collect();
        let text = String::from_utf8(written).unwrap();
        let kept = text.matches('x').count() / line.len();
        let lost = text.trim_start_matches('x').trim_end();
        assert_eq!(lost.parse(), Ok(count - kept), "{kept} were kept");
    }

    #[test]
    fn the_end_writes_the_rest() {
        let (permit, seen, gate) = gate();
        let sink = Sink::start(gate, |dropped| dropped.to_string()).unwrap();
        for number in 0..100 {
            writeln!(&*sink.lines(), "{number}").unwrap();
        }
        drop(permit);
        drop(sink);
        let written: Vec<u8> = seen.iter().flatten().collect();
        let written = String::from_utf8(written).unwrap();
        let numbers = written.lines().map(|line| line.parse::<i32>().unwrap());
        assert!(numbers.eq(0..100), "{written}");
    }
}
