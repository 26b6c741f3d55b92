//! `sslmode` with libpq's meaning. rust-postgres knows three of its six values, and verifies in all of them.

use std::fs;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use native_tls::{Certificate, Identity, Protocol, TlsConnector, TlsConnectorBuilder};
use postgres::Socket;
use postgres::tls::{MakeTlsConnect, TlsConnect};
use postgres_native_tls::TlsStream;

use super::ConnectError;
use super::files;
use super::keywords::Keywords;

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, ConnectError> {
        Ok(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                let values = "it is none of disable, allow, prefer, require, verify-ca, verify-full";
                return Err(ConnectError::Value("sslmode", values));
            }
        })
    }
}

/// The modes in which to try a connection, one after the other.
pub(crate) fn attempts(mode: SslMode) -> &'static [postgres::config::SslMode] {
    use postgres::config::SslMode::{Disable, Prefer, Require};
    match mode {
        SslMode::Disable => &[Disable],
        SslMode::Allow => &[Disable, Require],
        // Prefer alone gives up where the server offers TLS and then fails at it; libpq goes on without.
        SslMode::Prefer => &[Prefer, Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Require],
    }
}

/// The mode that the settings ask for.
pub(crate) fn mode(keywords: &Keywords) -> Result<SslMode, ConnectError> {
    match (keywords.get("sslmode"), keywords.get("sslrootcert")) {
        (None, Some("system")) => Ok(SslMode::VerifyFull),
        (None, _) => Ok(SslMode::Prefer),
        (Some(mode), Some("system")) if mode != "verify-full" => {
            Err(ConnectError::Value("sslmode", "with sslrootcert=system it must be verify-full"))
        }
        (Some(mode), _) => mode.parse(),
    }
}

/// Settings of which a connector is made once the server has agreed to TLS. To make one takes many times as long as
/// all else that a run with nothing to do does: it reads every certificate of the machine, needed or not.
#[derive(Clone)]
pub(crate) struct Connector(Arc<TlsConnectorBuilder>);

impl MakeTlsConnect<Socket> for Connector {
    type Stream = TlsStream<Socket>;
    type TlsConnect = Handshake;
    type Error = native_tls::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, native_tls::Error> {
        Ok(Handshake { settings: self.0.clone(), domain: domain.to_owned() })
    }
}

/// A connection that may come to speak TLS.
pub(crate) struct Handshake {
    settings: Arc<TlsConnectorBuilder>,
    domain: String,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = TlsStream<Socket>;
    type Error = native_tls::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, native_tls::Error>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move {
            let connector = self.settings.build()?;
            postgres_native_tls::TlsConnector::new(connector, &self.domain).connect(stream).await
        })
    }
}

/// A connector that verifies what the mode asks for, and no more.
pub(crate) fn connector(keywords: &Keywords, mode: SslMode) -> Result<Connector, ConnectError> {
    let mut builder = TlsConnector::builder();
    let system = keywords.get("sslrootcert") == Some("system");
    let root = match keywords.get("sslrootcert") {
        Some(_) if system => None,
        Some(path) => Some(PathBuf::from(path)),
        None => files::home(".postgresql/root.crt").filter(|path| path.exists()),
    };
    // As in libpq: with a root certificate at hand, every mode that comes to speak TLS verifies like verify-ca.
    let mode = if root.is_some() { mode.max(SslMode::VerifyCa) } else { mode };
    if mode >= SslMode::VerifyCa && root.is_none() && !system {
        return Err(ConnectError::NoRootCertificate);
    }
    if mode < SslMode::VerifyCa {
        builder.danger_accept_invalid_certs(true);
        builder.disable_built_in_roots(true);
    }
    builder.danger_accept_invalid_hostnames(mode < SslMode::VerifyFull);
    if let Some(path) = root.filter(|_| mode >= SslMode::VerifyCa) {
        builder.disable_built_in_roots(true);
        for certificate in Certificate::stack_from_pem(&read("sslrootcert", &path)?).map_err(ConnectError::Tls)? {
            builder.add_root_certificate(certificate);
        }
    }
    if let Some((certificate, key)) = client_certificate(keywords) {
        if files::readable_by_others(&key) {
            return Err(ConnectError::Value("sslkey", "others may read the file; chmod 0600 it"));
        }
        let identity = Identity::from_pkcs8(&read("sslcert", &certificate)?, &read("sslkey", &key)?);
        builder.identity(identity.map_err(ConnectError::Tls)?);
    }
    if let Some(version) = keywords.get("ssl_min_protocol_version") {
        builder.min_protocol_version(Some(match version {
            "TLSv1.2" => Protocol::Tlsv12,
            "TLSv1.3" => Protocol::Tlsv13,
            _ => return Err(ConnectError::Value("ssl_min_protocol_version", "it is neither TLSv1.2 nor TLSv1.3")),
        }));
    }
    Ok(Connector(Arc::new(builder)))
}

fn client_certificate(keywords: &Keywords) -> Option<(PathBuf, PathBuf)> {
    let file = |keyword, default| keywords.get(keyword).map(PathBuf::from).or_else(|| files::home(default));
    let certificate = file("sslcert", ".postgresql/postgresql.crt")?;
    let key = file("sslkey", ".postgresql/postgresql.key")?;
    (keywords.get("sslcert").is_some() || certificate.exists()).then_some((certificate, key))
}

fn read(keyword: &'static str, path: &std::path::Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::File { keyword, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_roots_ask_for_full_verification() {
        let mut keywords = Keywords::default();
        keywords.set("sslrootcert", "system").unwrap();
        assert_eq!(mode(&keywords).unwrap(), SslMode::VerifyFull);
        keywords.set("sslmode", "require").unwrap();
        assert!(mode(&keywords).is_err());
    }

    #[test]
    fn the_default_is_to_prefer_encryption() {
        assert_eq!(mode(&Keywords::default()).unwrap(), SslMode::Prefer);
    }
}
