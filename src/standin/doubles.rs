//! Double effects at the stand-in platform: one answer of a citizen under more than one record.

use super::ledger::Seen;
use crate::model::RecordId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Which record each answer became, by account, message and kind.
#[derive(Debug, Default)]
pub struct Doubles(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    records: HashMap<String, RecordId>,
    doubles: u64,
}

impl Doubles {
    /// The platform took this for the first time. A later revision of the same record is no double.
    pub fn took(&self, seen: &Seen<'_>) {
        let Some(message) = seen.message_id else { return };
        let answer = format!("{}\n{}\n{message}", seen.account, seen.kind);
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *book.records.entry(answer).or_insert(seen.key.id);
        if first != seen.key.id {
            book.doubles += 1;
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).doubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::native::Key;
    use crate::model::Revision;
    use uuid::Uuid;

    fn seen(id: u128, revision: u32, message: Option<&str>) -> Seen<'_> {
        let key = Key { id: RecordId(Uuid::from_u128(id)), revision: Revision(revision) };
        Seen { key, kind: "rating", account: "a", message_id: message, invitation: None }
    }

    #[test]
    fn another_record_of_the_same_answer_is_a_double_and_a_revision_is_not() {
        let doubles = Doubles::default();
        for one in [seen(1, 1, Some("m")), seen(1, 2, Some("m")), seen(2, 1, Some("n"))] {
            doubles.took(&one);
        }
        doubles.took(&Seen { kind: "complaint", ..seen(3, 1, Some("m")) });
        doubles.took(&seen(4, 1, None));
        doubles.took(&seen(5, 1, None));
        assert_eq!(doubles.count(), 0);
        doubles.took(&seen(6, 1, Some("m")));
        assert_eq!(doubles.count(), 1);
    }
}
