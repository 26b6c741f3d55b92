//! libpq's files: passwords (`~/.pgpass`) and services (`~/.pg_service.conf`).

use std::fs;
use std::path::{Path, PathBuf};

use super::ConnectError;
use super::keywords::Keywords;

/// A file below the home directory.
pub(crate) fn home(name: &str) -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(name))
}

/// The settings of a service. A service that nobody defines is an error, as in libpq.
pub(crate) fn service(name: &str, file: Option<&str>) -> Result<Keywords, ConnectError> {
    let system =
        std::env::var_os("PGSYSCONFDIR").map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from);
    let user = file.map(PathBuf::from).or_else(|| home(".pg_service.conf"));
    for path in user.into_iter().chain([system.join("pg_service.conf")]) {
        if let Some(keywords) = fs::read_to_string(&path).ok().and_then(|text| section(&text, name)) {
            return keywords;
        }
    }
    Err(ConnectError::NoService(name.to_owned()))
}

fn section(text: &str, name: &str) -> Option<Result<Keywords, ConnectError>> {
    let header = format!("[{name}]");
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != header).skip(1).peekable();
    text.lines().any(|line| line.trim() == header).then(|| {
        let mut keywords = Keywords::default();
        while let Some(line) = lines.next_if(|line| !line.starts_with('[')) {
            if !line.is_empty() && !line.starts_with('#') {
                let (keyword, value) =
                    line.split_once('=').ok_or(ConnectError::Syntax("a line of the service has no ="))?;
                keywords.set(keyword.trim_end(), value.trim_start())?;
            }
        }
        Ok(keywords)
    })
}

/// The password for a host from a password file, where it has one.
pub(crate) fn password(file: Option<&str>, host: &str, port: &str, dbname: &str, user: &str) -> Option<String> {
    let path = file.map(PathBuf::from).or_else(|| home(".pgpass"))?;
    let text = fs::read_to_string(&path).ok()?;
    if readable_by_others(&path) {
        log::warn!("the password file {} is not used: others may read it; chmod 0600 it", path.display());
        return None;
    }
    // A socket directory stands as localhost in password files.
    let host = if host.starts_with('/') { "localhost" } else { host };
    text.lines().find_map(|line| matching_password(line, [host, port, dbname, user]))
}

fn matching_password(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line;
    if line.starts_with('#') {
        return None;
    }
    for want in wanted {
        let (field, after) = field(rest);
        if field != "*" && field != want {
            return None;
        }
        rest = after?;
    }
    Some(field(rest).0)
}

/// The text up to the next unescaped colon, and what follows it.
fn field(text: &str) -> (String, Option<&str>) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, next)| next)),
            ':' => return (value, Some(&text[at + 1..])),
            other => value.push(other),
        }
    }
    (value, None)
}

/// Whether group or others have any right on a file.
pub(crate) fn readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_line_matches_by_field_or_star() {
        let wanted = ["h", "5432", "d", "u"];
        assert_eq!(matching_password("h:5432:d:u:secret", wanted).as_deref(), Some("secret"));
        assert_eq!(matching_password("*:*:*:u:a\\:b\\\\c", wanted).as_deref(), Some("a:b\\c"));
        assert_eq!(matching_password("h:5433:d:u:secret", wanted), None);
        assert_eq!(matching_password("#h:5432:d:u:secret", wanted), None);
        assert_eq!(matching_password("h:5432", wanted), None);
    }

    #[test]
    fn a_service_is_read_up_to_the_next_one() {
        let text = "[one]\nhost=a\n\n[two]\n# comment\nhost = b\nport=1\n[three]\nport=2\n";
        let two = section(text, "two").unwrap().unwrap();
        assert_eq!((two.get("host"), two.get("port")), (Some("b"), Some("1")));
        assert!(section(text, "four").is_none());
    }
}
