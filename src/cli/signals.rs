//! SIGINT and SIGTERM end a run in order: its statement is cancelled, its transaction rolled back.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hacs_refinery::Canceller;

/// The first signal that came; 0 before.
static RECEIVED: AtomicI32 = AtomicI32::new(0);
/// Tells the run to stop.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// What ends the statements of this program's connection, once there is one.
static CANCELLER: Mutex<Option<Canceller>> = Mutex::new(None);

/// How often, every fifth of a second, the cancel is sent before the program ends without waiting for the server.
const CANCELS: u32 = 25;

/// The flag that a signal sets.
pub fn stop() -> Arc<AtomicBool> {
    STOP.clone()
}

/// From now on a signal cancels what this connection does.
pub fn cancel_with(canceller: Canceller) {
    *CANCELLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(canceller);
}

/// 130 after SIGINT, 143 after SIGTERM, as the shell has it.
pub fn exit_code() -> Option<ExitCode> {
    match RECEIVED.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(ExitCode::from(code(signal))),
    }
}

fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Starts to listen. A second signal ends the program at once: the server rolls back when the connection closes.
pub fn catch() {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGINT, SIGTERM};
        match signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
            Ok(mut signals) => drop(thread::spawn(move || signals.forever().for_each(received))),
            Err(error) => log::warn!("signals end this program without waiting for the server: {error}"),
        }
    }
}

fn received(signal: i32) {
    let canceller = CANCELLER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let repeated = RECEIVED.swap(signal, Ordering::Relaxed) != 0;
    STOP.store(true, Ordering::Relaxed);
    // Without a connection there is nothing to roll back.
    let outcome = match canceller {
        None => "Nothing was changed.",
        Some(_) => "The server rolls back what was not committed: hacs-refinery status tells what is there.",
    };
    let Some(canceller) = canceller.filter(|_| !repeated) else { end(signal, outcome) };
    log::warn!("stopping on signal {signal}");
    // Again and again: a cancel between two statements is lost.
    thread::spawn(move || {
        for _ in 0..CANCELS {
            canceller.cancel();
            thread::sleep(Duration::from_millis(200));
        }
        end(signal, outcome)
    });
}

fn end(signal: i32, outcome: &str) -> ! {
    eprintln!("error: stopped by signal {signal}\n{outcome}");
    std::process::exit(code(signal).into())
}
