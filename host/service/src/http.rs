//! HTTP as such: connections, who may ask for what, bodies, ranges, headers, responses and errors.

pub mod access;
pub mod body;
pub mod connections;
pub mod error;
pub mod exchange;
pub mod headers;
pub mod origin;
pub mod range;
mod refusal;
pub mod request_log;
pub mod response;
