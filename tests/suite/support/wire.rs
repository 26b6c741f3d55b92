//! A slow wire: a TCP proxy before a server's unix socket that counts round trips, and makes each last longer.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on 127.0.0.1 as long as the process lives, and serves nobody but its user.
pub struct Wire {
    pub port: u16,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct Traffic {
    connections: AtomicUsize,
    round_trips: AtomicUsize,
}

impl Wire {
    /// What a client and the server say to each other arrives half a round trip later.
    pub fn start(socket: &Path, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let traffic = Arc::new(Traffic::default());
        let (socket, shared) = (socket.to_owned(), traffic.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten().filter(is_ours) {
                let (socket, traffic) = (socket.clone(), shared.clone());
                thread::spawn(move || serve(client, socket, round_trip, &traffic));
            }
        });
        Self { port, traffic }
    }

    /// TCP connections that were made. Each costs a round trip of its own, in which nothing is said yet.
    #[allow(dead_code)]
    pub fn connections(&self) -> usize {
        self.traffic.connections.load(Ordering::SeqCst)
    }

    /// How often the server answered after a client had spoken: the turns of the traffic, in all connections. A
    /// good-bye, which nobody answers, is none.
    pub fn round_trips(&self) -> usize {
        self.traffic.round_trips.load(Ordering::SeqCst)
    }
}

/// Whether the other end of a connection within this machine is held by who runs this. A port is open to everybody, and
/// the server's socket trusts whoever comes. Where there is no list of connections, as outside of Linux, it cannot be
/// known.
pub fn is_ours(client: &TcpStream) -> bool {
    let (Ok(list), Ok(me)) = (fs::read_to_string("/proc/net/tcp"), fs::metadata("/proc/self")) else {
        return !Path::new("/proc/net/tcp").exists();
    };
    let (me, ends) = (me.uid().to_string(), [client.peer_addr().unwrap(), client.local_addr().unwrap()]);
    let ends = ends.map(|end| format!("0100007F:{:04X}", end.port()));
    list.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // 01 is an open connection; of a closed one, the user is not told.
        fields.len() > 7 && fields[1..3] == ends && fields[3] == "01" && fields[7] == me
    })
}

fn serve(client: TcpStream, socket: PathBuf, round_trip: Duration, traffic: &Arc<Traffic>) {
    traffic.connections.fetch_add(1, Ordering::SeqCst);
    // A distant server would have answered the client's SYN only now.
    thread::sleep(round_trip);
    let server = UnixStream::connect(socket).expect("the server listens");
    client.set_nodelay(true).unwrap();
    let is_asked = Arc::new(Mutex::new(false));
    let (asking, traffic) = (is_asked.clone(), traffic.clone());
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_server, to_server) = (server.try_clone().unwrap(), server);
    let delay = round_trip / 2;
    let close = to_server.try_clone().unwrap();
    thread::spawn(move || {
        carry(from_client, to_server, delay, || *asking.lock().unwrap() = true);
        let _ = close.shutdown(std::net::Shutdown::Both);
    });
    let close = to_client.try_clone().unwrap();
    carry(from_server, to_client, delay, || {
        if std::mem::take(&mut *is_asked.lock().unwrap()) {
            traffic.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    });
    let _ = close.shutdown(std::net::Shutdown::Both);
}

/// Passes on what comes, each piece so much later, however many pieces are under way.
fn carry(mut from: impl Read, mut to: impl Write + Send + 'static, delay: Duration, mut heard: impl FnMut()) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = thread::spawn(move || {
        for (due, piece) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
    });
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        heard();
        if sender.send((Instant::now() + delay, piece[..length].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = writer.join();
}
