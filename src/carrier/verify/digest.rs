//! Digests, HMACs and signatures over a template of the request.

use super::sorted::sorted;
use super::{Claim, algorithm, any, signed};
use crate::carrier::Denied;
use crate::carrier::scope::Values;
use crate::carrier::template::{Special, render};
use crate::carrier::written;
use crate::config::dialect::Digest;
use crate::model::Secret;
use subtle::Choice;
use zeroize::Zeroizing;

/// Whether one of the secrets made one of the signatures, by one of the algorithms.
pub(super) fn prove(digest: &Digest, claim: &Claim<'_>, secrets: &[Secret]) -> Result<(), Denied> {
    let given = claim.signatures(&digest.given, &digest.prefix, digest.written)?;
    let sorted = in_order(digest, claim.values).ok_or(Denied::BadSignature)?;
    let user = claim.user();
    signed(any(secrets, |secret| {
        let Some(key) = written::read(digest.key, secret.reveal()) else { return Choice::from(0) };
        let text = text(digest, claim.values, &user, &key, &sorted);
        any(&digest.algorithms, |algorithm| {
            any(&given, |given| algorithm::is_signed(*algorithm, &key, &text, given))
        })
    }))
}

/// The signature, by the first of the algorithms.
pub(in crate::carrier) fn sign(
    digest: &Digest,
    values: &dyn Values,
    user: &[u8],
    secret: &Secret,
) -> Option<Vec<u8>> {
    let key = written::read(digest.key, secret.reveal())?;
    let text = text(digest, values, user, &key, &in_order(digest, values)?);
    let signature = algorithm::sign(*digest.algorithms.first()?, &key, &text)?;
    let signature = written::write(digest.written, &signature);
    Some([digest.prefix.as_bytes(), &signature].concat())
}

/// The fields in order, where they are signed; `None` if they would leave out anything.
fn in_order(digest: &Digest, values: &dyn Values) -> Option<Vec<u8>> {
    digest.sorted.as_ref().map_or(Some(Vec::new()), |by| sorted(by, values))
}

/// What is signed. It may hold the secret, so it does not stay in memory.
fn text(
    digest: &Digest,
    values: &dyn Values,
    user: &[u8],
    key: &[u8],
    sorted: &[u8],
) -> Zeroizing<Vec<u8>> {
    let special = Special { secret: key, user, sorted, ..Special::default() };
    Zeroizing::new(render(&digest.over, values, &special))
}
