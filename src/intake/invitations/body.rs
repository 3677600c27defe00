//! The body of a call: one item, an array of them, or an object that holds one. Pure.

use serde_json::{Map, Value};

/// The most items of a call.
pub const MOST_ITEMS: usize = 1000;

/// The field that may hold the array.
const WRAPPER: &str = "invitations";

/// Why no item can be read from a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON in UTF-8.
    #[error("not JSON in UTF-8 from line {line}, column {column} on; correct it there")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// It is JSON of another shape.
    #[error(
        "neither an object nor an array; send one invitation, an array of them, or \
         {{\"invitations\": […]}}"
    )]
    Shape,
    /// There are too many.
    #[error("{0} invitations at once; send at most {MOST_ITEMS}")]
    TooMany(usize),
}

/// An item as it came: an object, or something else.
pub(super) type Item = Result<Map<String, Value>, NoObject>;

/// An item that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoObject;

/// The items of a body, in order.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn items(body: &[u8]) -> Result<Vec<Item>, Unreadable> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Unreadable::NotJson { line: error.line(), column: error.column() })?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove(WRAPPER) {
            Some(Value::Array(items)) if object.is_empty() => items,
            Some(_) => return Err(Unreadable::Shape),
            None => return Ok(vec![Ok(object)]),
        },
        _ => return Err(Unreadable::Shape),
    };
    if items.len() > MOST_ITEMS {
        return Err(Unreadable::TooMany(items.len()));
    }
    Ok(items.into_iter().map(object).collect())
}

fn object(item: Value) -> Item {
    match item {
        Value::Object(object) => Ok(object),
        _ => Err(NoObject),
    }
}

/// A body that holds these items.
#[must_use]
pub fn write(items: &[Map<String, Value>]) -> Vec<u8> {
    let items = items.iter().cloned().map(Value::Object).collect();
    Value::Array(items).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn one_several_or_wrapped() {
        let one = json!({"id": "1"});
        let count = |body: &Value| items(body.to_string().as_bytes()).map(|items| items.len());
        assert_eq!(count(&one), Ok(1));
        assert_eq!(count(&json!([one, one])), Ok(2));
        assert_eq!(count(&json!({"invitations": [one, one, one]})), Ok(3));
        assert_eq!(count(&json!([])), Ok(0));
        assert_eq!(items(b"[1, {}]"), Ok(vec![Err(NoObject), Ok(Map::new())]));
        for odd in
            [json!(1), json!("x"), json!({"invitations": 1}), json!({"invitations": [], "a": 1})]
        {
            assert_eq!(count(&odd), Err(Unreadable::Shape), "{odd}");
        }
        let full = Value::Array(vec![one.clone(); MOST_ITEMS]);
        assert_eq!(count(&full), Ok(MOST_ITEMS));
        let over = Value::Array(vec![one; MOST_ITEMS + 1]);
        assert_eq!(count(&over), Err(Unreadable::TooMany(MOST_ITEMS + 1)));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (body, line, column) in
            [(&b"[\n {\"id\": \"1\"},\n}"[..], 3, 1), (b"", 1, 0), (b"[\"\xff\"]", 1, 3)]
        {
            assert_eq!(items(body), Err(Unreadable::NotJson { line, column }));
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(body: Vec<u8>) {
            drop(items(&body));
        }

        #[test]
        fn what_is_written_is_read(ids: Vec<String>) {
            let written: Vec<Map<String, Value>> = ids
                .iter()
                .map(|id| Map::from_iter([("id".to_owned(), Value::from(id.clone()))]))
                .collect();
            let read: Vec<Item> = written.iter().cloned().map(Ok).collect();
            prop_assert_eq!(items(&write(&written)), Ok(read));
        }
    }
}
