//! A line that shows, on a terminal, that a long run is alive.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Shows the time while it lives, from its first second on.
pub struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

/// Starts to wait for the first second. Without a terminal there is nothing to show.
pub fn start(quiet: bool) -> Progress {
    if quiet || !std::io::stderr().is_terminal() {
        return Progress(None);
    }
    let (end, ended) = channel();
    let thread = std::thread::spawn(move || {
        let started = Instant::now();
        let mut shown = false;
        while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            shown = true;
            show(&format!("\rmigrating: {} s ", started.elapsed().as_secs()));
        }
        if shown {
            // to the start of the line, and blank to its end
            show("\r\x1b[K");
        }
    });
    Progress(Some((end, thread)))
}

fn show(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}
