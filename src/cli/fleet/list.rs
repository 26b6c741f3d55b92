//! Which databases.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use hacs_refinery::{Database, Error, Result, databases};

use super::options::Fleet;
use crate::cli::args::Args;

/// A database, as the list has it.
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// Where it is, or the connection string, where that cannot be understood.
    pub database: std::result::Result<Database, String>,
    /// Its server; all databases of one share this.
    pub server: Arc<str>,
}

/// Reads the file, or asks the server.
pub fn read(args: &Args, of: &Fleet) -> Result<Vec<Listed>> {
    let url = args.global.database_url.as_deref();
    let listed = match (&of.databases, &of.all_databases) {
        (Some(file), _) => lines(&text(file)?)?,
        (None, pattern) => {
            let server = Database::find(url)?;
            let mut link = server.link(args.global.wait)?;
            let names = databases(&mut link, pattern.as_deref().unwrap_or("*"))?;
            let one = |name: String| Ok(Listed::of(Ok(server.with_database(&name)?), name));
            names.into_iter().map(one).collect::<Result<Vec<_>>>()?
        }
    };
    if listed.is_empty() { Err(wrong("there is none")) } else { Ok(shared(listed)) }
}

impl Listed {
    fn of(database: std::result::Result<Database, String>, name: String) -> Self {
        let server = database.as_ref().map(Database::server).unwrap_or_default();
        Self { name, database, server: server.into() }
    }
}

/// The same with one text for each server.
fn shared(mut listed: Vec<Listed>) -> Vec<Listed> {
    let mut servers = std::collections::BTreeSet::new();
    for one in &mut listed {
        match servers.get(&one.server) {
            Some(known) => one.server = Arc::clone(known),
            None => drop(servers.insert(Arc::clone(&one.server))),
        }
    }
    listed
}

fn text(file: &Path) -> Result<String> {
    let read =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    read.map_err(|error| wrong(&error.to_string()))
}

/// A name and a connection string on each line; empty lines and those that begin with # are left out. A line that is
/// not understood is named by its number alone: it may hold a password.
fn lines(text: &str) -> Result<Vec<Listed>> {
    let mut names = std::collections::BTreeSet::new();
    let mut listed = Vec::new();
    // Some editors put this mark before a text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, url)) = line.split_once(char::is_whitespace).filter(|(name, _)| is_name(name)) else {
            return Err(wrong(&format!(
                "line {at} is no name, of letters, digits, _, - and ., and a connection string"
            )));
        };
        if !names.insert(name) {
            return Err(wrong(&format!("the name in line {at} stands there twice")));
        }
        listed.push(Listed::of(url.trim().parse().map_err(|_| url.trim().to_owned()), name.to_owned()));
    }
    Ok(listed)
}

/// What begins a line without a name may be a password.
fn is_name(text: &str) -> bool {
    text.len() <= 100 && text.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

fn wrong(why: &str) -> Error {
    Error::Io { doing: "reading the list of databases", error: IoError::new(ErrorKind::InvalidInput, why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_connection_string() {
        let listed =
            lines("\u{feff}# all\r\n\n a postgresql://u@h1/a\nb-2.x\thost=h1 dbname=b user=u\nc nonsense\n").unwrap();
        let names: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b-2.x", "c"]);
        assert_eq!(&*listed[0].server, "h1 port 5432");
        assert!(listed[2].database.is_err());
        let listed = shared(listed);
        assert!(Arc::ptr_eq(&listed[0].server, &listed[1].server));
    }

    #[test]
    fn a_line_without_a_name_is_told_by_its_number_alone() {
        for (text, line) in [
            ("a postgresql://h/a\npostgresql://u:hunter2@h/b", "line 2"),
            ("hunter2", "line 1"),
            ("host=h password=hunter2", "line 1"),
            ("a postgresql://h/a\na postgresql://u:hunter2@h/b", "line 2"),
        ] {
            let error = lines(text).err().unwrap().to_string();
            assert!(error.contains(line) && !error.contains("hunter2"), "{error}");
        }
    }
}
