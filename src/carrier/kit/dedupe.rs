//! The key by which a repeat of an event is recognised.

/// Joins the fields that identify an event of this kind. Every field goes in with its length in
/// front, so that no two lists of fields give the same key, whatever stands in them.
pub(crate) fn key(kind: &str, fields: &[&str]) -> String {
    let mut key = String::from(kind);
    for field in fields {
        key.push('|');
        key.push_str(&field.len().to_string());
        key.push(':');
        key.push_str(field);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::key;
    use proptest::prelude::*;

    #[test]
    fn says_where_each_field_ends() {
        assert_eq!(key("report", &["9^0", "", "OK"]), "report|3:9^0|0:|2:OK");
    }

    proptest! {
        #[test]
        fn no_two_lists_of_fields_share_a_key(
            one in prop::collection::vec("[|:0-9a]{0,4}", 0..4),
            other in prop::collection::vec("[|:0-9a]{0,4}", 0..4),
        ) {
            let of = |fields: &[String]| {
                key("k", &fields.iter().map(String::as_str).collect::<Vec<_>>())
            };
            prop_assert_eq!(one == other, of(&one) == of(&other));
        }
    }
}
