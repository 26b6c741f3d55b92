//! Connection strings: `postgresql://…`, with or without SQLAlchemy's driver suffix, and libpq's `key=value` form.

use percent_encoding::percent_decode_str;

use super::ConnectError;
use super::keywords::{Form, Keywords};
use super::{mistakes, pairs, vocabulary};

/// Reads a connection string of either form.
pub(crate) fn parse(text: &str) -> Result<Keywords, ConnectError> {
    // Editors put a mark at the beginning of some files.
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.split_once("://") {
        Some((scheme, _)) if is_ours(scheme) && text.chars().any(char::is_control) => {
            Err(ConnectError::Syntax("it holds a line break or another control character"))
        }
        Some((scheme, rest)) if is_ours(scheme) && !text.ends_with(['\'', '"', '`']) => parse_url(rest),
        Some((scheme, _)) if is_ours(scheme) => Err(mistakes::in_text(text)),
        _ => pairs::parse(text).map_err(|error| mistakes::in_list(text, error)),
    }
}

fn is_ours(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    let base = scheme.split_once('+').map_or(scheme.as_str(), |(base, _driver)| base);
    ["postgres", "postgresql"].contains(&base)
}

/// In libpq's order: a login ends at the first @, where no / comes before it; then hosts, up to / or ?; the database,
/// up to ?; the parameters. So a password may hold ? and #, but / and @ have to be written %2F and %40.
fn parse_url(rest: &str) -> Result<Keywords, ConnectError> {
    let mut keywords = Keywords::default();
    let login = rest.split_once('@').filter(|(login, _)| !login.contains('/'));
    let (login, rest) = login.map_or((None, rest), |(login, rest)| (Some(login), rest));
    let (hosts, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if hosts.contains('@') || path.contains('@') || (query.contains('@') && !is_known(query)) {
        keywords.doubt();
    }
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        set(&mut keywords, "user", user)?;
        set(&mut keywords, "password", password)?;
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for (name, port) in hosts.split(',').map(name_and_port).collect::<Result<Vec<_>, _>>()? {
        names.push(name);
        ports.push(port);
    }
    set(&mut keywords, "host", &names.join(","))?;
    set(&mut keywords, "port", &ports.join(","))?;
    set(&mut keywords, "dbname", path.strip_prefix('/').unwrap_or(path))?;
    let query = query.strip_suffix('&').filter(|rest| !rest.is_empty()).unwrap_or(query);
    for pair in query.split('&').filter(|_| !query.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or(ConnectError::Syntax("a parameter has no ="))?;
        if value.contains('=') {
            return Err(ConnectError::Syntax("a parameter has a second =; write %3D for it"));
        }
        keywords.set_or_leave_out(&decode(keyword, "parameter")?, &decode(value, "parameter")?, Form::Url)?;
    }
    Ok(keywords)
}

/// What stands in a URL, unless nothing does.
fn set(keywords: &mut Keywords, keyword: &'static str, text: &str) -> Result<(), ConnectError> {
    if text.is_empty() { Ok(()) } else { keywords.set(keyword, &decode(text, keyword)?) }
}

/// Whether all parameters are libpq's, so that what follows a ? surely is what it seems.
fn is_known(query: &str) -> bool {
    query
        .trim_end_matches('&')
        .split('&')
        .all(|pair| vocabulary::libpq(pair.split('=').next().unwrap_or_default()).is_some())
}

fn name_and_port(host: &str) -> Result<(&str, &str), ConnectError> {
    let Some(address) = host.strip_prefix('[') else { return Ok(host.split_once(':').unwrap_or((host, ""))) };
    let (address, port) =
        address.split_once(']').ok_or(ConnectError::Syntax("an IPv6 address is never closed by ]"))?;
    match port.strip_prefix(':') {
        _ if address.is_empty() => Err(ConnectError::Syntax("an IPv6 address is empty")),
        Some(port) => Ok((address, port)),
        None if port.is_empty() => Ok((address, "")),
        None => Err(ConnectError::Syntax("something follows an IPv6 address that is no port")),
    }
}

fn decode(text: &str, what: &'static str) -> Result<String, ConnectError> {
    let is_escape = |after: &str| {
        let mut digits = after.chars().take(2).map(|c| c.is_ascii_hexdigit());
        digits.next() == Some(true) && digits.next() == Some(true)
    };
    if text.split('%').skip(1).any(|after| !is_escape(after)) {
        return Err(ConnectError::Value(what, "a % in it begins no %XX; write %25 for it"));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if decoded.contains('\0') => Err(ConnectError::Value(what, "it holds %00")),
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(ConnectError::Value(what, "it is not UTF-8 once its %XX are decoded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&'static str, String)> {
        let keywords = parse(text).unwrap();
        ["host", "port", "user", "password", "dbname", "sslmode"]
            .into_iter()
            .filter_map(|k| Some((k, keywords.get(k)?.to_owned())))
            .collect()
    }

    fn expect(text: &str, expected: &[(&'static str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        assert_eq!(pairs(text), expected, "{text}");
    }

    #[test]
    fn every_spelling_of_the_scheme_names_the_same_database() {
        for scheme in ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "POSTGRES+psycopg2"] {
            expect(
                &format!("{scheme}://me:secret@db:5433/hacs?sslmode=require"),
                &[
                    ("host", "db"),
                    ("port", "5433"),
                    ("user", "me"),
                    ("password", "secret"),
                    ("dbname", "hacs"),
                    ("sslmode", "require"),
                ],
            );
        }
    }

    #[test]
    fn a_socket_directory_may_stand_in_the_host_or_in_the_query() {
        expect("postgresql://%2Ftmp/hacs", &[("host", "/tmp"), ("dbname", "hacs")]);
        expect("postgresql:///hacs?host=/tmp", &[("host", "/tmp"), ("dbname", "hacs")]);
    }

    #[test]
    fn several_hosts_and_ipv6_keep_their_ports() {
        expect("postgres://a:1,b,[::1]:3/x", &[("host", "a,b,::1"), ("port", "1,,3"), ("dbname", "x")]);
    }

    #[test]
    fn odd_characters_are_read_in_escaped_and_in_careless_form() {
        expect(
            "postgres://u:p%40%2F%3A@h/a%20%22b%22",
            &[("host", "h"), ("user", "u"), ("password", "p@/:"), ("dbname", "a \"b\"")],
        );
        expect("postgres://u:p#s?s@h/x", &[("host", "h"), ("user", "u"), ("password", "p#s?s"), ("dbname", "x")]);
        expect("postgres://we#ird:x@h/d#e", &[("host", "h"), ("user", "we#ird"), ("password", "x"), ("dbname", "d#e")]);
    }

    #[test]
    fn keyword_value_strings_follow_libpq() {
        expect(
            r"host = db  password='a \'b\\' user=it\ is",
            &[("host", "db"), ("user", "it is"), ("password", r"a 'b\")],
        );
        expect("", &[]);
    }

    #[test]
    fn what_is_no_connection_string_says_why_without_showing_it() {
        for text in ["mysql://u:secret@h/x", "secret", "password='secret", "postgres://u:secret@h/x?secret"] {
            let error = parse(text).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
