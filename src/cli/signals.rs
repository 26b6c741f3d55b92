//! SIGINT and SIGTERM end a run in order: its statement is cancelled, its transaction rolled back. And they end it in
//! time: the thread that ends the program waits for nothing but the clock, whatever server, network, disk or terminal
//! do.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hacs_refinery::{Canceller, Outcome, Standing, safe_line};

/// The first signal that came; 0 before.
static RECEIVED: AtomicI32 = AtomicI32::new(0);
/// Tells the runs to stop.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// What is under way.
static RUNS: Mutex<Vec<Arc<Run>>> = Mutex::new(Vec::new());
/// Whether the program ends by itself once its runs have ended.
static MANY: AtomicBool = AtomicBool::new(false);
/// Whether the log is one of JSON objects.
static JSON: AtomicBool = AtomicBool::new(false);

/// How long the run may take to end by itself. An engine that stops a container kills it after ten seconds.
const GRACE: Duration = Duration::from_millis(4500);
/// How long the last line may take: nobody may be reading it.
const LAST_LINE: Duration = Duration::from_millis(300);
/// A cancel between two statements is lost, so it is sent again and again.
const BETWEEN_CANCELS: Duration = Duration::from_millis(200);
/// How soon a second signal is seen.
const TICK: Duration = Duration::from_millis(20);

/// The flag that a signal sets.
pub fn stop() -> Arc<AtomicBool> {
    STOP.clone()
}

/// Whether a signal came.
pub fn is_stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// There are many runs: a signal ends those that are under way, and then the program by itself.
pub fn expect_many() {
    MANY.store(true, Ordering::Relaxed);
}

/// What a signal has to end.
#[derive(Default)]
pub struct Run {
    /// Which of many.
    name: Option<String>,
    /// What ends the statements of its connection, once there is one.
    canceller: Mutex<Option<Canceller>>,
    standing: Standing,
}

impl Run {
    /// Where it writes how far it is.
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// From now on a signal cancels what this connection does.
    pub fn cancel_with(&self, canceller: Canceller) {
        *locked(&self.canceller) = Some(canceller);
    }
}

/// Begins a run. It is under way until its [`end_of`], or until the program ends: its report may be what is left.
pub fn begin(name: Option<String>) -> Arc<Run> {
    let run = Arc::new(Run { name, ..Run::default() });
    locked(&RUNS).push(Arc::clone(&run));
    run
}

/// Nothing is left to be ended of it.
pub fn end_of(run: &Arc<Run>) {
    locked(&RUNS).retain(|other| !Arc::ptr_eq(other, run));
}

/// Those that are under way.
fn runs() -> Vec<Arc<Run>> {
    locked(&RUNS).clone()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last line has the form of the log.
pub fn speak_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// 130 after SIGINT, 143 after SIGTERM, as the shell has it.
pub fn exit_code() -> Option<u8> {
    Some(RECEIVED.load(Ordering::Relaxed)).filter(|signal| *signal != 0).map(code)
}

fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Starts to listen. A second signal ends the program at once: the server rolls back when the connection closes.
///
/// # Errors
///
/// Where signals cannot be caught they end the program without waiting for the server.
pub fn catch() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        thread::Builder::new().spawn(move || watch(signals))?;
    }
    Ok(())
}

/// This thread takes no lock that another keeps, writes nothing, and asks nobody.
#[cfg(unix)]
fn watch(mut signals: signal_hook::iterator::Signals) {
    let Some(first) = signals.forever().next() else { return };
    let deadline = Instant::now() + GRACE;
    RECEIVED.store(first, Ordering::Relaxed);
    STOP.store(true, Ordering::Relaxed);
    let many = MANY.load(Ordering::Relaxed);
    // Without a connection there is nothing to roll back.
    if !many && runs().iter().all(|run| locked(&run.canceller).is_none()) {
        end(first, "Nothing was changed.".to_owned());
    }
    for run in runs() {
        // One server that does not answer keeps no other waiting.
        aside(move || {
            while runs().iter().any(|other| Arc::ptr_eq(other, &run)) {
                let canceller = locked(&run.canceller).clone();
                canceller.iter().for_each(Canceller::cancel);
                thread::sleep(BETWEEN_CANCELS);
            }
        });
    }
    aside(move || log::warn!("stopping on signal {first}"));
    while Instant::now() < deadline {
        if let Some(again) = signals.pending().next() {
            end(again, outcome());
        }
        thread::sleep(TICK);
    }
    end(first, outcome())
}

/// What can be said without asking the server.
fn outcome() -> String {
    let runs = runs();
    let told = runs.iter().map(|run| match (&run.name, left(run.standing.reached())) {
        (Some(name), left) => format!("{}: {left}", safe_line(name)),
        (None, left) => left.to_owned(),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "Nothing else was under way.".to_owned() } else { told.join("\n") }
}

fn left(reached: Outcome) -> &'static str {
    match reached {
        Outcome::NothingChanged => "Nothing was changed: the server rolls back what was not committed.",
        Outcome::Parts => {
            "A part of the run is done and stays; the next run goes on. hacs-refinery status tells how far it is."
        }
        Outcome::Complete => "The run is complete; it was its report that could not be written.",
        _ => {
            "The run was being committed: the database is either as before or complete. hacs-refinery status tells which."
        }
    }
}

/// Says why and ends, within a moment even where standard error takes nothing. No lock of the other threads, no buffer
/// of theirs and no exit handler of a library is waited for.
fn end(signal: i32, outcome: String) -> ! {
    let said = aside(move || {
        if JSON.load(Ordering::Relaxed) {
            log::error!("stopped by signal {signal}\n{outcome}");
        } else {
            let _ = writeln!(std::io::stderr(), "error: stopped by signal {signal}\n{outcome}");
        }
    });
    let _ = said.recv_timeout(LAST_LINE);
    #[cfg(unix)]
    signal_hook::low_level::exit(code(signal).into());
    #[cfg(not(unix))]
    std::process::exit(code(signal).into());
}

/// Does something that may never end. The answer comes when it did.
fn aside(what: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (done, ended) = channel();
    // Without a thread to be had it is left out.
    let _ = thread::Builder::new().spawn(move || {
        what();
        let _ = done.send(());
    });
    ended
}
