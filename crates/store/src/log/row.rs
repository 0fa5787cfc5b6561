//! Reading columns whose text has a type of ours.

use std::str::FromStr;

use bellhop_model::Series;
use tokio_postgres::Row;

use crate::StoreError;
use crate::postgres::Fault;

/// Reads a column that is never null.
pub(crate) fn parsed<T: FromStr>(row: &Row, column: &'static str) -> Result<T, Fault> {
    Ok(row.try_get::<_, &str>(column)?.parse().map_err(|_| corrupt(column))?)
}

/// Reads a column that may be null.
pub(crate) fn optional<T: FromStr>(row: &Row, column: &'static str) -> Result<Option<T>, Fault> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.map(|text| text.parse().map_err(|_| corrupt(column))).transpose()?)
}

/// Reads the number of a series.
pub(crate) fn series_of(row: &Row, column: &'static str) -> Result<Series, Fault> {
    Ok(Series(u32::try_from(row.try_get::<_, i64>(column)?).map_err(|_| corrupt(column))?))
}

/// What a row says cannot be understood.
pub(crate) fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("a row of the delivery log has a malformed {column}"))
}
