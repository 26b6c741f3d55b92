//! Connection strings: `postgresql://…`, with or without SQLAlchemy's driver suffix, and libpq's `key=value` form.

use percent_encoding::percent_decode_str;

use super::ConnectError;
use super::keywords::Keywords;

/// Reads a connection string of either form.
pub(crate) fn parse(text: &str) -> Result<Keywords, ConnectError> {
    let text = text.trim();
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['=', ' ', '\'']) => {
            let scheme = scheme.to_ascii_lowercase();
            let (base, _driver) = scheme.split_once('+').unwrap_or((&scheme, ""));
            if !["postgres", "postgresql"].contains(&base) {
                return Err(ConnectError::Scheme(base.to_owned()));
            }
            parse_url(rest)
        }
        _ => parse_pairs(text),
    }
}

fn parse_url(rest: &str) -> Result<Keywords, ConnectError> {
    let mut keywords = Keywords::default();
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A password may hold an unescaped @ or /, against the rules: the last @ before the path ends it.
    let authority_end = match rest.rfind('@') {
        Some(at) => rest[at..].find('/').map(|slash| at + slash),
        None => rest.find('/'),
    };
    let (authority, path) = rest.split_at(authority_end.unwrap_or(rest.len()));
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        keywords.set("user", &decode(user, "user")?)?;
        keywords.set("password", &decode(password, "password")?)?;
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
        let port_at = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let (name, port) = match host[port_at..].rfind(':') {
            Some(colon) => (&host[..port_at + colon], &host[port_at + colon + 1..]),
            None => (host, ""),
        };
        names.push(decode(name.trim_start_matches('[').trim_end_matches(']'), "host")?);
        ports.push(port);
    }
    keywords.set("host", &names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        keywords.set("port", &ports.join(","))?;
    }
    keywords.set("dbname", &decode(path.trim_start_matches('/'), "dbname")?)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or(ConnectError::Syntax("a parameter has no ="))?;
        keywords.set(&decode(keyword, "parameter")?, &decode(value, "parameter")?)?;
    }
    Ok(keywords)
}

fn decode(text: &str, what: &'static str) -> Result<String, ConnectError> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded.into_owned()),
        _ => Err(ConnectError::Value(what, "it is not UTF-8 once its %XX are decoded")),
    }
}

/// `host=a user='b c'`: values in single quotes may hold spaces; a backslash takes the next character as it is.
fn parse_pairs(text: &str) -> Result<Keywords, ConnectError> {
    let mut keywords = Keywords::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) =
            rest.split_once('=').ok_or(ConnectError::Syntax("it is neither a URL nor a list of keyword=value"))?;
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut value = String::new();
        let mut chars = after.char_indices().skip(usize::from(quoted));
        let end = loop {
            match chars.next() {
                Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                Some((at, '\'')) if quoted => break at + 1,
                Some((at, c)) if !quoted && c.is_whitespace() => break at,
                Some((_, c)) => value.push(c),
                None if quoted => return Err(ConnectError::Syntax("a quoted value is never closed")),
                None => break after.len(),
            }
        };
        keywords.set(keyword.trim_end(), &value)?;
        rest = after[end..].trim_start();
    }
    Ok(keywords)
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
        expect("postgres://u:p@ss@h/x", &[("host", "h"), ("user", "u"), ("password", "p@ss"), ("dbname", "x")]);
        expect("postgres://u:p/ss@h/x", &[("host", "h"), ("user", "u"), ("password", "p/ss"), ("dbname", "x")]);
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
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
