//! Puts what the gateway has to say into the carrier's words.

use super::{Answer, Call, Reply};

/// The answer in the words of the route's dialect.
#[must_use]
pub fn answer(call: &Call<'_>, answer: &Answer) -> Reply {
    let answers = &call.route.answers;
    let form = match answer {
        Answer::Accepted => &answers.accepted,
        Answer::Duplicate => &answers.duplicate,
        Answer::Busy(_) => &answers.busy,
        Answer::Refused(super::Denied::Unsigned) => &answers.unsigned,
        Answer::Refused(_) => &answers.refused,
    };
    Reply {
        status: form.status,
        content_type: form.content_type.clone(),
        headers: form.headers.clone(),
        body: bytes::Bytes::new(),
    }
}
