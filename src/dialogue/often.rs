//! How often a subject may be rated: 一次一评 for calls, 一事一评 for cases.

use super::memory::{Rated, Subject};
use crate::config::conversation::Second;
use crate::model::{InvitationId, Matter, TargetType};

/// What a rating is to its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The first.
    First,
    /// The second, which takes the place of the first as its next revision.
    Revision,
    /// The second, a record of its own (追评).
    FollowUp,
    /// One too many: kept, not forwarded.
    Surplus,
}

/// What one more rating is, after what was rated before.
pub(super) fn turn(before: Option<&Rated>, second: Second) -> Turn {
    let Some(before) = before else { return Turn::First };
    match second {
        _ if before.times > 1 => Turn::Surplus,
        Second::FirstStands => Turn::Surplus,
        Second::LastStands => Turn::Revision,
        Second::FollowUp if matches!(before.subject, Subject::Call(_)) => Turn::Surplus,
        Second::FollowUp => Turn::FollowUp,
    }
}

/// What a rating of this matter rates.
pub(super) fn subject(matter: &Matter, invitation: &InvitationId) -> Subject {
    match (matter.target_type, &matter.call_id, &matter.project_no) {
        (TargetType::Call, Some(call), _) => Subject::Call(call.clone()),
        (TargetType::Case, _, Some(project_no)) => {
            Subject::Case { project_no: project_no.clone(), step: matter.service_step }
        }
        _ => Subject::Invitation(invitation.clone()),
    }
}
