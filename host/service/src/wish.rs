//! What a client wants exported: from the query of a GET, from the JSON of a POST.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use crate::answer::Refusal;
use partway_jobs::{Target, object_name, sql_settings};

/// What a client has asked for; what it has left out takes its default.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, IntoParams, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wish {
    /// One of the served databases; without it, the first.
    pub database: Option<String>,
    /// The format, `sql` unless asked otherwise.
    pub format: Option<String>,
    /// Only these tables; a query has each of them by itself.
    #[param(rename = "table")]
    pub tables: Vec<String>,
    /// Who is to load the dump: `sqlite` or `d1`.
    #[schema(pattern = "^(sqlite|d1)$")]
    #[param(pattern = "^(sqlite|d1)$")]
    pub target: Option<String>,
    /// The object's name, a plain one of up to 200 bytes.
    pub name: Option<String>,
    /// What is to be called when the export has ended: a URL of https, or one that the service allows.
    #[serde(rename = "callbackUrl")]
    pub callback_url: Option<String>,
}

impl Wish {
    /// The wish in a query. What is not understood is refused: who asks for `databse=other` is not to get the default.
    ///
    /// # Errors
    ///
    /// Where the query makes no sense.
    pub fn from_query(query: Option<&str>) -> Result<Self, Refusal> {
        let mut wish = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let value = value.into_owned();
            let once = match name.as_ref() {
                "database" => &mut wish.database,
                "format" => &mut wish.format,
                "target" => &mut wish.target,
                "name" => &mut wish.name,
                "callbackUrl" => &mut wish.callback_url,
                "table" => {
                    wish.tables.push(value);
                    continue;
                }
                other => {
                    return Err(Refusal::bad(format!(
                        "the query has {other:?}, which means nothing here: it may have database, format, table, \
                         target, name and callbackUrl"
                    )));
                }
            };
            if once.replace(value).is_some() {
                return Err(Refusal::bad(format!("the query has {name} twice: give it once")));
            }
        }
        Ok(wish)
    }

    /// The wish in a body, an object of JSON; the database may stand in the query as well. An empty body wishes for
    /// the default.
    ///
    /// # Errors
    ///
    /// Where it is something else than JSON, or makes no sense.
    pub fn from_body(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, Refusal> {
        let in_query = Self::from_query(query)?;
        if in_query != (Self { database: in_query.database.clone(), ..Self::default() }) {
            return Err(Refusal::bad(
                "of a POST the query may have the database alone: the rest goes into the body",
            ));
        }
        let mut wish = Self::default();
        if !body.is_empty() {
            // A page of somebody else's in a browser could send any other type without having asked.
            let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                return Err(Refusal::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "the options are JSON: send them as Content-Type: application/json",
                ));
            }
            // An object and nothing else: the fields in a row would pass, too.
            wish = serde_json::from_slice::<Map<String, Value>>(body)
                .and_then(|fields| serde_json::from_value(Value::Object(fields)))
                .map_err(|error| Refusal::bad(format!("the options can't be read: {error}")))?;
        }
        match (&wish.database, in_query.database) {
            (Some(one), Some(other)) if *one != other => {
                Err(Refusal::bad("the query and the body name different databases: name one"))
            }
            (_, None) => Ok(wish),
            (_, named) => Ok(Self { database: named, ..wish }),
        }
    }

    /// The format, of which the component has to know.
    pub fn format(&self) -> String {
        self.format.clone().unwrap_or_else(|| "sql".to_owned())
    }

    /// The settings of the format.
    ///
    /// # Errors
    ///
    /// Where the target is unknown.
    pub fn settings(&self) -> Result<Vec<(String, String)>, Refusal> {
        let target = match &self.target {
            None => None,
            Some(word) => Some(word.parse::<Target>().map_err(|_| {
                Refusal::bad(format!("there is no target {word:?}: there is sqlite, and d1"))
            })?),
        };
        Ok(sql_settings(false, target))
    }

    /// The object's name, which stays within the store's folder or prefix.
    ///
    /// # Errors
    ///
    /// Where it is no plain name.
    pub fn name(&self) -> Result<Option<String>, Refusal> {
        let Some(name) = &self.name else { return Ok(None) };
        let plain = object_name(name)
            .map_err(|error| Refusal::bad(format!("the name {name:?} can't be used: {error}")))?;
        if plain.chars().any(char::is_control) {
            return Err(Refusal::bad("the name can't be used: it has control characters"));
        }
        Ok(Some(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_understood_or_refused() {
        let wish = Wish::from_query(Some("database=b%20c&table=x&table=y&format=sql")).unwrap();
        assert_eq!(wish.database.as_deref(), Some("b c"));
        assert_eq!(wish.tables, ["x", "y"]);
        assert_eq!(Wish::from_query(None).unwrap(), Wish::default());
        for query in ["databse=a", "database=a&database=b", "callbackurl=x"] {
            assert!(Wish::from_query(Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn a_name_is_plain_and_short() {
        let name = |name: &str| Wish { name: Some(name.to_owned()), ..Wish::default() }.name();
        assert_eq!(name("a b.sql").unwrap().as_deref(), Some("a b.sql"));
        for bad in ["", "..", "../a", "a/b", ".a", "a\n", &"a".repeat(201)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
