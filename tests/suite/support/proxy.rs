//! A connection that breaks, or falls silent, after a given message.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::server::Server;
use crate::wire::is_ours;

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// Listens on 127.0.0.1 and passes everything of its user's on to a server, message by message.
pub struct Proxy {
    pub port: u16,
    /// Messages that were passed on, of the client and of the server.
    counts: Arc<[AtomicUsize; 2]>,
}

impl Proxy {
    /// Cuts both ways as soon as so many messages of one side have been passed on.
    pub fn start(server: &Server, cut: Option<(Sender, usize)>) -> Self {
        Self::listen(server, cut, false)
    }

    /// Passes nothing more on after so many messages of the server, and holds the line. Who connects besides, as to
    /// cancel, is not answered.
    pub fn silent_after(server: &Server, messages: usize) -> Self {
        Self::listen(server, Some((Sender::Server, messages)), true)
    }

    fn listen(server: &Server, cut: Option<(Sender, usize)>, silent: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
        let socket = server.dir.join(format!(".s.PGSQL.{}", server.port));
        let shared = counts.clone();
        thread::spawn(move || {
            // The tool makes one connection; a second would be the cancel of a signal.
            let Some(client) = listener.incoming().flatten().find(is_ours) else { return };
            serve(client, socket, cut, silent, &shared);
            drop(listener);
        });
        Self { port, counts }
    }

    pub fn count(&self, sender: Sender) -> usize {
        self.counts[sender as usize].load(Ordering::Relaxed)
    }
}

fn serve(
    client: TcpStream,
    socket: PathBuf,
    cut: Option<(Sender, usize)>,
    silent: bool,
    counts: &Arc<[AtomicUsize; 2]>,
) {
    let server = UnixStream::connect(socket).expect("the server listens");
    let limit = |side| cut.filter(|(sender, _)| *sender == side).map(|(_, limit)| limit);
    let (client_in, client_out) = (client.try_clone().unwrap(), client);
    let (server_in, server_out) = (server.try_clone().unwrap(), server);
    let (close, close_too) = (closing(&client_in, &server_in), closing(&client_in, &server_in));
    let to_server = counts.clone();
    let to_client = counts.clone();
    let client_limit = limit(Sender::Client);
    thread::spawn(move || {
        pass(client_in, server_out, true, client_limit, &to_server[Sender::Client as usize]);
        close();
    });
    pass(server_in, client_out, false, limit(Sender::Server), &to_client[Sender::Server as usize]);
    if silent {
        // The other direction closes when the client is gone.
        return;
    }
    close_too();
}

/// Closes both connections, whoever reads or writes.
fn closing(client: &TcpStream, server: &UnixStream) -> impl FnOnce() + use<> {
    let (client, server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    move || {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

/// Passes messages on until one side closes, or the limit is reached. A client's first message has no type.
fn pass(mut from: impl Read, mut to: impl Write, mut first: bool, limit: Option<usize>, count: &AtomicUsize) {
    while limit.is_none_or(|limit| count.load(Ordering::Relaxed) < limit) {
        let mut message = vec![0; if first { 4 } else { 5 }];
        if from.read_exact(&mut message).is_err() {
            return;
        }
        let start = message.len() - 4;
        let length = u32::from_be_bytes(message[start..].try_into().unwrap()) as usize;
        let head = message.len();
        message.resize(start + length, 0);
        if from.read_exact(&mut message[head..]).is_err() || to.write_all(&message).is_err() {
            return;
        }
        first = false;
        count.fetch_add(1, Ordering::Relaxed);
    }
}
