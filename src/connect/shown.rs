//! What of somebody's settings may be shown. Whatever is not understood may be, or hold, a password.

use std::net::Ipv6Addr;
use std::path::Path;

/// A name of a setting. Nothing else is shown as one.
pub(crate) fn keyword(text: &str) -> Option<&str> {
    let understood = |c: char| c.is_ascii_lowercase() || c == '_';
    ((1..=40).contains(&text.len()) && text.chars().all(understood)).then_some(text)
}

/// A host's name, its address, or the directory of its socket.
pub(crate) fn host(text: &str) -> Option<&str> {
    let longest = if text.starts_with('/') { 107 } else { 253 };
    let in_path = |c: char| text.starts_with('/') && c == '/';
    let understood = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || in_path(c);
    let is_address = text.parse::<Ipv6Addr>().is_ok();
    (is_address || (1..=longest).contains(&text.len()) && text.chars().all(understood)).then_some(text)
}

/// A port.
pub(crate) fn port(text: &str) -> Option<&str> {
    text.parse::<u16>().is_ok().then_some(text)
}

/// A database, as people name them.
pub(crate) fn database(text: &str) -> Option<&str> {
    let understood = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    ((1..=63).contains(&text.len()) && text.chars().all(understood)).then_some(text)
}

/// A file: by its path, where something is there, else by the setting that names it alone.
pub(crate) fn file(path: &Path) -> String {
    match path.symlink_metadata() {
        Ok(_) => format!(", {},", path.display()),
        Err(_) => String::new(),
    }
}

/// A text without a value. Servers cut names at 63 bytes.
pub(crate) fn without(text: &str, value: &str) -> String {
    let cut = (0..=value.len().min(63)).rev().find_map(|end| value.get(..end)).unwrap_or(value);
    text.replace(value, "…").replace(cut, "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_shown() {
        for text in ["db", "db-1.example.org", "127.0.0.1", "/var/run/postgresql", "my_db"] {
            assert_eq!(host(text), Some(text));
        }
        assert_eq!((host("::1"), host("fe80::1")), (Some("::1"), Some("fe80::1")));
        assert_eq!(
            (keyword("sslmode"), database("hacs_1"), port("5432")),
            (Some("sslmode"), Some("hacs_1"), Some("5432"))
        );
    }

    #[test]
    fn what_may_hold_a_password_is_not() {
        for text in [
            "u:secret",
            "me@db",
            "postgresql://u:secret@db",
            "a=b",
            "a;b",
            "a b",
            "u:1",
            "abcd:1234",
            "secret\n",
            "a/b",
            "",
        ] {
            assert_eq!((host(text), database(text)), (None, None), "{text}");
        }
        assert_eq!((keyword("Secret"), keyword("hunter2"), keyword(&"a".repeat(41))), (None, None, None));
        assert_eq!(file(Path::new("/no/such/secret")), "");
    }
}
