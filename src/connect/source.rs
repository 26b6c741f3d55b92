//! Where a connection string comes from: what is given, `DATABASE_URL`, or the file that `DATABASE_URL_FILE` names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{ConnectError, shown};

/// More than any connection string has.
const LONGEST: u64 = 64 * 1024;

/// The connection string, where one of the three sources has one. An empty one counts as none.
pub(crate) fn text(given: Option<&str>) -> Result<Option<String>, ConnectError> {
    if let Some(given) = given.filter(|text| !text.trim().is_empty()) {
        return Ok(Some(given.to_owned()));
    }
    let set = |name| Ok(variable(name)?.filter(|text| !text.trim().is_empty()));
    match (set("DATABASE_URL")?, set("DATABASE_URL_FILE")?) {
        (Some(_), Some(_)) => Err(ConnectError::TwoUrls),
        (None, Some(path)) => from_file(Path::new(&path)).map(Some),
        (url, None) => Ok(url),
    }
}

/// What a variable says. One that is not UTF-8 is not the same as none: another database would be taken.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, ConnectError> {
    std::env::var_os(name).map(|text| text.into_string().map_err(|_| ConnectError::NotUtf8(name))).transpose()
}

fn from_file(path: &Path) -> Result<String, ConnectError> {
    let failed = |source| ConnectError::File { keyword: "DATABASE_URL_FILE", file: shown::file(path), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| ConnectError::NotUtf8("DATABASE_URL_FILE"))?;
    match text.trim() {
        "" => Err(ConnectError::EmptyFile(shown::file(path))),
        _ if text.len() as u64 > LONGEST => Err(ConnectError::Syntax("the file of DATABASE_URL_FILE holds too much")),
        text => Ok(text.to_owned()),
    }
}
