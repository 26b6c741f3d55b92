//! Many databases in one command.

mod broken;
mod limits;
mod logins;
mod shown;
mod stopping;

use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::database::{Database, Ended, ended, tool};

/// A file with a name and a connection string on each line; gone with the directory.
struct List(tempfile::TempDir);

impl List {
    fn of<'a>(lines: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lines: Vec<String> = lines.into_iter().map(|(name, url)| format!("{name} {url}\n")).collect();
        std::fs::write(dir.path().join("list"), lines.concat()).unwrap();
        Self(dir)
    }

    fn of_databases(databases: &[Database]) -> Self {
        let names: Vec<String> = (0..databases.len()).map(|at| format!("db{at}")).collect();
        Self::of(names.iter().zip(databases).map(|(name, database)| (name.as_str(), database.conninfo())))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("list")
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = tool(args);
        command.arg("--json").arg("--databases").arg(self.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, args: &[&str]) -> Report {
        Report::of(ended(self.start(args).wait_with_output().unwrap()))
    }
}

/// What such a command says.
#[derive(Debug)]
struct Report {
    end: Ended,
    lines: Vec<Value>,
    summary: Value,
}

impl Report {
    fn of(end: Ended) -> Self {
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut lines: Vec<Value> = end.stdout.lines().map(parse).collect();
        assert!(lines.iter().all(|line| line["version"] == 1), "{end:?}");
        let summary = lines.pop().unwrap_or_else(|| panic!("{end:?}"))["summary"].clone();
        Self { end, lines, summary }
    }

    fn line(&self, name: &str) -> &Value {
        self.lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    fn code(&self, name: &str) -> u64 {
        self.line(name)["exit_code"].as_u64().unwrap()
    }

    /// Those that were begun, in the order of the alphabet.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        names
    }
}
