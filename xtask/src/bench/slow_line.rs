//! A line that carries so many bits a second: a relay on this machine, in front of a server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;

/// How much is passed on at a time: at 100 Mbit/s a millisecond's worth.
const CHUNK: usize = 12 * 1024;

/// What the line may carry at once after it was idle.
const BURST: Duration = Duration::from_millis(5);

/// A line to a server; all connections share it. It ends with the process.
pub struct SlowLine {
    address: SocketAddr,
}

/// When the line is free again, for all who send.
type Free = Arc<Mutex<Instant>>;

impl SlowLine {
    /// Begins to pass on what comes, at this rate each way.
    pub fn to(server: SocketAddr, bits_per_second: f64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let [up, down]: [Free; 2] = std::array::from_fn(|_| Arc::new(Mutex::new(Instant::now())));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).ok();
                }
                let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { continue };
                let (up, down) = (up.clone(), down.clone());
                thread::spawn(move || carry(from, to, &up, bits_per_second));
                thread::spawn(move || carry(server, client, &down, bits_per_second));
            }
        });
        Ok(Self { address })
    }

    /// Its near end, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, free: &Free, bits_per_second: f64) {
    let mut chunk = [0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let takes = Duration::from_secs_f64(length as f64 * 8.0 / bits_per_second);
        let until = {
            let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
            let idle_since = Instant::now().checked_sub(BURST).unwrap_or(*free);
            *free = (*free).max(idle_since) + takes;
            *free
        };
        sleep(until.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Write).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_carries_all_at_its_rate() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = SlowLine::to(server.local_addr().unwrap(), 80e6).unwrap();
        let received = thread::spawn(move || {
            let mut bytes = Vec::new();
            server.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let sent = (0..2_000_000_u32).map(|number| number as u8).collect::<Vec<_>>();
        let began = Instant::now();
        let mut client = TcpStream::connect(line.address).unwrap();
        client.write_all(&sent).unwrap();
        drop(client);
        assert!(received.join().unwrap() == sent);
        // 2 MB at 10 MB/s. Of a machine that is busy, nobody knows how long it may take.
        assert!(began.elapsed() > Duration::from_millis(190), "{:?}", began.elapsed());
    }
}
