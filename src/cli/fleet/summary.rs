//! What all of them come to.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use hacs_refinery::{safe_json, safe_line};
use serde_json::json;

use super::work::End;

/// What has ended so far, and what is under way.
pub struct Summary {
    all: usize,
    started: Instant,
    under_way: BTreeMap<String, Instant>,
    versions: BTreeMap<Option<i64>, usize>,
    codes: BTreeMap<u8, usize>,
    failed: Vec<String>,
}

/// From good to bad: what the next run does by itself, what may pass, and what somebody has to look at.
const BADNESS: [u8; 10] = [0, 4, 5, 3, 9, 7, 6, 8, 2, 1];
/// How many names of those that failed the line on a terminal and the text have.
const NAMES: usize = 3;

impl Summary {
    /// Nothing has begun.
    pub fn new(all: usize) -> Self {
        let (under_way, versions, codes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { all, started: Instant::now(), under_way, versions, codes, failed: Vec::new() }
    }

    pub fn begin(&mut self, name: &str) {
        self.under_way.insert(name.to_owned(), Instant::now());
    }

    /// Counts one, and gives how many have failed.
    pub fn end(&mut self, end: &End<'_>) -> usize {
        self.under_way.remove(end.name);
        *self.versions.entry(end.database_version).or_default() += 1;
        *self.codes.entry(end.exit_code).or_default() += 1;
        if end.exit_code != 0 {
            self.failed.push(end.name.to_owned());
        }
        self.failed()
    }

    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    fn ended(&self) -> usize {
        self.codes.values().sum()
    }

    /// The worst exit code.
    pub fn worst(&self) -> u8 {
        let badness = |code: &&u8| BADNESS.iter().position(|known| known == *code).unwrap_or(BADNESS.len());
        self.codes.keys().max_by_key(badness).copied().unwrap_or(0)
    }

    /// For a terminal: a bar, the one that takes longest, and those that failed last.
    pub fn line(&self) -> String {
        const WIDTH: usize = 20;
        let ended = self.ended();
        let full = WIDTH * ended / self.all.max(1);
        let mut line = format!("[{}{}] {ended} of {}", "#".repeat(full), " ".repeat(WIDTH - full), self.all);
        if let Some((name, since)) = self.under_way.iter().min_by_key(|(_, since)| **since) {
            let _ = write!(line, ", {} for {} s", safe_line(name), since.elapsed().as_secs());
        }
        if !self.failed.is_empty() {
            let last: Vec<_> = self.failed.iter().rev().take(NAMES).map(|name| safe_line(name)).collect();
            let _ = write!(line, ", {} failed: {}", self.failed.len(), last.join(", "));
        }
        line
    }

    /// For people.
    pub fn text(&self) -> String {
        let (ended, failed, seconds) = (self.ended(), self.failed.len(), self.started.elapsed().as_secs_f64());
        let mut text = format!("{} databases in {seconds:.1} s: {} well, {failed} failed", self.all, ended - failed);
        if ended < self.all {
            let _ = write!(text, ", {} not begun", self.all - ended);
        }
        text += ".\n";
        for (version, count) in &self.versions {
            let version = version.map_or_else(|| "version unknown".to_owned(), |version| format!("at V{version}"));
            let _ = writeln!(text, "  {version:16} {count:>6}");
        }
        for (code, count) in &self.codes {
            let _ = writeln!(text, "  exit code {code:<6} {count:>6}");
        }
        text
    }

    /// One line.
    pub fn json(&self) -> String {
        let key = |version: &Option<i64>| version.map_or_else(|| "unknown".to_owned(), |version| version.to_string());
        let versions: BTreeMap<String, usize> = self.versions.iter().map(|(v, count)| (key(v), *count)).collect();
        let codes: BTreeMap<String, usize> =
            self.codes.iter().map(|(code, count)| (code.to_string(), *count)).collect();
        let summary = json!({
            "databases": self.all,
            "ended": self.ended(),
            "failed": self.failed,
            "not_begun": self.all - self.ended(),
            "seconds": self.started.elapsed().as_secs_f64(),
            "by_version": versions,
            "by_exit_code": codes,
            "exit_code": self.worst(),
        });
        format!("{{\"version\":1,\"summary\":{}}}\n", safe_json(&summary.to_string()))
    }
}
