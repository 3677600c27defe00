//! What the stand-in platform says when it is asked for the counts of a day.

use crate::egress::counts::{Accepted, DayCounts};
use crate::signature::KEY_ID;
use http::request::Parts;
use jiff::civil::Date;
use jiff::{Timestamp, tz::offset};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Records that were taken for the first time, by their day and the id of the key that signed them.
#[derive(Debug, Default)]
pub(super) struct CountBook(Mutex<BTreeMap<(Date, String), Accepted>>);

impl CountBook {
    /// A record was taken for the first time; one without a readable time belongs to no day.
    pub(super) fn took(&self, head: &Parts, received_at: &str, kind: &str) {
        let Ok(received_at) = received_at.parse::<Timestamp>() else { return };
        let day = offset(8).to_datetime(received_at).date();
        let key_id = head.headers.get(&KEY_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let accepted = days.entry((day, key_id.to_owned())).or_default();
        *match kind {
            "complaint" => &mut accepted.complaint,
            "not_rated" => &mut accepted.not_rated,
            _ => &mut accepted.rating,
        } += 1;
    }

    /// The counts of the day that the query names; `None` if it names none.
    pub(super) fn answer(&self, query: &str) -> Option<DayCounts> {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let day: Date = value("day")?.parse().ok()?;
        let asked = value("key_id");
        let mut accepted = Accepted::default();
        for ((of, key_id), counts) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            if *of == day && asked.as_deref().is_none_or(|asked| asked == key_id) {
                accepted.rating += counts.rating;
                accepted.complaint += counts.complaint;
                accepted.not_rated += counts.not_rated;
            }
        }
        Some(DayCounts { day, accepted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use jiff::civil::date;

    #[test]
    fn a_record_counts_for_its_day_at_0800_and_for_its_key() {
        let book = CountBook::default();
        let signed = |id: &str| {
            Request::builder().header(KEY_ID, id).body(()).expect("a request").into_parts().0
        };
        for (id, at, kind) in [
            ("one", "2026-11-24T23:59:59+08:00", "rating"),
            ("one", "2026-11-24T16:00:00Z", "complaint"),
            ("two", "2026-11-25T01:00:00+08:00", "not_rated"),
            ("two", "yesterday", "rating"),
        ] {
            book.took(&signed(id), at, kind);
        }
        let counts = |query: &str| book.answer(query).map(|it| (it.day, it.accepted));
        let day = date(2026, 11, 24);
        assert_eq!(
            counts("day=2026-11-24"),
            Some((day, Accepted { rating: 1, ..Accepted::default() }))
        );
        let of_two = Accepted { not_rated: 1, ..Accepted::default() };
        assert_eq!(counts("day=2026-11-25&key_id=two"), Some((date(2026, 11, 25), of_two)));
        assert_eq!(book.answer("day=2026-11-25").expect("counts").accepted.sum(), 2);
        assert_eq!((counts("day=today"), counts("")), (None, None));
    }
}
