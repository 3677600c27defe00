//! Looks invitations up in what the gateway remembers.

use crate::dialogue::memory::{Asked, CallerMemory, InvitationMemory, Memory, MemoryKey};
use crate::model::{InvitationId, Msisdn};
use crate::store::Operator;
use anyhow::Result;

/// How much of the memory is read at a time.
const PAGE: u32 = 500;

/// An invitation, as far as it is remembered.
pub(super) enum Found {
    /// With all that followed it, and what else is remembered of its citizen.
    Whole(Box<(Asked, CallerMemory)>),
    /// Only whose it was and how it ended.
    Ended(InvitationId, InvitationMemory),
}

/// The invitation of this id.
pub(super) async fn by_id(operator: &Operator, id: &InvitationId) -> Result<Option<Found>> {
    let Some(Memory::Invitation(ended)) =
        recall(operator, &MemoryKey::Invitation(id.clone())).await?
    else {
        return Ok(None);
    };
    let found = by_caller(operator, &ended.caller).await?;
    let found = found
        .into_iter()
        .find(|found| matches!(found, Found::Whole(whole) if whole.0.invitation.id == *id));
    Ok(Some(found.unwrap_or_else(|| Found::Ended(id.clone(), ended))))
}

/// The invitations of a citizen, oldest first.
pub(super) async fn by_caller(operator: &Operator, caller: &Msisdn) -> Result<Vec<Found>> {
    match recall(operator, &MemoryKey::Caller(caller.clone())).await? {
        Some(Memory::Caller(memory)) => Ok(whole(&memory, |_| true)),
        _ => Ok(Vec::new()),
    }
}

/// The invitations to rate a case, by its number. No index leads there, so everything that is
/// remembered is looked at.
pub(super) async fn by_project(operator: &Operator, project_no: &str) -> Result<Vec<Found>> {
    let of_case = |asked: &Asked| asked.invitation.matter.project_no.as_deref() == Some(project_no);
    let (mut found, mut after) = (Vec::new(), Vec::new());
    loop {
        let (page, last) = operator.memories(&after, PAGE).await?;
        for (_, bytes) in page.iter().filter(|(key, _)| key.starts_with("caller:")) {
            if let Memory::Caller(memory) = Memory::from_bytes(&bytes.0)? {
                found.extend(whole(&memory, of_case));
            }
        }
        match last {
            Some(last) => after = last,
            None => return Ok(found),
        }
    }
}

fn whole(memory: &CallerMemory, wanted: impl Fn(&Asked) -> bool) -> Vec<Found> {
    let wanted = memory.invitations.iter().filter(|asked| wanted(asked));
    wanted.map(|asked| Found::Whole(Box::new((asked.clone(), memory.clone())))).collect()
}

async fn recall(operator: &Operator, key: &MemoryKey) -> Result<Option<Memory>> {
    let bytes = operator.recall(&key.text()).await?;
    Ok(bytes.map(|bytes| Memory::from_bytes(&bytes.0)).transpose()?)
}
