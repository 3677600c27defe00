//! What operators' filters come to as conditions of a query, on any engine.

use super::look::{Filter, QuarantineFilter};
use sqlx::{Database, Encode, QueryBuilder, Type};

impl Filter {
    /// Adds the conditions on a record `r`, but for that on its caller.
    pub(super) fn narrow<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        String: for<'a> Encode<'a, DB> + Type<DB>,
        i64: for<'a> Encode<'a, DB> + Type<DB>,
        i16: for<'a> Encode<'a, DB> + Type<DB>,
    {
        if let Some(account) = &self.account {
            query.push(" AND r.account = ").push_bind(account.to_string());
        }
        if let Some(level) = self.level {
            query.push(" AND r.level = ").push_bind(i16::from(level.number()));
        }
        if let Some(urgent) = self.complaints {
            query.push(" AND r.urgent = ").push_bind(i16::from(urgent));
        }
        if let Some(since) = self.since {
            query.push(" AND r.received_at >= ").push_bind(since.as_millisecond());
        }
        if let Some(until) = self.until {
            query.push(" AND r.received_at < ").push_bind(until.as_millisecond());
        }
    }
}

impl QuarantineFilter {
    /// Adds the conditions on a note `n`.
    pub(super) fn narrow<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        String: for<'a> Encode<'a, DB> + Type<DB>,
        i64: for<'a> Encode<'a, DB> + Type<DB>,
    {
        if let Some(account) = &self.account {
            query.push(" AND n.account = ").push_bind(account.to_string());
        }
        if let Some(callback) = self.callback {
            query.push(" AND n.callback = ").push_bind(callback.0);
        }
        if let Some(since) = self.since {
            query.push(" AND n.received_at >= ").push_bind(since.as_millisecond());
        }
        if let Some(until) = self.until {
            query.push(" AND n.received_at < ").push_bind(until.as_millisecond());
        }
    }
}
