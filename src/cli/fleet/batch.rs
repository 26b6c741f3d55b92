//! Some at a time, and not too many of one server.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::list::Listed;
use crate::cli::signals;

/// How many at a time.
pub struct Limits {
    /// All together.
    pub parallel: usize,
    /// Of one server.
    pub per_host: usize,
    /// After how many failures no other is begun.
    pub failures: usize,
}

/// The databases of one server.
struct Server<'a> {
    waiting: VecDeque<&'a Listed>,
    busy: usize,
}

struct Queue<'a> {
    servers: Vec<Server<'a>>,
    /// No other is begun.
    over: bool,
}

impl<'a> Queue<'a> {
    fn of(listed: &'a [Listed]) -> Self {
        let mut places = std::collections::HashMap::new();
        let mut servers: Vec<Server> = Vec::new();
        for one in listed {
            let at = *places.entry(Arc::clone(&one.server)).or_insert(servers.len());
            if at == servers.len() {
                servers.push(Server { waiting: VecDeque::new(), busy: 0 });
            }
            if let Some(server) = servers.get_mut(at) {
                server.waiting.push_back(one);
            }
        }
        Self { servers, over: false }
    }

    fn is_empty(&self) -> bool {
        self.over || signals::is_stopped() || self.servers.iter().all(|server| server.waiting.is_empty())
    }

    /// The next one, of the server that has least to do; and which server that is.
    fn take(&mut self, per_host: usize) -> Option<(usize, &'a Listed)> {
        let free = |(_, server): &(usize, &mut Server)| !server.waiting.is_empty() && server.busy < per_host;
        let (at, server) = self.servers.iter_mut().enumerate().filter(free).min_by_key(|(_, server)| server.busy)?;
        server.busy += 1;
        server.waiting.pop_front().map(|one| (at, one))
    }
}

/// Does something with each, until it is over: `one` gives how many have failed by then.
pub fn run(listed: &[Listed], limits: &Limits, one: &(dyn Fn(&Listed) -> usize + Sync)) {
    let queue = Mutex::new(Queue::of(listed));
    let freed = Condvar::new();
    let worker = || {
        while let Some((at, next)) = wait(&queue, &freed, limits.per_host) {
            let failed = one(next);
            let mut queue = locked(&queue);
            queue.over |= failed >= limits.failures;
            if let Some(server) = queue.servers.get_mut(at) {
                server.busy -= 1;
            }
            freed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..limits.parallel.min(listed.len()) {
            // Where no more threads can be had, there are fewer at a time.
            let _ = thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
}

fn wait<'a>(queue: &Mutex<Queue<'a>>, freed: &Condvar, per_host: usize) -> Option<(usize, &'a Listed)> {
    let mut queue = locked(queue);
    loop {
        if queue.is_empty() {
            return None;
        }
        if let Some(next) = queue.take(per_host) {
            return Some(next);
        }
        queue = freed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

fn locked<'m, 'a>(queue: &'m Mutex<Queue<'a>>) -> MutexGuard<'m, Queue<'a>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
