//! Bodies of `multipart/form-data`.

use super::form::Fields;
use crate::carrier::Garbled;
use bytes::Bytes;
use http::HeaderMap;

/// The parts of a multipart body as fields, by their names.
pub(super) fn read<'a>(_body: &[u8], _headers: &HeaderMap) -> Result<Fields<'a>, Garbled> {
    let _: Bytes;
    Err(Garbled::new("body", "not read yet"))
}
