//! What people give in place of a connection string, told by name and never quoted.

use super::vocabulary::{self, LIBPQ};
use super::{ConnectError, shown};

/// Programs and systems whose URLs are given in place of ours.
const SCHEMES: [&str; 22] = [
    "amqp",
    "cockroachdb",
    "file",
    "ftp",
    "http",
    "https",
    "jdbc",
    "ldap",
    "mariadb",
    "mongodb",
    "mssql",
    "mysql",
    "odbc",
    "oracle",
    "redis",
    "rediss",
    "s3",
    "sqlite",
    "sqlserver",
    "ssh",
    "tcp",
    "unix",
];

/// Why a text is no connection string.
pub(crate) fn in_text(text: &str) -> ConnectError {
    let lower = text.to_lowercase();
    let quotes = ['\'', '"', '`', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}'];
    let syntax = ConnectError::Syntax;
    if lower.starts_with(quotes) {
        return syntax("it stands in quotes; give it without them");
    }
    if lower.starts_with("psql") || lower.starts_with("pg_") {
        return syntax("it begins with the name of a program; give the URL alone, without psql and quotes");
    }
    if lower.starts_with("postgres") && lower.contains("://") && lower.ends_with(quotes) {
        return syntax("a quote stands at its end; give it without quotes");
    }
    if lower.starts_with("jdbc:") {
        return syntax("it is JDBC's; give it as postgresql://user:password@host/database");
    }
    if lower.contains("postgres://") || lower.contains("postgresql://") {
        return syntax("something stands before postgresql://; give the URL alone");
    }
    if let Some((scheme, _)) = lower.split_once("://") {
        let base = scheme.split('+').next().unwrap_or_default();
        return ConnectError::Scheme(SCHEMES.into_iter().find(|known| *known == base));
    }
    if lower.starts_with("postgres") {
        return syntax("it does not begin with postgresql:// in full, with the colon and both slashes");
    }
    if lower.contains('@') || lower.contains("//") {
        return syntax("it looks like a URL, but does not begin with postgresql://");
    }
    if lower.contains(';') {
        return syntax("its settings are separated by semicolons; libpq's are separated by spaces");
    }
    syntax("it is neither a URL nor a list of keyword=value")
}

/// Why a text is no list of settings: what was met while it was read, unless it was never meant as one.
pub(crate) fn in_list(text: &str, met: ConnectError) -> ConnectError {
    let first = text.split('=').next().unwrap_or_default().trim();
    let known = vocabulary::libpq(first).is_some();
    let seems = shown::keyword(first).is_some() && text.contains('=') && !text.contains('@') && !text.contains("//");
    if (known || seems) && !text.contains(';') { met } else { in_text(text) }
}

/// A value that libpq would take for what it is not, and then show, or send to a server that shows it.
pub(crate) fn in_value(keyword: &'static str, value: &str) -> Result<(), ConnectError> {
    if keyword == "password" {
        return Ok(());
    }
    let error = |why| Err(ConnectError::Value(keyword, why));
    if value.contains("://") {
        return error("it holds a URL; a URL is given by --database-url, DATABASE_URL or DATABASE_URL_FILE");
    }
    let begins_with = |known: &str| value.strip_prefix(known).is_some_and(|rest| rest.trim_start().starts_with('='));
    if LIBPQ.into_iter().any(|(known, ..)| begins_with(known)) {
        return error("it has no value: the next setting would be taken for it");
    }
    if ["host", "hostaddr", "port"].contains(&keyword) && value.contains(['=', ';']) {
        return error("it holds = or a semicolon; settings in a list are separated by spaces");
    }
    if keyword == "host" && value.split(',').any(|host| host.strip_prefix('@').unwrap_or(host).contains('@')) {
        return error("it holds an @; in the password of a URL, @ is written %40, and / is written %2F");
    }
    if keyword == "host" && value.split(',').any(|host| host.starts_with('@')) {
        return error("abstract sockets are not supported here");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_by_name_and_show_nothing() {
        for (text, why) in [
            ("'postgresql://u:hunter2@h/d'", "quotes"),
            ("\u{201c}postgresql://u:hunter2@h/d\u{201d}", "quotes"),
            ("psql 'postgresql://u:hunter2@h/d'", "name of a program"),
            ("jdbc:postgresql://h/d?user=u&password=hunter2", "JDBC"),
            ("DATABASE_URL=postgresql://u:hunter2@h/d", "before postgresql://"),
            ("mysql://u:hunter2@h/d", "mysql"),
            ("hunter2://u@h/d", "another scheme"),
            ("postgresql//u:hunter2@h/d", "in full"),
            ("postgresql:/u:hunter2@h/d", "in full"),
            ("u:hunter2@h/d?sslmode=require", "looks like a URL"),
            ("Server=h;Password=hunter2", "semicolons"),
            ("hunter2", "neither"),
        ] {
            let error = in_text(text).to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
