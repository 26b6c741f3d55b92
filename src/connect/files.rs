//! libpq's files: passwords (`~/.pgpass`) and services (`~/.pg_service.conf`).

use std::fs;
use std::path::{Path, PathBuf};

use super::ConnectError;
use super::keywords::{Form, Keywords};

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
    Err(ConnectError::NoService)
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
                let (keyword, value) = (keyword.trim_end(), value.trim_start());
                if keyword == "service" {
                    return Err(ConnectError::Value("service", "a service cannot name another one"));
                }
                keywords.set_or_leave_out(keyword, value, Form::List)?;
            }
        }
        Ok(keywords)
    })
}

/// The password for a host from a password file, where it has one.
pub(crate) fn password(file: Option<&str>, host: &str, port: &str, dbname: &str, user: &str) -> Option<String> {
    let path = file.map(PathBuf::from).or_else(|| home(".pgpass"))?;
    let bytes = fs::read(&path).ok()?;
    if readable_by_others(&path) {
        log::warn!("the password file {} is not used: others may read it; chmod 0600 it", path.display());
        return None;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        log::warn!("the password file {} is not used: it is not UTF-8", path.display());
        return None;
    };
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
            ':' => return (value, text.get(at + 1..)),
            other => value.push(other),
        }
    }
    (value, None)
}

/// Whether group or others have any right on a file.
fn readable_by_others(path: &Path) -> bool {
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

/// Why a private key cannot be used, by libpq's rule: root's may be read by a group, as a mounted secret is; anybody
/// else's by its owner alone.
pub(crate) fn key_fault(path: &Path) -> Option<&'static str> {
    #[cfg(unix)]
    if let Ok(meta) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        return mode_fault(meta.is_file(), meta.uid(), meta.mode());
    }
    let _ = path;
    None
}

#[cfg(unix)]
fn mode_fault(is_file: bool, owner: u32, mode: u32) -> Option<&'static str> {
    let too_much = if owner == 0 { 0o037 } else { 0o077 };
    if !is_file {
        Some("it is no regular file")
    } else if mode & too_much != 0 {
        Some("others may read or change the file; chmod 0600 it, or 0640 where root owns it")
    } else {
        None
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

    #[cfg(unix)]
    #[test]
    fn a_key_of_root_may_be_read_by_a_group_and_no_other() {
        for (owner, mode, taken) in [
            (0, 0o600, true),
            (0, 0o640, true),
            (0, 0o440, true),
            (0, 0o660, false),
            (0, 0o650, false),
            (0, 0o644, false),
            (1000, 0o600, true),
            (1000, 0o400, true),
            (1000, 0o640, false),
            (1000, 0o604, false),
        ] {
            assert_eq!(mode_fault(true, owner, mode).is_none(), taken, "{owner} {mode:o}");
        }
        assert!(mode_fault(false, 0, 0o600).is_some());
    }

    #[test]
    fn a_service_is_read_up_to_the_next_one() {
        let text = "[one]\nhost=a\n\n[two]\n# comment\nhost = b\nport=1\n[three]\nport=2\n";
        let two = section(text, "two").unwrap().unwrap();
        assert_eq!((two.get("host"), two.get("port")), (Some("b"), Some("1")));
        assert!(section(text, "four").is_none());
    }
}
