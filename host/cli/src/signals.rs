//! Ctrl-C and SIGTERM: the first one stops the work after the current part, a second one at once.

use tokio_util::sync::CancellationToken;

use crate::output::message;

/// A token that the first signal from now on cancels. Must be called within a tokio runtime.
pub fn listen() -> CancellationToken {
    listen_with(|text| message!("{text}"))
}

/// As [`listen`], with a function that prints the message.
pub fn listen_with(print: impl Fn(&str) + Send + 'static) -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    // Before the task runs: a signal may come first.
    let signals = Signals::new();
    tokio::spawn(async move {
        let Ok(mut signals) = signals else { return };
        while signals.next().await {
            if token.is_cancelled() {
                std::process::exit(130);
            }
            token.cancel();
            print("stopping after the current part; interrupt again to stop at once");
        }
    });
    stop
}

/// Does something at each SIGHUP, from now on. On other systems than Unix there is none.
pub fn on_hangup(act: impl Fn() + Send + 'static) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                act();
            }
        });
    }
    #[cfg(not(unix))]
    drop(act);
    Ok(())
}

/// Ctrl-C and SIGTERM, from now on.
pub struct Signals {
    #[cfg(unix)]
    streams: [tokio::signal::unix::Signal; 2],
}

#[cfg(unix)]
impl Signals {
    /// Starts listening.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { streams: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    /// Waits for the next signal. False: there will be none.
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
    /// Starts listening.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal. False: there will be none.
    pub async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
