//! A citizen asked to rate one call or one matter, and what came of it.

use super::{AccountName, Channel, Msisdn, ServiceNumber, TargetType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The platform's own key of an invitation: opaque text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvitationId(pub String);

impl fmt::Display for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One question to one citizen about one call or matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The platform's own key; the same key again is the same invitation.
    pub id: InvitationId,
    /// The campaign whose question is asked.
    pub campaign: String,
    /// The account that sends it, or whose calls ask it.
    pub account: AccountName,
    /// The citizen.
    pub caller: Msisdn,
    /// The number, extension included, that the citizen sees and replies to.
    pub service: Option<ServiceNumber>,
    /// How the question reaches the citizen. An answer may come by either channel.
    pub channel: Channel,
    /// What is to be rated.
    pub matter: Matter,
    /// The citizen is not asked earlier; `None`: at once.
    pub send_at: Option<Timestamp>,
    /// How long an answer counts, from the attempt on; `None`: as the campaign says.
    pub valid_for: Option<Duration>,
    /// Where it stands.
    pub state: InvitationState,
    /// When the question was actually put; the validity starts here.
    pub attempted_at: Option<Timestamp>,
    /// Until the attempt: when asking is no longer worth it. From then on: when the answer is late.
    pub expires_at: Timestamp,
}

/// The call or case that is to be rated, in the platform's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// A call or a case.
    pub target_type: TargetType,
    /// The case number (办件编号); always there for a case.
    pub project_no: Option<String>,
    /// The matter's code (事项编码).
    pub task_code: Option<String>,
    /// The matter's name.
    pub task_name: Option<String>,
    /// The area (GB/T 2260): 6 digits, or 12 padded with zeros.
    pub area_code: Option<String>,
    /// Which step of the service is rated.
    pub service_step: Option<u32>,
    /// The department that handled it.
    pub department: Option<String>,
    /// Who handled it.
    pub handler: Option<String>,
    /// The call it was about, by the carrier's id.
    pub call_id: Option<String>,
    /// What the carrier hands back with an answer, where that is not the invitation's own key.
    pub pass_through: Option<String>,
}

impl Matter {
    /// A matter of which nothing else is known.
    #[must_use]
    pub fn bare(target_type: TargetType) -> Matter {
        Matter {
            target_type,
            project_no: None,
            task_code: None,
            task_name: None,
            area_code: None,
            service_step: None,
            department: None,
            handler: None,
            call_id: None,
            pass_through: None,
        }
    }

    /// The call id or case number, by what is rated.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        match self.target_type {
            TargetType::Call => self.call_id.as_deref(),
            TargetType::Case => self.project_no.as_deref(),
        }
    }
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// Taken, and the citizen not asked yet.
    Planned,
    /// The citizen was asked.
    Open,
    /// The citizen rated.
    Rated,
    /// It ended without a rating; a late one may still come.
    NotRated(Unrated),
}

/// Why an invitation, or a call in which we asked, ended without a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrated {
    /// Nobody answered in time.
    Expired,
    /// The carrier said that the question did not reach the handset, and nobody answered in time.
    Undelivered,
    /// The question could not be put.
    NotSent,
    /// The citizen had refused further messages.
    OptedOut,
    /// The citizen had been asked too recently, or too often that day.
    TooOften,
    /// In the call, only keys that say nothing were pressed.
    Invalid,
    /// In the call, no key was pressed.
    Silent,
    /// The citizen hung up before an answer.
    HungUp,
    /// The citizen chose not to rate.
    Declined,
}

impl Unrated {
    /// The name, as lists and the platform see it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unrated::Expired => "expired",
            Unrated::Undelivered => "undelivered",
            Unrated::NotSent => "not_sent",
            Unrated::OptedOut => "opted_out",
            Unrated::TooOften => "too_often",
            Unrated::Invalid => "invalid",
            Unrated::Silent => "silent",
            Unrated::HungUp => "hung_up",
            Unrated::Declined => "declined",
        }
    }
}
