//! What was said aloud in a call: it belongs to the call's complaint, or opens one.

use super::calls::call_of;
use super::decide::Course;
use super::interpret::Answer;
use super::known::KEPT;
use super::matching::later;
use super::memory::{Heard, LONGEST_ADDRESS, MOST_RECORDINGS, VoiceMemory};
use super::news::Fetched;
use crate::config::dialect::Route;
use crate::config::{Account, Campaign};
use crate::model::{
    AccountName, Caller, Channel, ComplaintKind, Context, EventBody, Fetch, Meaning, MessageId,
    Msisdn, Outcome, Record, Recording, RecordingAddress, RecordingId, RecordingState, Revision,
};
use jiff::Timestamp;
use std::sync::Arc;

impl<'a> Course<'a> {
    /// Keeps over which line a call came, where its recordings may come without that.
    pub(super) fn learn_line(&mut self, heard: &Heard, call: &MessageId, forget_at: Timestamp) {
        let account = &heard.origin.account;
        let Some(service) = heard.event.service.as_ref() else { return };
        let Some(campaign) = self.campaign_of(heard).filter(|it| it.remembers_calls()) else {
            return;
        };
        if !self.hears_recordings(account)
            || self.known.voice(account, call).is_some_and(|voice| voice.campaign.is_some())
        {
            return;
        }
        self.known.change_voice(account, call, |voice| {
            voice.campaign = Some(campaign.name.clone());
            voice.service = Some(service.clone());
            voice.forget_at = voice.forget_at.max(forget_at);
        });
    }

    /// Whether an account's carrier may tell where a call was recorded.
    fn hears_recordings(&self, account: &AccountName) -> bool {
        let hears = |it: &Arc<Account>| it.dialect.routes.iter().any(Route::hears_recordings);
        self.rules.accounts.get(account).is_some_and(hears)
    }

    /// Whether the call of a recording is known: named by itself, or by the recording's own id if a
    /// call was heard of under that.
    pub(super) fn has_call(&self, heard: &Heard) -> bool {
        let account = &heard.origin.account;
        heard.event.call.is_some()
            || call_of(&heard.event).is_some_and(|call| self.known.call(account, call).is_some())
    }

    /// The call's complaint with one recording more, if there is or can be a complaint.
    pub(super) fn recorded(
        &mut self,
        heard: &Heard,
        number: Option<&Msisdn>,
    ) -> Option<(Outcome, Record)> {
        let EventBody::Recording { url } = &heard.event.body else { return None };
        let (account, call) = (&heard.origin.account, call_of(&heard.event)?);
        let address = RecordingAddress(url.clone());
        let voice = self.known.voice(account, call).cloned().unwrap_or_default();
        let (outcome, mut complaint) = match &voice.complaint {
            Some(complaint) => (Outcome::Noted, next_revision(complaint)),
            None => (Outcome::Complaint, self.spoken(heard, number, &voice)?),
        };
        let recordings = recordings_of(&mut complaint)?;
        let known = recordings.iter().any(|recording| recording.address == address);
        if known
            || recordings.len() >= MOST_RECORDINGS
            || !(1..=LONGEST_ADDRESS).contains(&url.len())
        {
            return None;
        }
        let id = RecordingId((self.new_id)());
        let sources = self.rules.accounts.get(account).and_then(|it| it.recordings.as_ref());
        let listed = sources.is_some_and(|sources| sources.admits(url).is_ok());
        let state = if listed { RecordingState::Waiting } else { RecordingState::Unlisted };
        recordings.push(Recording { id, address: address.clone(), state });
        if listed {
            let (account, call) = (account.clone(), call.clone());
            let fetch = Fetch { recording: id, account, call, complaint: complaint.id, address };
            self.decision.fetches.push(fetch);
        }
        // News of the fetching come later, if an operator has it tried again even after days.
        self.keep_complaint(account, call, &complaint, later(heard.origin.received_at, KEPT));
        Some((outcome, complaint))
    }

