//! Times for people.

use jiff::{SpanRound, Timestamp, Unit};

/// A time, and how long ago it was.
pub fn time_and_age(now: Timestamp, time: Timestamp) -> String {
    format!("{} ({})", time.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(now, time))
}

/// How long ago a time was, in its largest sensible unit.
pub fn ago(now: Timestamp, time: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    let span = jiff::Span::new().seconds(seconds);
    let largest = SpanRound::new().largest(Unit::Day).days_are_24_hours();
    let smallest = match seconds {
        ..120 => Unit::Second,
        120..7200 => Unit::Minute,
        7200..172_800 => Unit::Hour,
        _ => Unit::Day,
    };
    match span.round(largest.smallest(smallest)) {
        Ok(span) => format!("{span:#} ago"),
        Err(_) => format!("{seconds}s ago"),
    }
}
