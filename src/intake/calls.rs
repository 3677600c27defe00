//! Calls that are left to whoever dials: what waits to be put, and the taking of one, from which its
//! validity runs.
//!
//! A call is one of the messages of its account, in a lane that no carrier is told of. The signature is that
//! of the invitations.

use super::Intake;
use crate::config::{self, CallFlow, Campaign, Prompt};
use crate::dialogue::memory::{self, Memory, MemoryKey};
use crate::dialogue::{Known, News, NotNow, may_call};
use crate::model::{
    AccountName, Invitation, InvitationState, Level, Message, MessageKey, Msisdn, TargetType,
    Unrated,
};
use crate::signature::{Distrust, Verifier};
use crate::store::{
    MessageLane, MessageSettled, MessageState, Opaque, ReadError, SettledMessage, StoreError,
};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::tz::offset;
use serde::Serialize;
use std::sync::Arc;

/// The most calls in one list.
pub const MOST_CALLS: u32 = 1000;

/// What a dialling system is told of a call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Under which it is taken.
    call: String,
    /// The platform's key of the invitation.
    invitation: String,
    /// What the carrier must hand back with the keys.
    pass_through: String,
    account: AccountName,
    campaign: String,
    brand: &'static str,
    /// The citizen, E.164.
    mobile: String,
    /// The number that the citizen sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_number: Option<String>,
    target_type: TargetType,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_no: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// What the campaign asks in its calls, if it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<Question>,
    /// The digits that the prompt offers, and what each stands for.
    keys: Vec<Key>,
    /// Whether 0 declines.
    zero_declines: bool,
    /// From then on asking is not worth it; of one that was taken, an answer is late.
    expires_at: String,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<String>,
}

/// A prompt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Question {
    /// To be spoken.
    Say(String),
    /// To be played, by its address.
    Play(String),
}

impl Question {
    fn of(flow: &CallFlow) -> Question {
        match &flow.rating {
            Prompt::Say(words) => Question::Say(words.clone()),
            Prompt::Play(address) => Question::Play(address.clone()),
        }
    }
}

/// A digit of the prompt.
#[derive(Debug, Serialize)]
struct Key {
    digits: u8,
    /// From 5, the best, to 1.
    level: u8,
    title: &'static str,
}

impl Key {
    fn of((digits, level): (u8, Level)) -> Key {
        Key { digits, level: level.number(), title: level.title() }
    }
}

/// What waits to be put.
#[derive(Debug, Serialize)]
pub struct Waiting {
    /// Longest due first.
    pub calls: Vec<Call>,
}

/// A call that was taken.
#[derive(Debug, Serialize)]
pub struct Taken {
    #[serde(flatten)]
    call: Call,
    /// Whether it was taken before: then the citizen is called already, unless that answer was lost.
    repeated: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The request is not believed.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
    /// The query cannot be read.
    #[error("write ?account=NAME of a configured account, and limit from 1 to {MOST_CALLS}")]
    Query,
    /// There is no such call.
    #[error("there is no such call")]
    Unknown,
    /// It may be taken later.
    #[error("not before {0}")]
    NotBefore(String),
    /// It will not be put any more.
    #[error("it is over: {0}")]
    Over(&'static str),
    /// The store does not answer, or refuses.
    #[error("not now; come back later")]
    Busy,
}

impl From<ReadError> for CallsError {
    fn from(error: ReadError) -> CallsError {
        tracing::debug!(%error, "calls could not be read");
        CallsError::Busy
    }
}

impl From<StoreError> for CallsError {
    fn from(error: StoreError) -> CallsError {
        tracing::debug!(%error, "a call was not settled");
        CallsError::Busy
    }
}

/// Tells dialling systems what to dial. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Calls {
    intake: Intake,
    verifier: Arc<Verifier>,
}

impl Calls {
    /// Over an intake, for whoever signs as the platform does.
    pub(super) fn new(intake: Intake, verifier: Arc<Verifier>) -> Calls {
        Calls { intake, verifier }
    }

    /// The calls of an account that may be put now. Nothing changes.
    ///
    /// # Errors
    /// [`CallsError`].
    pub async fn list(&self, target: &str, headers: &HeaderMap) -> Result<Waiting, CallsError> {
        let now = self.intake.now();
        self.verifier.verify((&Method::GET, target), headers, &[], now)?;
        let (account, limit) = self.query(target).ok_or(CallsError::Query)?;
        let due = self.intake.store().due_messages(&MessageLane::calls(&account), limit).await?;
        let mut calls = Vec::new();
        for stored in due {
            let Some(message) = read(stored.bytes.as_ref()) else { continue };
            if let Ok((campaign, invitation)) = self.standing(&message, now).await? {
                calls.push(self::call(&message, &campaign, &invitation, None));
            }
        }
        Ok(Waiting { calls })
    }

    /// Takes a call: it is put now, and its validity begins. The same again has no further effect.
    ///
    /// # Errors
    /// [`CallsError`]; nothing changed, but what will never be put is put away.
    pub async fn take(&self, target: &str, headers: &HeaderMap) -> Result<Taken, CallsError> {
        let now = self.intake.now();
        self.verifier.verify((&Method::POST, target), headers, &[], now)?;
        let id = target.strip_prefix(config::Invitations::CALL_PATH);
        let id = id.and_then(|id| uuid::Uuid::try_parse(id).ok()).ok_or(CallsError::Unknown)?;
        let stored = self.intake.store().message(MessageKey(id)).await?;
        let stored = stored.ok_or(CallsError::Unknown)?;
        let message = read(stored.bytes.as_ref()).ok_or(CallsError::Unknown)?;
        if stored.lane != MessageLane::calls(&message.account).as_str() {
            return Err(CallsError::Unknown);
        }
        match stored.state {
            MessageState::Waiting => {}
            MessageState::Sent => {
                return self.taken(&message, stored.ended_at.unwrap_or(now), true).await;
            }
            MessageState::Dropped | MessageState::Dead => {
                return Err(CallsError::Over(
                    "it was not dialled in time, or the citizen was asked",
                ));
            }
        }
        self.standing(&message, now).await??;
        let news = News::Sent { message: message.clone(), carrier_id: None, at: now };
        let ours = self.settle(message.key, MessageSettled::Sent, &news).await?;
        self.taken(&message, now, !ours).await
    }

