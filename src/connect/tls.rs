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
use tokio::io::{AsyncRead, AsyncWrite};

use super::keywords::Keywords;
use super::{ConnectError, files, shown};

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
    match (keywords.given("sslmode"), keywords.get("sslrootcert")) {
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

impl Connector {
    /// For a server of that name.
    pub(super) fn handshake(&self, domain: &str) -> Handshake {
        Handshake { settings: self.0.clone(), domain: domain.to_owned() }
    }
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = TlsStream<Socket>;
    type TlsConnect = Handshake;
    type Error = native_tls::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, native_tls::Error> {
        Ok(self.handshake(domain))
    }
}

/// A connection that may come to speak TLS.
pub(crate) struct Handshake {
    settings: Arc<TlsConnectorBuilder>,
    domain: String,
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<S>;
    type Error = native_tls::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, native_tls::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
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
    if let Some((certificate, key)) = client_certificate(keywords)? {
        if let Some(fault) = files::key_fault(&key) {
            return Err(ConnectError::Value("sslkey", fault));
        }
        let identity = Identity::from_pkcs8(&read("sslcert", &certificate)?, &read("sslkey", &key)?);
        builder.identity(identity.map_err(ConnectError::Tls)?);
    }
    builder.use_sni(keywords.get("sslsni") != Some("0"));
    let (oldest, newest) = protocols(keywords)?;
    builder.min_protocol_version(Some(oldest)).max_protocol_version(newest);
    Ok(Connector(Arc::new(builder)))
}

/// The oldest and the newest version of TLS, with libpq's default.
fn protocols(keywords: &Keywords) -> Result<(Protocol, Option<Protocol>), ConnectError> {
    let version = |keyword: &'static str| match keywords.get(keyword).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("tlsv1") => Ok(Some((0, Protocol::Tlsv10))),
        Some("tlsv1.1") => Ok(Some((1, Protocol::Tlsv11))),
        Some("tlsv1.2") => Ok(Some((2, Protocol::Tlsv12))),
        Some("tlsv1.3") => Ok(Some((3, Protocol::Tlsv13))),
        Some(_) => Err(ConnectError::Value(keyword, "it is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3")),
    };
    let (oldest, newest) = (version("ssl_min_protocol_version")?, version("ssl_max_protocol_version")?);
    let oldest = oldest.unwrap_or((2, Protocol::Tlsv12));
    if newest.is_some_and(|newest| newest.0 < oldest.0) {
        return Err(ConnectError::Value(
            "ssl_max_protocol_version",
            "it is below the minimum, which is TLSv1.2 by default",
        ));
    }
    Ok((oldest.1, newest.map(|(_, protocol)| protocol)))
}

/// Whether a certificate is shown to a server that asks for one.
fn shows_certificate(keywords: &Keywords) -> Result<bool, ConnectError> {
    match keywords.given("sslcertmode") {
        None | Some("allow") => Ok(true),
        Some("disable") => Ok(false),
        Some("require") => Err(ConnectError::NotSupported("sslcertmode")),
        Some(_) => Err(ConnectError::Value("sslcertmode", "it is none of disable, allow, require")),
    }
}

fn client_certificate(keywords: &Keywords) -> Result<Option<(PathBuf, PathBuf)>, ConnectError> {
    if !shows_certificate(keywords)? {
        return Ok(None);
    }
    let file = |keyword, default| keywords.get(keyword).map(PathBuf::from).or_else(|| files::home(default));
    let certificate = file("sslcert", ".postgresql/postgresql.crt");
    let pair = certificate.zip(file("sslkey", ".postgresql/postgresql.key"));
    Ok(pair.filter(|(certificate, _)| keywords.get("sslcert").is_some() || certificate.exists()))
}

fn read(keyword: &'static str, path: &std::path::Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::File { keyword, file: shown::file(path), source })
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
