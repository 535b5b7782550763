//! A receiver of callbacks, which answers as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers that all is to be found at another address.
    Redirect,
    /// Ends the connection without an answer.
    Nothing,
    /// Lets the caller wait.
    Silence,
}

/// A callback that has come.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its method and path.
    pub request: String,
    /// Its headers, by their names in small letters.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
}

/// Listens until the process ends.
pub struct Receiver {
    /// Its address.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// An address at which nobody listens yet, and nobody else can.
pub struct ReservedAddress {
    socket: Socket,
    /// Where it is, as a receiver's URL.
    pub url: String,
}

impl ReservedAddress {
    /// On a port that is free.
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket, url: url(address) }
    }

    /// From now on a receiver listens there.
    pub fn listen(self, replies: &[Reply]) -> Receiver {
        self.socket.listen(128).unwrap();
        Receiver::on(self.socket.into(), replies)
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/hook")
}

impl Receiver {
    /// Answers with each of these in turn, and with the last for ever.
    pub fn new(replies: &[Reply]) -> Self {
        Self::at("127.0.0.1:0", replies)
    }

    /// As [`Receiver::new`], at an address.
    pub fn at(address: &str, replies: &[Reply]) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), replies)
    }

    fn on(listener: TcpListener, replies: &[Reply]) -> Self {
        let url = url(listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (all, replies) = (received.clone(), replies.to_vec());
        spawn(move || {
            for stream in listener.incoming() {
                let (stream, all, replies) = (stream.unwrap(), all.clone(), replies.clone());
                spawn(move || answer(stream, &all, &replies));
            }
        });
        Self { url, received }
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    #[track_caller]
    pub fn wait(&self, number: usize, patience: Duration) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= number {
                return received;
            }
            assert!(began.elapsed() < patience, "{number} have not come, but {received:?}");
            sleep(Duration::from_millis(20));
        }
    }
}

fn answer(stream: TcpStream, all: &Mutex<Vec<Received>>, replies: &[Reply]) {
    let mut reader = BufReader::new(&stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let request = line().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = HashMap::new();
    loop {
        let line = line();
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let number = {
        let mut all = all.lock().unwrap();
        all.push(Received { request, headers, body });
        all.len() - 1
    };
    match replies[number.min(replies.len() - 1)] {
        Reply::Status(status) => {
            write!(&stream, "HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n").ok();
        }
        Reply::Redirect => {
            let to = format!("http://{}/elsewhere", stream.local_addr().unwrap());
            write!(&stream, "HTTP/1.1 307 So\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").ok();
        }
        Reply::Nothing => {}
        Reply::Silence => sleep(Duration::from_secs(120)),
    }
}
