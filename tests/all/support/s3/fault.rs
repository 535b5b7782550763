//! What can go wrong between a client and a server, and to which requests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hyper::Method;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// Begins an upload.
    Begin,
    /// Writes a part.
    Part,
    /// Completes an upload.
    Complete,
    /// Throws an upload away.
    Abort,
    /// Asks for an object's length.
    Look,
    /// Lists uploads.
    List,
    /// Reads an object.
    Read,
}

impl Request {
    pub(super) fn of(method: &Method, query: &str) -> Self {
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *method {
            Method::POST if has("uploads") => Self::Begin,
            Method::POST => Self::Complete,
            Method::PUT => Self::Part,
            Method::DELETE => Self::Abort,
            Method::HEAD => Self::Look,
            _ if has("uploads") => Self::List,
            _ => Self::Read,
        }
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is not done: the server has an error of its own (500).
    InternalError,
    /// It is not done: the server wants fewer (503).
    SlowDown,
    /// It is not done: the connection is reset.
    ResetBefore,
    /// It is done, and the connection is reset before the answer.
    ResetAfter,
    /// It is done, and the connection ends within the answer.
    HalfAnswer,
    /// It is not done, and the connection stays open without an answer.
    Hang,
    /// It is not done: the upload is said to be unknown (404).
    NoSuchUpload,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InternalError,
        Self::SlowDown,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::HalfAnswer,
        Self::Hang,
        Self::NoSuchUpload,
    ];
}

/// Faults that are to come, and all requests that came.
#[derive(Debug, Default)]
pub(super) struct Plan(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    faults: Vec<(Request, u32, Fault)>,
    came: BTreeMap<Request, u32>,
    hit: BTreeMap<(Request, Fault), u32>,
}

impl Plan {
    /// The `nth` request of a kind from now on, counted from 1, meets a fault.
    pub fn add(&self, request: Request, nth: u32, fault: Fault) {
        let mut state = self.0.lock().unwrap();
        let nth = nth + state.came.get(&request).copied().unwrap_or_default();
        state.faults.push((request, nth, fault));
    }

    /// Takes back all faults that have not met a request.
    pub fn clear(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    /// Counts a request, and says what happens to it.
    pub fn next(&self, request: Request) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        let came = state.came.entry(request).or_default();
        *came += 1;
        let came = *came;
        let at = state.faults.iter().position(|fault| (fault.0, fault.1) == (request, came))?;
        let (_, _, fault) = state.faults.remove(at);
        *state.hit.entry((request, fault)).or_default() += 1;
        Some(fault)
    }

    pub fn came(&self, request: Request) -> u32 {
        self.0.lock().unwrap().came.get(&request).copied().unwrap_or_default()
    }

    pub fn hit(&self, request: Request, fault: Fault) -> u32 {
        self.0.lock().unwrap().hit.get(&(request, fault)).copied().unwrap_or_default()
    }
}
