//! Ctrl-C and SIGTERM: the first one ends the work at the next part, a second one ends it at once.

use partway::Pacing;
use tokio_util::sync::CancellationToken;

/// Tells, from now on, whether somebody wants the program to stop. Must be called within a tokio runtime.
pub fn listen() -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        while signal().await.is_ok() {
            if asked.is_cancelled() {
                std::process::exit(130);
            }
            asked.cancel();
            eprintln!("partway: stopping at the end of a part; once more to stop at once");
        }
    });
    stop
}

/// Waits for one of them.
#[cfg(unix)]
pub async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Ends an export when the program is to stop.
#[derive(Debug)]
pub struct UntilStopped(pub CancellationToken);

impl Pacing for UntilStopped {
    fn should_yield(&self) -> bool {
        self.0.is_cancelled()
    }

    fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}
