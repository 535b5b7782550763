//! Ctrl-C and SIGTERM: the first one ends the work at the next part, a second one ends it at once.

use tokio_util::sync::CancellationToken;

/// Tells, from now on, whether somebody wants the program to stop. Must be called within a tokio runtime.
pub fn listen() -> CancellationToken {
    listen_saying(|text| eprintln!("partway: {text}"))
}

/// As [`listen`], for those who have another place for what is to be said then.
pub fn listen_saying(say: impl Fn(&str) + Send + 'static) -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let Ok(mut signals) = Signals::new() else { return };
        while signals.next().await {
            if asked.is_cancelled() {
                std::process::exit(130);
            }
            asked.cancel();
            say("stopping at the end of a part; once more to stop at once");
        }
    });
    stop
}

/// Ctrl-C and SIGTERM, from now on.
pub struct Signals {
    #[cfg(unix)]
    streams: [tokio::signal::unix::Signal; 2],
}

#[cfg(unix)]
impl Signals {
    /// Listens.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { streams: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    /// Waits for the next; false: there will be none.
    pub async fn next(&mut self) -> bool {
        let [interrupt, terminate] = &mut self.streams;
        tokio::select! {
            signal = interrupt.recv() => signal.is_some(),
            signal = terminate.recv() => signal.is_some(),
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Listens.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next; false: there will be none.
    pub async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
