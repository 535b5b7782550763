//! When databases are exported by schedule.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::export_options::{ExportOptionError, ScheduledExport};

/// The shortest time between two scheduled exports.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// When a database is exported, and what of it. Written `RULE`, or `NAME=RULE` for one database, with the options of a
/// [`ScheduledExport`] behind semicolons.
#[derive(Debug, Clone)]
pub struct DatabaseSchedule {
    /// The database's name; none: all databases that have no schedule of their own.
    pub database: Option<String>,
    /// When it is exported.
    pub rule: ScheduleRule,
    /// What is exported.
    pub export: ScheduledExport,
}

/// Why a text is not a [`DatabaseSchedule`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It says no time.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Its options make no sense.
    #[error(transparent)]
    Export(#[from] ExportOptionError),
}

impl FromStr for DatabaseSchedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (when, options) = text.split_once(';').unwrap_or((text, ""));
        let (database, rule) = match when.split_once('=') {
            Some((name, rule)) => (Some(name.trim().to_owned()), rule),
            None => (None, when),
        };
        Ok(Self { database, rule: rule.trim().parse()?, export: options.parse()? })
    }
}

/// At a fixed interval, such as `24h`, or by a cron expression of five fields, such as
/// `30 3 * * *`, in UTC.
#[derive(Debug, Clone)]
pub struct ScheduleRule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// So long after the one before.
    Interval(Duration),
    /// At the times of a cron expression, in UTC.
    Cron(Box<Cron>),
}

/// Why a text is not a [`ScheduleRule`], or a rule has no next time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It is neither an interval nor a cron expression.
    #[error(
        "neither an interval such as 24h nor a cron expression such as \"30 3 * * *\" ({reason})"
    )]
    Syntax {
        /// The cron parser's reason.
        reason: String,
    },
    /// The interval is too short.
    #[error("too short: the shortest interval is {} s", minimum.as_secs())]
    TooShort {
        /// The shortest interval that is accepted.
        minimum: Duration,
    },
    /// No date ever matches the cron expression.
    #[error("it never happens: no date matches")]
    Never,
    /// The next time is later than this program can represent.
    #[error("the next time is too far in the future")]
    TooFar,
}

impl ScheduleRule {
    /// Whether it is a fixed interval rather than a cron expression.
    pub(crate) fn is_interval(&self) -> bool {
        matches!(self.0, Kind::Interval(_))
    }

    /// The next time after `now`.
    ///
    /// # Errors
    ///
    /// [`RuleError::Never`] or [`RuleError::TooFar`], if there is none.
    pub fn next_after(&self, now: Timestamp) -> Result<Timestamp, RuleError> {
        match &self.0 {
            Kind::Interval(time) => now.checked_add(*time).map_err(|_| RuleError::TooFar),
            Kind::Cron(cron) => cron
                .find_next_occurrence(&now.to_zoned(TimeZone::UTC), false)
                .map(|next| next.timestamp())
                .map_err(|_| RuleError::Never),
        }
    }
}

impl fmt::Display for ScheduleRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Interval(time) => write!(f, "{} s", time.as_secs_f64()),
            Kind::Cron(cron) => f.write_str(cron.pattern.as_str()),
        }
    }
}

impl FromStr for ScheduleRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if let Some(time) = duration(text) {
            return if time < MIN_INTERVAL {
                Err(RuleError::TooShort { minimum: MIN_INTERVAL })
            } else {
                Ok(Self(Kind::Interval(time)))
            };
        }
        // Five fields: with seconds there would be more exports than anybody wants.
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let wrong = |error| RuleError::Syntax { reason: what_is_wrong(&parser, text, &error) };
        let cron = parser.parse(text).map_err(wrong)?;
        let rule = Self(Kind::Cron(Box::new(cron)));
        rule.next_after(Timestamp::now())?;
        Ok(rule)
    }
}

/// The fields of a cron expression.
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];

/// What is wrong with a cron expression: the parser does not say in which field.
fn what_is_wrong(parser: &CronParser, text: &str, error: &CronError) -> String {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return format!("it has five fields, and this has {}", fields.len());
    }
    for (number, (name, field)) in FIELDS.iter().zip(&fields).enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        alone[number] = field;
        if let Err(error) = parser.parse(&alone.join(" ")) {
            return format!("the {name} {field:?} can't be used: {}", told(&error));
        }
    }
    told(error)
}

/// The parser's words in a sentence of ours.
fn told(error: &CronError) -> String {
    match error {
        CronError::InvalidPattern(words)
        | CronError::IllegalCharacters(words)
        | CronError::ComponentError(words) => words.trim_end_matches('.').to_ascii_lowercase(),
        error => error.to_string(),
    }
}

fn duration(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.parse().ok()?;
    Duration::try_from(duration).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_understood_and_say_when() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let next = |rule: &str, now: &str| {
            rule.parse::<ScheduleRule>().unwrap().next_after(at(now)).unwrap()
        };
        assert_eq!(next("24h", "2026-01-01T10:00:00Z"), at("2026-01-02T10:00:00Z"));
        assert_eq!(next("30 3 * * *", "2026-01-01T10:00:00Z"), at("2026-01-02T03:30:00Z"));
        assert_eq!(next("0 0 1 * *", "2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        assert_eq!(next("*/15 * * * 1-5", "2026-11-20T23:50:00Z"), at("2026-11-23T00:00:00Z"));
        for wrong in ["", "soon", "0s", "-1h", "61 * * * *", "* * * *", "* * * * * *"] {
            assert!(wrong.parse::<ScheduleRule>().is_err(), "{wrong}");
        }
        for (wrong, told) in [
            ("61 * * * *", "(the minute \"61\" can't be used: number out of bounds)"),
            ("0 4 * * Mon-Foo", "(the day of the week \"Mon-Foo\" can't be used: "),
            ("0 4 * *", "(it has five fields, and this has 4)"),
        ] {
            let said = wrong.parse::<ScheduleRule>().unwrap_err().to_string();
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn options_stand_behind_the_rule() {
        let read = |text: &str| text.parse::<DatabaseSchedule>().unwrap();
        let schedule = read("shop=0,30 3 * * *; format=parquet; table=orders");
        assert_eq!(schedule.database.as_deref(), Some("shop"));
        assert_eq!(schedule.rule.to_string(), "0,30 3 * * *");
        assert_eq!(schedule.export.options, "format=parquet; table=orders");
        let all = read("24h");
        assert_eq!((all.database, all.export), (None, ScheduledExport::default()));
        // Whose value has an equals sign, and no database has.
        assert_eq!(read("24h; where=t=a = 1").database, None);
        assert!("; format=csv".parse::<DatabaseSchedule>().is_err());
        assert!("24h; odd".parse::<DatabaseSchedule>().is_err());
    }
}