    /// The complaint that the recording of a campaign's call opens.
    fn spoken(
        &mut self,
        heard: &Heard,
        number: Option<&Msisdn>,
        voice: &VoiceMemory,
    ) -> Option<Record> {
        let named = voice.campaign.as_ref().and_then(|name| self.campaign(name));
        let campaign: &'a Arc<Campaign> = named.or_else(|| self.campaign_of(heard))?;
        let mut event = heard.event.clone();
        event.message_id = call_of(&heard.event).cloned();
        event.service = event.service.or_else(|| voice.service.clone());
        event.caller = number.cloned().map(Caller::Number).or(event.caller);
        let answer = Answer {
            event: &event,
            account: &heard.origin.account,
            campaign,
            channel: Channel::Ivr,
            received_at: heard.origin.received_at,
        };
        let mut complaint = answer.spoken(|| self.record_id());
        complaint.context = self.context_of_call(heard, number);
        Some(complaint)
    }

    /// The invitation that the call puts.
    fn context_of_call(&self, heard: &Heard, number: Option<&Msisdn>) -> Context {
        let put = || {
            let call = self.known.call(&heard.origin.account, call_of(&heard.event)?)?;
            let asked = &self.known.caller(number?)?.invitations;
            let asked = asked.iter().find(|it| Some(&it.invitation.id) == call.invitation.as_ref());
            Some(&asked?.invitation)
        };
        Context {
            invitation: put().map(|invitation| invitation.id.clone()),
            matter: put().map(|invitation| invitation.matter.clone()),
            ..Context::default()
        }
    }

    /// Keeps the complaint that keys opened, for what is said aloud. Where that came first, its
    /// complaint is this one.
    pub(super) fn complained(&mut self, heard: &Heard, records: &mut [Record]) {
        let account = &heard.origin.account;
        let Some(call) = call_of(&heard.event) else { return };
        let is_complaint = |record: &&mut Record| record.is_urgent();
        let Some(complaint) = records.iter_mut().find(is_complaint) else { return };
        if !self.hears_recordings(account) {
            return;
        }
        let before = self.known.voice(account, call).and_then(|voice| voice.complaint.as_deref());
        if let Some(before) = before.filter(|it| is_spoken(it)) {
            let mut joined = next_revision(before);
            complaint.id = joined.id;
            complaint.revision = joined.revision;
            if let (Some(of), Some(said)) = (recordings_of(complaint), recordings_of(&mut joined)) {
                *of = std::mem::take(said);
            }
        }
        let complaint = complaint.clone();
        self.keep_complaint(account, call, &complaint, later(heard.origin.received_at, KEPT));
    }

    /// A recording was fetched, or will not be.
    pub(super) fn fetched(&mut self, fetched: Fetched) {
        let Fetched { account, call, recording, state } = fetched;
        let Some(voice) = self.known.voice(&account, &call) else { return };
        let Some(mut complaint) = voice.complaint.as_deref().map(next_revision) else { return };
        let forget_at = voice.forget_at;
        let recordings = recordings_of(&mut complaint).into_iter().flatten();
        let Some(told) = recordings.into_iter().find(|it| it.id == recording) else { return };
        if told.state == state {
            return;
        }
        told.state = state;
        self.keep_complaint(&account, &call, &complaint, forget_at);
        self.conclude(None, Outcome::Noted, vec![complaint]);
    }

    fn keep_complaint(
        &mut self,
        account: &AccountName,
        call: &MessageId,
        complaint: &Record,
        forget_at: Timestamp,
    ) {
        self.known.change_voice(account, call, |voice| {
            voice.complaint = Some(Box::new(complaint.clone()));
            voice.forget_at = voice.forget_at.max(forget_at);
        });
    }
}

fn next_revision(record: &Record) -> Record {
    Record { revision: Revision(record.revision.0 + 1), ..record.clone() }
}

fn recordings_of(record: &mut Record) -> Option<&mut Vec<Recording>> {
    match &mut record.meaning {
        Meaning::Complaint { recordings, .. } => Some(recordings),
        Meaning::Rating { .. } | Meaning::NotRated { .. } => None,
    }
}

/// Whether a complaint was opened by a recording, and nothing else.
fn is_spoken(complaint: &Record) -> bool {
    let of = |meaning: &Meaning| match meaning {
        Meaning::Complaint { kind, rating, recordings, .. } => {
            *kind == ComplaintKind::Grievance && rating.is_none() && !recordings.is_empty()
        }
        Meaning::Rating { .. } | Meaning::NotRated { .. } => false,
    };
    of(&complaint.meaning)
}
