//! Exports over HTTP: asked for, watched, downloaded; callbacks, schedules, a page for people.

mod access;
mod answer;
mod body;
mod callbacks;
mod config;
mod connections;
mod databases;
mod document;
mod download;
mod dump;
mod events;
mod exports;
mod live;
mod metrics;
mod origin;
mod page;
mod range;
mod requests;
mod retention;
mod routes;
mod rule;
mod schedules;
mod server;
mod service;
mod status;
mod stream;
mod tickets;
mod wish;

pub use config::{Config, NamedDatabase};
pub use rule::{DatabaseRule, Rule};
pub use server::{ServeError, run};