    async fn taken(
        &self,
        message: &Message,
        at: Timestamp,
        repeated: bool,
    ) -> Result<Taken, CallsError> {
        let known = self.known(&message.to).await?;
        let about = self.about(message, &known);
        let (campaign, invitation) = about.ok_or(CallsError::Over("it was taken long ago"))?;
        let call = call(message, &campaign, &invitation, Some(at));
        Ok(Taken { call, repeated })
    }

    /// What a call is about, if it may be put now; what never will be is put away.
    async fn standing(
        &self,
        message: &Message,
        now: Timestamp,
    ) -> Result<Result<(Arc<Campaign>, Invitation), CallsError>, CallsError> {
        let known = self.known(&message.to).await?;
        let campaigns = self.intake.campaigns();
        let campaign = campaigns.iter().find(|it| it.name == message.campaign);
        let caller = known.caller(&message.to);
        match may_call(message, caller, campaign.map(Arc::as_ref), now) {
            Ok(()) => {
                let about = self.about(message, &known);
                Ok(about.ok_or(CallsError::Over(Unrated::NotSent.name())))
            }
            Err(NotNow::Before(at)) => Ok(Err(CallsError::NotBefore(local(at)))),
            Err(NotNow::Never(why)) => {
                let became = MessageSettled::Dropped { reason: why.name().to_owned() };
                self.settle(message.key, became, &News::NotSent(message.clone())).await?;
                Ok(Err(CallsError::Over(why.name())))
            }
        }
    }

    fn about(&self, message: &Message, known: &Known) -> Option<(Arc<Campaign>, Invitation)> {
        let campaigns = self.intake.campaigns();
        let campaign = campaigns.iter().find(|it| it.name == message.campaign).cloned();
        let mut asked = known.caller(&message.to).into_iter().flat_map(|it| &it.invitations);
        let asked = asked.find(|it| Some(&it.invitation.id) == message.invitation.as_ref());
        campaign.zip(asked.map(|asked| asked.invitation.clone()))
    }

    async fn known(&self, caller: &Msisdn) -> Result<Known, CallsError> {
        let key = MemoryKey::Caller(caller.clone());
        let found = self.intake.store().recall(&[&key.text()]).await?.pop().flatten();
        let memory = found.map(|bytes| Memory::from_bytes(&bytes.0)).transpose();
        let mut known = Known::nothing();
        known.recall(key, memory.map_err(|_| CallsError::Busy)?);
        Ok(known)
    }

    async fn settle(
        &self,
        id: MessageKey,
        became: MessageSettled,
        news: &News,
    ) -> Result<bool, CallsError> {
        let news = Some(Opaque(news.to_bytes()));
        Ok(self.intake.store().settle_unleased(SettledMessage { id, became, news }).await?)
    }

    fn query(&self, target: &str) -> Option<(AccountName, u32)> {
        let (_, query) = target.split_once('?')?;
        let (mut account, mut limit) = (None, 100);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "account" => account = AccountName::new(&value).ok(),
                "limit" => limit = value.parse().ok().filter(|it| (1..=MOST_CALLS).contains(it))?,
                _ => return None,
            }
        }
        let account = account.filter(|account| self.intake.accounts().contains_key(account))?;
        Some((account, limit))
    }
}

fn read(bytes: Option<&Opaque>) -> Option<Message> {
    memory::read(&bytes?.0).ok()
}

fn call(
    message: &Message,
    campaign: &Campaign,
    invitation: &Invitation,
    taken_at: Option<Timestamp>,
) -> Call {
    let matter = &invitation.matter;
    let validity = || {
        let usual = campaign.conversation.as_ref().map(|it| it.validity).unwrap_or_default();
        invitation.valid_for.unwrap_or(usual)
    };
    let expires_at = match (taken_at, invitation.state) {
        (Some(taken_at), InvitationState::Planned) => {
            taken_at.checked_add(validity()).unwrap_or(Timestamp::MAX)
        }
        _ => invitation.expires_at,
    };
    let passed = matter.pass_through.clone();
    Call {
        call: message.key.to_string(),
        invitation: invitation.id.to_string(),
        pass_through: passed.unwrap_or_else(|| invitation.id.to_string()),
        account: invitation.account.clone(),
        campaign: campaign.name.clone(),
        brand: campaign.brand.name(),
        mobile: invitation.caller.reveal().to_owned(),
        sender_number: invitation.service.as_ref().map(ToString::to_string),
        target_type: matter.target_type,
        project_no: matter.project_no.clone(),
        task_name: matter.task_name.clone(),
        department: matter.department.clone(),
        handler: matter.handler.clone(),
        call_id: matter.call_id.clone(),
        question: campaign.call.as_ref().map(Question::of),
        keys: (1..).zip(campaign.scheme.levels()).map(Key::of).collect(),
        zero_declines: campaign.scheme.zero_declines(),
        expires_at: local(expires_at),
        taken_at: taken_at.map(local),
    }
}

/// A time at the province's clock.
fn local(at: Timestamp) -> String {
    at.display_with_offset(offset(8)).to_string()
}
