//! A store in memory, a carrier that takes every message, and a citizen.

use crate::clock::Entropy;
use crate::config::conversation::{Second, Wording};
use crate::config::{Account, CallFlow, Campaign, Conversation, samples};
use crate::dialogue::interpret::tests::{account, campaign};
use crate::dialogue::memory::{CallerMemory, Heard, Memory, MemoryKey, Origin};
use crate::dialogue::{
    Because, Concluded, Decision, Happening, Known, Rules, decide, may_send, wanted,
};
use crate::model::{
    AccountName, CallStatus, CallbackSeq, Caller, Channel, Event, EventBody, Fetch, Invitation,
    InvitationId, InvitationState, Matter, Message, MessageId, MessageKind, Msisdn, Outcome,
    Record, Scheme, ServiceNumber, TargetType,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const LINE: &str = "1069008890";

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

pub(super) fn citizen() -> Msisdn {
    Msisdn::read("13940000001", "86").expect("a number")
}

/// Somebody else.
pub(super) fn neighbour() -> Msisdn {
    Msisdn::read("13940000002", "86").expect("a number")
}

/// Everything on, and said in one word.
pub(super) fn talkative() -> Conversation {
    let said = |kind| (kind, Wording::Text("您好${project_no}".to_owned()));
    let kinds = [
        MessageKind::Invite,
        MessageKind::ThankYou,
        MessageKind::AskReason,
        MessageKind::RePrompt,
        MessageKind::OptOutConfirmed,
    ];
    Conversation {
        invited_only: true,
        validity: hours(24),
        late_window: hours(12),
        second: Second::LastStands,
        wordings: kinds.into_iter().map(said).collect(),
        ..Conversation::default()
    }
}

/// An invitation to rate the case of the same name.
pub(super) fn invitation(id: &str, service: &str, expires_at: Timestamp) -> Invitation {
    Invitation {
        id: InvitationId(id.to_owned()),
        campaign: "hotline".to_owned(),
        account: account().name,
        caller: citizen(),
        service: Some(ServiceNumber(service.to_owned())),
        channel: Channel::Sms,
        matter: Matter { project_no: Some(format!("case-{id}")), ..Matter::bare(TargetType::Case) },
        send_at: None,
        valid_for: None,
        state: InvitationState::Planned,
        attempted_at: None,
        expires_at,
    }
}

/// The account through which citizens are heard and written to.
pub(super) fn sender() -> Account {
    let account = account();
    Account { send: Some(samples::sending(account.name.as_str())), ..account }
}

fn lines() -> Vec<String> {
    vec![format!("{LINE}*"), "024-8890".to_owned()]
}

/// What was concluded, and what was sent.
#[derive(Clone)]
pub(super) struct Bench {
    campaigns: Vec<Arc<Campaign>>,
    accounts: BTreeMap<AccountName, Arc<Account>>,
    store: BTreeMap<String, (Vec<u8>, Option<Timestamp>)>,
    entropy: Entropy,
    heard: i64,
    pub(super) now: Timestamp,
    queue: Vec<Message>,
    pub(super) fetches: Vec<Fetch>,
    /// Calls that wait for whoever dials.
    pub(super) offered: Vec<Message>,
    pub(super) sent: Vec<(Timestamp, Message)>,
    pub(super) concluded: Vec<Concluded>,
    pub(super) because: Vec<Because>,
}

impl Bench {
    pub(super) fn new(conversation: Conversation, now: &str) -> Bench {
        let campaign = Campaign {
            service_numbers: lines(),
            target: TargetType::Case,
            conversation: Some(conversation),
            ..campaign()
        };
        Bench::of(campaign, now)
    }

    /// A campaign that asks in calls, of which 0 declines; keys wait a minute for their number.
    pub(super) fn asking(flow: CallFlow, now: &str) -> Bench {
        let conversation = Conversation {
            invited_only: false,
            call_wait: Some(Duration::from_mins(1)),
            ..talkative()
        };
        let campaign = Campaign {
            service_numbers: lines(),
            target: TargetType::Call,
            scheme: Scheme::ASC.with_zero_declining(true),
            conversation: Some(conversation),
            call: Some(flow),
            ..campaign()
        };
        Bench::of(campaign, now)
    }

    /// For a campaign of its own.
    pub(super) fn of(campaign: Campaign, now: &str) -> Bench {
        Bench {
            campaigns: vec![Arc::new(campaign)],
            accounts: BTreeMap::from([(account().name, Arc::new(sender()))]),
            store: BTreeMap::new(),
            entropy: Entropy::seeded(1),
            heard: 0,
            now: moment(now),
            queue: Vec::new(),
            fetches: Vec::new(),
            offered: Vec::new(),
            sent: Vec::new(),
            concluded: Vec::new(),
            because: Vec::new(),
        }
    }

    /// The campaign is reloaded without what it asks in calls.
    pub(super) fn asks_no_more(&mut self) {
        let campaign = Campaign { call: None, ..(*self.campaigns[0]).clone() };
        self.campaigns = vec![Arc::new(campaign)];
    }

    pub(super) fn campaign(&self) -> Arc<Campaign> {
        Arc::clone(&self.campaigns[0])
    }

    /// The account's carrier records calls.
    pub(super) fn recording(mut self) -> Bench {
        let account = Arc::new(samples::with_recordings(sender()));
        self.accounts.insert(account.name.clone(), account);
        self
    }

    /// Decides, by nothing but what was written down, and writes down what is remembered.
    pub(super) fn happens(&mut self, happening: Happening) -> Vec<Concluded> {
        self.happens_after(happening, &mut Known::nothing())
    }

    /// The same by what is known from deciding before, where that is known.
    pub(super) fn happens_after(
        &mut self,
        happening: Happening,
        known: &mut Known,
    ) -> Vec<Concluded> {
        loop {
            let keys = wanted(&happening, known);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let stored = self.store.get(&key.text());
                let memory = stored.map(|(bytes, _)| Memory::from_bytes(bytes).expect("a memory"));
                known.recall(key, memory);
            }
        }
        let rules = Rules { campaigns: &self.campaigns, accounts: &self.accounts };
        let (entropy, now) = (self.entropy.clone(), self.now);
        let mut new_id = || entropy.record_id(now).0;
        let Decision { concluded, messages, fetches, changes, because } =
            decide(happening, known, rules, now, &mut new_id);
        for change in changes {
            let key = change.key.text();
            assert_eq!(MemoryKey::read(&key), Some(change.key));
            match change.to {
                Some((memory, due)) => {
                    self.store.insert(key, (memory.to_bytes(), due));
                }
                None => drop(self.store.remove(&key)),
            }
        }
        let calls = |message: &Message| message.kind == MessageKind::Call;
        self.offered.extend(messages.iter().filter(|it| calls(it)).cloned());
        self.queue.extend(messages.into_iter().filter(|it| !calls(it)));
        self.fetches.extend(fetches);
        self.because.extend(because);
        self.concluded.extend(concluded.clone());
        concluded
    }

    /// Lets time pass: messages go out when they may, and what is due is seen to, in order.
    pub(super) fn until(&mut self, then: Timestamp) {
        loop {
            let woken =
                self.store.iter().filter_map(|(key, (_, due))| Some(((*due)?, key.clone())));
            let woken = woken.min().filter(|(due, _)| *due <= then);
            let mail = self.queue.iter().enumerate().map(|(at, it)| (it.not_before, at)).min();
            let mail = mail.filter(|(at, _)| *at <= then);
            match (mail, woken) {
                (Some((at, place)), woken) if woken.as_ref().is_none_or(|(due, _)| at <= *due) => {
                    self.now = self.now.max(at);
                    self.send(place);
                }
                (_, Some((due, key))) => {
                    self.now = self.now.max(due);
                    self.happens(Happening::Due(MemoryKey::read(&key).expect("a key")));
                    let still = self.store.get(&key).and_then(|(_, due)| *due);
                    assert!(still.is_none_or(|due| due > self.now), "{key} stays due");
                }
                (_, None) => break,
            }
        }
        self.now = self.now.max(then);
    }

    fn send(&mut self, place: usize) {
        let message = self.queue.remove(place);
        let memory = self.memory();
        if may_send(&message, memory.as_ref(), self.now).is_err() {
            self.happens(Happening::NotSent(Box::new(message)));
            return;
        }
        self.sent.push((self.now, message.clone()));
        let carrier_id = Some(MessageId(message.key.to_string()));
        let at = self.now;
        self.happens(Happening::Sent { message: Box::new(message), carrier_id, at });
    }

    pub(super) fn after(&mut self, passed: Duration) -> &mut Bench {
        self.until(self.now.checked_add(passed).expect("a time"));
        self
    }

    pub(super) fn invite(&mut self, invitation: Invitation) {
        self.happens(Happening::Invited(Box::new(invitation)));
        self.until(self.now);
    }

    /// The citizen sends a text; what became of it comes first.
    pub(super) fn reply(&mut self, service: &str, text: &str) -> Concluded {
        self.reply_from(&citizen(), service, text)
    }

    /// Somebody sends a text; what became of it comes first.
    pub(super) fn reply_from(&mut self, from: &Msisdn, service: &str, text: &str) -> Concluded {
        let body = EventBody::SmsReply { text: text.to_owned() };
        let caller = Some(Caller::Number(from.clone()));
        let heard = self.heard(Event { service: number(service), caller, ..event(body) });
        let mut concluded = self.says(heard);
        self.until(self.now);
        concluded.remove(0)
    }

    /// What is concluded of something that was heard.
    pub(super) fn says(&mut self, heard: Heard) -> Vec<Concluded> {
        let mut concluded = self.happens(Happening::Said(Box::new(heard)));
        concluded.retain(|it| it.origin.is_some());
        concluded
    }

    pub(super) fn heard(&mut self, event: Event) -> Heard {
        self.heard += 1;
        let callback = CallbackSeq(self.heard);
        let origin = Origin { account: account().name, callback, received_at: self.now };
        Heard { origin, event }
    }

    pub(super) fn memory(&self) -> Option<CallerMemory> {
        let (bytes, _) = self.store.get(&MemoryKey::Caller(citizen()).text())?;
        match Memory::from_bytes(bytes).expect("a memory") {
            Memory::Caller(caller) => Some(caller),
            other => panic!("{other:?}"),
        }
    }

    /// All that is written down.
    pub(super) fn written(&self) -> &BTreeMap<String, (Vec<u8>, Option<Timestamp>)> {
        &self.store
    }

    pub(super) fn remembered(&self) -> Vec<&str> {
        self.store.keys().map(String::as_str).collect()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.concluded.iter().flat_map(|concluded| &concluded.records)
    }

    pub(super) fn sent_of(&self, kind: MessageKind) -> usize {
        self.sent.iter().filter(|(_, message)| message.kind == kind).count()
    }
}

pub(super) fn number(service: &str) -> Option<ServiceNumber> {
    Some(ServiceNumber(service.to_owned()))
}

/// Something that the citizen's phone says.
pub(super) fn event(body: EventBody) -> Event {
    Event {
        message_id: None,
        call: None,
        caller: Some(Caller::Number(citizen())),
        service: number(LINE),
        occurred_at: None,
        dedupe: String::new(),
        resend_window: None,
        pass_through: None,
        part: None,
        body,
    }
}

/// Keys pressed in a call, without the citizen's number.
pub(super) fn keys(call: &str, digits: &str) -> Event {
    Event {
        call: Some(MessageId(call.to_owned())),
        caller: None,
        service: number("024-8890"),
        ..event(EventBody::Keypad { digits: digits.to_owned() })
    }
}

/// A call that was answered.
pub(super) fn answered(call: &str) -> Event {
    let body =
        EventBody::CallStatus { status: CallStatus::Answered, raw: String::new(), digits: None };
    Event {
        message_id: Some(MessageId(call.to_owned())),
        service: number("024-8890"),
        ..event(body)
    }
}

pub(super) fn outcomes(concluded: &[Concluded]) -> Vec<Outcome> {
    concluded.iter().map(|concluded| concluded.outcome).collect()
}
