//! The names of settings: libpq's, and those of other programs that share a URL with us.

/// What a setting of libpq is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// As in libpq.
    Used,
    /// It changes neither who is spoken to nor how safely.
    NoEffect,
    /// To leave it out would change one of both: refused, but for values that ask for nothing.
    Refused(&'static [&'static str]),
}

use Meaning::{NoEffect, Refused, Used};

/// libpq's settings, with the environment variable that gives each, where there is one.
pub(crate) const LIBPQ: [(&str, &str, Meaning); 53] = [
    ("host", "PGHOST", Used),
    ("hostaddr", "PGHOSTADDR", Used),
    ("port", "PGPORT", Used),
    ("dbname", "PGDATABASE", Used),
    ("user", "PGUSER", Used),
    ("password", "PGPASSWORD", Used),
    ("passfile", "PGPASSFILE", Used),
    ("service", "PGSERVICE", Used),
    ("servicefile", "PGSERVICEFILE", Used),
    ("options", "PGOPTIONS", Used),
    ("application_name", "PGAPPNAME", Used),
    ("fallback_application_name", "", Used),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Used),
    ("sslmode", "PGSSLMODE", Used),
    ("sslrootcert", "PGSSLROOTCERT", Used),
    ("sslcert", "PGSSLCERT", Used),
    ("sslkey", "PGSSLKEY", Used),
    ("sslcertmode", "PGSSLCERTMODE", Used),
    ("sslsni", "PGSSLSNI", Used),
    ("sslnegotiation", "PGSSLNEGOTIATION", Used),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Used),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Used),
    ("channel_binding", "PGCHANNELBINDING", Used),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Used),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Used),
    ("keepalives", "", Used),
    ("keepalives_idle", "", Used),
    ("keepalives_interval", "", Used),
    ("keepalives_count", "", Used),
    ("tcp_user_timeout", "", Used),
    // The program speaks UTF-8 and version 3.0 of the protocol, does not compress, and knows no Kerberos.
    ("client_encoding", "PGCLIENTENCODING", NoEffect),
    ("sslcompression", "PGSSLCOMPRESSION", NoEffect),
    ("sslkeylogfile", "", NoEffect),
    ("gssdelegation", "PGGSSDELEGATION", NoEffect),
    ("gsslib", "PGGSSLIB", NoEffect),
    ("krbsrvname", "PGKRBSRVNAME", NoEffect),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Refused(&["3.0"])),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Refused(&["3.0", "3.2", "latest"])),
    ("replication", "", Refused(&["false", "off", "no", "0"])),
    ("gssencmode", "PGGSSENCMODE", Refused(&["disable", "prefer"])),
    ("require_auth", "PGREQUIREAUTH", Refused(&[])),
    ("requirepeer", "PGREQUIREPEER", Refused(&[])),
    ("sslpassword", "", Refused(&[])),
    ("sslcrl", "PGSSLCRL", Refused(&[])),
    ("sslcrldir", "PGSSLCRLDIR", Refused(&[])),
    ("scram_client_key", "", Refused(&[])),
    ("scram_server_key", "", Refused(&[])),
    ("oauth_issuer", "", Refused(&[])),
    ("oauth_client_id", "", Refused(&[])),
    ("oauth_client_secret", "", Refused(&[])),
    ("oauth_scope", "", Refused(&[])),
    ("oauth_ca_file", "PGOAUTHCAFILE", Refused(&[])),
    ("requiressl", "PGREQUIRESSL", Used),
];

/// Settings of other programs that say nothing about server, login or TLS, though their names might.
const OTHERS: [&str; 47] = [
    "ApplicationName",
    "adaptiveFetch",
    "application_id",
    "assumeMinServerVersion",
    "async_fallback",
    "autosave",
    "binaryTransfer",
    "binary_parameters",
    "cancelSignalTimeout",
    "command_timeout",
    "connectTimeout",
    "connection_limit",
    "currentSchema",
    "databaseMetadataCacheFields",
    "databaseMetadataCacheFieldsMiB",
    "default_query_exec_mode",
    "defaultRowFetchSize",
    "description_cache_capacity",
    "disableColumnSanitiser",
    "keepAlive",
    "keepAliveInitialDelayMillis",
    "loggerLevel",
    "loginTimeout",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "pgbouncer",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_max_conns",
    "pool_min_conns",
    "pool_timeout",
    "preferQueryMode",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "preparedStatementCacheSizeMiB",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "prepared_statements",
    "reWriteBatchedInserts",
    "schema",
    "socketTimeout",
    "socket_timeout",
    "sslResponseTimeout",
    "statement_cache_capacity",
    "statement_cache_size",
    "tcpKeepAlive",
    "uselibpqcompat",
];

