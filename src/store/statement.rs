//! A statement: static text with `$1` binds, put together piece by piece, the same for both
//! databases.

use serde_json::Value;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

/// A part of a list: at most `limit` items, newest first, older than the one seen last.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Id of the last item seen; the newest items when none.
    pub after: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// What both databases can read a row into.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// A value on its way into the database.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
}

/// SQL text and its values. Only static text gets in, so it cannot carry anybody's input.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) binds: Vec<Bind>,
}

/// Turns a [`Statement`] into one of sqlx's queries, for whichever database it is used with.
macro_rules! prepare {
    ($query:ident $(::<_, $row:ty>)?, $statement:expr) => {{
        let $crate::store::statement::Statement { sql, binds } = $statement;
        let mut query = sqlx::$query$(::<_, $row>)?(sqlx::AssertSqlSafe(sql));
        for bind in binds {
            query = match bind {
                $crate::store::statement::Bind::Text(value) => query.bind(value),
                $crate::store::statement::Bind::Int(value) => query.bind(value),
                $crate::store::statement::Bind::Bool(value) => query.bind(value),
                $crate::store::statement::Bind::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(super) use prepare;

impl Statement {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), binds: Vec::new() }
    }

    /// Gives the next numbered bind its value.
    pub(super) fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.binds.push(value.into());
        self
    }

    /// Appends text.
    pub(super) fn then(mut self, sql: &'static str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends `AND condition`, where every `$` of the condition stands for `value`; nothing
    /// without a value.
    pub(super) fn and(mut self, condition: &'static str, value: Option<impl Into<Bind>>) -> Self {
        if let Some(value) = value {
            let number = format!("${}", self.binds.len() + 1);
            self.sql.push_str(" AND ");
            self.sql.push_str(&condition.replace('$', &number));
            self.binds.push(value.into());
        }
        self
    }

    /// Ends a list's statement: the part of it that `page` names.
    pub(super) fn page(self, page: &Page) -> Self {
        let mut statement =
            self.and("id < $", page.after.as_deref()).then(" ORDER BY id DESC LIMIT ");
        statement.push_bind(i64::from(page.limit).into());
        statement
    }

    /// Appends tuples of values, separated by commas.
    pub(super) fn tuples<T: IntoIterator<Item = Bind>>(
        mut self,
        tuples: impl IntoIterator<Item = T>,
    ) -> Self {
        for (index, tuple) in tuples.into_iter().enumerate() {
            self.sql.push_str(if index == 0 { " (" } else { ", (" });
            for (column, bind) in tuple.into_iter().enumerate() {
                if column > 0 {
                    self.sql.push_str(", ");
                }
                self.push_bind(bind);
            }
            self.sql.push(')');
        }
        self
    }

    /// Appends a list of values in brackets.
    pub(super) fn list<'a>(self, values: impl IntoIterator<Item = &'a String>) -> Self {
        self.tuples([values.into_iter().map(Bind::from).collect::<Vec<_>>()])
    }

    fn push_bind(&mut self, bind: Bind) {
        self.binds.push(bind);
        self.sql.push('$');
        self.sql.push_str(&self.binds.len().to_string());
    }
}

/// Text as the databases can hold it: PostgreSQL refuses the NUL character, which providers can
/// send. JSON text is not touched by this, as it writes NUL in six harmless characters.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl From<&String> for Bind {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Option<String>> for Bind {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.as_deref().map(storable))
    }
}

impl From<Option<&str>> for Bind {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(storable))
    }
}

impl From<&Value> for Bind {
    fn from(json: &Value) -> Self {
        Self::Text(Some(json.to_string()))
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Bind {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Bind {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&Option<Vec<u8>>> for Bind {
    fn from(bytes: &Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes.clone())
    }
}

/// A column of JSON text.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
pub(super) struct JsonText(String);

impl TryFrom<JsonText> for Value {
    type Error = serde_json::Error;

    fn try_from(text: JsonText) -> Result<Self, Self::Error> {
        serde_json::from_str(&text.0)
    }
}
