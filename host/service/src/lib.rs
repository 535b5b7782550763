//! Partway's exports over HTTP: request, watch and download them; with callbacks, schedules and a
//! web page.
//!
//! [`run`] runs a whole service on its own address:
//!
//! ```no_run
//! use partway_service::{Config, NamedDatabase, StoreConfig, run};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config {
//!     databases: vec![NamedDatabase::from_path("shop.db")],
//!     store: Some(StoreConfig::new("s3://backups/shop".parse()?, "/var/lib/exports")),
//!     ..Config::default()
//! };
//! let stop = CancellationToken::new();
//! // … stop.cancel() elsewhere, on a signal …
//! run(config, stop, |address| {
//!     println!("listening on http://{address}");
//!     Ok::<_, std::io::Error>(())
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Service`] mounts its routes in a server of your own. The server must limit connections and
//! slow clients itself:
//!
//! ```no_run
//! use partway_service::{Config, NamedDatabase, Service};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let config = Config { databases: vec![NamedDatabase::from_path("shop.db")], ..Config::default() };
//! let stop = CancellationToken::new();
//! let service = Service::open(config, stop.clone()).await?;
//! let router = axum::Router::new()
//!     .route("/hello", axum::routing::get(|| async { "hello" }))
//!     .merge(service.router());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8787").await?;
//! let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
//! let (served, worked) = tokio::join!(server.into_future(), service.work());
//! served?;
//! worked?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! `state` has what requests and background tasks share, and knows no routes. `http` is generic
//! HTTP, and `routes` has the handlers. `callbacks` and `schedules` have the background tasks.
//! `service` starts them all.

mod callbacks;
mod config;
mod error;
mod forgetting;
mod http;
mod paths;
mod routes;
mod schedules;
mod service;
mod state;

pub use config::{
    CallbackConfig, Config, InlineConfig, NamedDatabase, Retention, ScheduleConfig, StoreConfig,
};
pub use error::{ConfigError, SecretError, ServiceError, TokenFileError};
pub use schedules::export_options::{ExportOptionError, ScheduledCompression, ScheduledExport};
pub use schedules::rule::{DatabaseSchedule, RuleError, ScheduleError, ScheduleRule};
pub use service::{Reloader, Service, run};