/// Words of which a name is made that may say who is spoken to, as whom, or how safely.
const TELLING: [&str; 55] = [
    "addr",
    "address",
    "auth",
    "authentication",
    "authenticator",
    "binding",
    "ca",
    "catalog",
    "cert",
    "certificate",
    "channel",
    "client",
    "cluster",
    "credential",
    "credentials",
    "crl",
    "database",
    "db",
    "dbname",
    "dsn",
    "encrypt",
    "encryption",
    "endpoint",
    "gss",
    "host",
    "hostname",
    "hosts",
    "identity",
    "insecure",
    "instance",
    "kerberos",
    "key",
    "login",
    "pass",
    "passfile",
    "password",
    "passwd",
    "peer",
    "port",
    "primary",
    "project",
    "proxy",
    "pwd",
    "replica",
    "role",
    "secret",
    "secure",
    "server",
    "service",
    "socket",
    "standby",
    "target",
    "token",
    "trust",
    "user",
];

/// A setting that libpq does not have.
pub(crate) enum Other {
    /// It is another program's, by our own list.
    Listed(&'static str),
    /// It says nothing about server, login or TLS, as far as its name tells.
    Harmless,
    /// It may be about server, login or TLS, or be one of libpq's with a mistake in it.
    Unknown {
        /// libpq's name that it is nearly.
        meant: Option<&'static str>,
    },
}

/// The static name, environment variable and meaning of a setting of libpq.
pub(crate) fn libpq(keyword: &str) -> Option<(&'static str, &'static str, Meaning)> {
    LIBPQ.into_iter().find(|(known, ..)| *known == keyword)
}

/// What to do about a setting that libpq does not have.
pub(crate) fn other(keyword: &str) -> Other {
    if let Some(known) = OTHERS.into_iter().find(|known| known.eq_ignore_ascii_case(keyword)) {
        return Other::Listed(known);
    }
    let lower = keyword.to_lowercase();
    let meant = LIBPQ.into_iter().map(|(known, ..)| known).find(|known| nearly(known, &lower));
    if meant.is_some() || lower.contains("ssl") || lower.contains("tls") || is_telling(keyword) {
        return Other::Unknown { meant };
    }
    Other::Harmless
}

fn is_telling(keyword: &str) -> bool {
    let mut words = String::new();
    for c in keyword.chars() {
        if c.is_uppercase() {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    let mut words = words.split(|c: char| !c.is_alphabetic());
    // userId is two words, username is one.
    words.any(|word| TELLING.iter().any(|telling| *telling == word || word.strip_suffix("name") == Some(telling)))
}

/// Whether a text is a name with a slip in it: one in a short name, up to two in a longer one.
fn nearly(name: &str, text: &str) -> bool {
    let slips = if name.len() < 6 { 1 } else { 2 };
    name.len().abs_diff(text.len()) <= slips && distance(name, text) <= slips
}

/// How many letters have to be added, removed, changed or swapped with their neighbour to make one text of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: (Option<char>, Vec<usize>) = (None, Vec::new());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut left: Option<char> = None;
        for (j, d) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, j) + usize::from(c != *d)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if left == Some(c) && before.0 == Some(*d) && j > 0 {
                best = best.min(at(&before.1, j - 1) + 1);
            }
            next.push(best);
            left = Some(*d);
        }
        before = (Some(c), std::mem::replace(&mut row, next));
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_other_programs_are_left_out_and_named() {
        for name in ["pgbouncer", "schema", "currentSchema", "pool_max_conns"] {
            assert!(matches!(other(name), Other::Listed(listed) if listed == name), "{name}");
        }
        for name in ["supa", "search_path", "timezone", "poolSize", "report"] {
            assert!(matches!(other(name), Other::Harmless), "{name}");
        }
    }

    #[test]
    fn what_may_be_about_server_login_or_tls_is_not_left_out() {
        let names = [
            "hots",
            "sslmod",
            "sslaccept",
            "ssl_ca",
            "targetServerType",
            "username",
            "userId",
            "databaseName",
            "db",
            "conect_timeout",
            "aplication_name",
            "load_balance_hots",
            "trustServerCertificate",
            "endpoint",
        ];
        for name in names {
            assert!(matches!(other(name), Other::Unknown { .. }), "{name}");
        }
        assert!(matches!(other("hots"), Other::Unknown { meant: Some("host") }));
    }
}
