//! Callbacks: requests that tell a client's own server how an export has ended.

pub mod address;
pub mod client;
pub mod message;
pub mod sender;
pub mod signature;
