//! A line that shows, on a terminal, that a long run is alive.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Shows the line while it lives, from its first beat on.
pub struct Progress {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
    shown: Arc<Mutex<bool>>,
}

/// Starts to wait for the first beat. Without a terminal there is nothing to show.
pub fn start(quiet: bool, beat: Duration, line: impl Fn(Duration) -> String + Send + 'static) -> Progress {
    let shown = Arc::new(Mutex::new(false));
    if quiet || !std::io::stderr().is_terminal() {
        return Progress { thread: None, shown };
    }
    let (end, ended) = channel();
    let drawn = Arc::clone(&shown);
    let thread = std::thread::spawn(move || {
        let started = Instant::now();
        while ended.recv_timeout(beat) == Err(RecvTimeoutError::Timeout) {
            let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
            *drawn = true;
            // Cut at the edge of the terminal: a second line could not be taken away again.
            show(&format!("\r\x1b[?7l{}\x1b[K\x1b[?7h", line(started.elapsed())));
        }
    });
    Progress { thread: Some((end, thread)), shown }
}

fn show(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Progress {
    /// Writes something else, without the line in the midst of it.
    pub fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *shown) {
            // to the start of the line, and blank to its end
            show("\r\x1b[K");
        }
        what()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            let _ = thread.join();
        }
        self.aside(|| ());
    }
}
