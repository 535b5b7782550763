//! When databases are exported unasked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The shortest time between two exports that nobody asks for.
const SOONEST: Duration = Duration::from_secs(1);

/// When a database is exported unasked.
#[derive(Debug, Clone)]
pub struct DatabaseRule {
    /// None: all those that have none of their own.
    pub database: Option<String>,
    pub rule: Rule,
}

impl FromStr for DatabaseRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (database, rule) = match text.split_once('=') {
            Some((name, rule)) => (Some(name.to_owned()), rule),
            None => (None, text),
        };
        Ok(Self { database, rule: rule.parse()? })
    }
}

/// After a time, or by the calendar.
#[derive(Debug, Clone)]
pub enum Rule {
    /// So long after the one before.
    Every(Duration),
    /// At the times of a cron expression, in UTC.
    Cron(Box<Cron>),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(time) => write!(f, "{} s", time.as_secs_f64()),
            Self::Cron(cron) => f.write_str(cron.pattern.as_str()),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = duration(text) {
            return if time < SOONEST {
                Err(format!("too short a time: {} s is the shortest", SOONEST.as_secs()))
            } else {
                Ok(Self::Every(time))
            };
        }
        // Five fields: with seconds there would be more exports than anybody wants.
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| {
            format!(
                "neither a time such as 24h nor a cron expression such as \"30 3 * * *\" ({error})"
            )
        })?;
        if cron.find_next_occurrence(&Timestamp::now().to_zoned(TimeZone::UTC), false).is_err() {
            return Err("there is no such time: no day is like that".to_owned());
        }
        Ok(Self::Cron(Box::new(cron)))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}
