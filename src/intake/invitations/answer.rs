//! What became of each item of a call, as it is told.

use super::{Checked, Problem};
use serde::{Deserialize, Serialize};

/// A result for each item, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The results.
    pub results: Vec<ItemAnswer>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemAnswer {
    /// Its id, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It is on disk.
    Accepted,
    /// Its id was there already, and stands for what came first.
    Duplicate,
    /// Nothing of it is kept.
    Rejected {
        /// All that is wrong with it.
        problems: Vec<Problem>,
    },
}

impl Answer {
    /// Of items of which the good ones, in order, were new or not.
    pub(super) fn of(checked: Vec<Checked>, fresh: Vec<bool>) -> Answer {
        let mut fresh = fresh.into_iter();
        let result = |Checked { id, invitation }| {
            let status = match invitation {
                Err(problems) => Status::Rejected { problems },
                Ok(_) if fresh.next() == Some(true) => Status::Accepted,
                Ok(_) => Status::Duplicate,
            };
            ItemAnswer { id, status }
        };
        Answer { results: checked.into_iter().map(result).collect() }
    }
}
