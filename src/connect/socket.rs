//! The socket, with a guard: whoever answers there may be no PostgreSQL, and does not get to fill our memory.

use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// How many bytes a server may send until we are logged in. PostgreSQL sends a few hundred, with TLS some thousand.
const LOG_IN: u64 = 1 << 20;
/// How many bytes one answer may have.
pub(crate) const ANSWER: u64 = 64 << 20;
/// How often a password may be hashed for SCRAM: PostgreSQL asks for 4096 times unless told otherwise, and four
/// thousand million times would keep us for an hour.
const ITERATIONS: u64 = 10_000_000;

/// What the server may still send. Every clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// From now on, so many bytes.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = left.checked_sub(bytes).ok_or_else(|| invalid("the server sends without end".to_owned()))?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Where a server was reached.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(std::net::SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// The addresses of the one host of the settings.
pub(super) async fn addresses(config: &Config) -> io::Result<Vec<Address>> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    if let Some(ip) = config.get_hostaddrs().first() {
        return Ok(vec![Address::Tcp((*ip, port).into())]);
    }
    match config.get_hosts().first() {
        #[cfg(unix)]
        Some(Host::Unix(directory)) => Ok(vec![Address::Unix(directory.join(format!(".s.PGSQL.{port}")))]),
        Some(Host::Tcp(name)) => Ok(tokio::net::lookup_host((name.as_str(), port)).await?.map(Address::Tcp).collect()),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no host is given")),
    }
}

/// A socket that counts what comes.
pub(crate) struct Socket {
    stream: Stream,
    budget: Budget,
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(crate) async fn open(address: &Address, config: &Config) -> io::Result<Self> {
        let stream = match address {
            #[cfg(unix)]
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                keep_alive(&SockRef::from(&stream), config)?;
                Stream::Tcp(stream)
            }
        };
        Ok(Self { stream, budget: Budget(Arc::new(AtomicU64::new(LOG_IN))) })
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget.clone()
    }
}

fn keep_alive(socket: &SockRef<'_>, config: &Config) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(timeout) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*timeout))?;
    }
    if config.get_keepalives() {
        let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
        if let Some(interval) = config.get_keepalives_interval() {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            keepalive = keepalive.with_retries(retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buf),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buf),
        };
        if let Poll::Ready(Ok(())) = &read {
            let new = buf.filled().get(before..).unwrap_or_default();
            self.budget.spend(new.len())?;
            let iterations = iterations(new);
            if iterations > ITERATIONS {
                return Poll::Ready(Err(invalid(format!("the server asks to hash the password {iterations} times"))));
            }
        }
        read
    }
}

/// What SCRAM's second message asks for, where this is one. It comes in one piece, or is a cheat's.
fn iterations(piece: &[u8]) -> u64 {
    const SASL_CONTINUE: &[u8] = &[0, 0, 0, 11];
    let Some(text) = piece.get(9..).filter(|_| piece.first() == Some(&b'R') && piece.get(5..9) == Some(SASL_CONTINUE))
    else {
        return 0;
    };
    let text = String::from_utf8_lossy(text);
    let asked = text.split(',').find_map(|part| part.strip_prefix("i="));
    asked.map_or(0, |digits| digits.parse().unwrap_or(u64::MAX))
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        match written {
            // Who hangs up while we speak may have said why. That is read next, and then that there is nothing more.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(bytes.len())),
            written => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scram_asks_for_iterations() {
        let message = |text: &str| [b"R\0\0\0\x40\0\0\0\x0b".as_slice(), text.as_bytes()].concat();
        assert_eq!(iterations(&message("r=abc,s=c2FsdA==,i=4096")), 4096);
        assert_eq!(iterations(&message("r=abc,s=c2FsdA==,i=99999999999999999999999")), u64::MAX);
        assert_eq!(iterations(b"D\0\0\0\x40\0\0\0\x0br=abc,i=99999999999"), 0);
        assert_eq!(iterations(b"R"), 0);
    }

    #[test]
    fn a_budget_ends() {
        let budget = Budget(Arc::new(AtomicU64::new(10)));
        assert!(budget.spend(10).is_ok() && budget.spend(1).is_err());
        budget.set(1);
        assert!(budget.spend(1).is_ok());
    }
}
