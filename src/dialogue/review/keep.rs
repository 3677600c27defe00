//! What stays of the records of an answer when it is read again.

use super::group::Group;
use super::{Amendment, Kept, Reader, Review, Side};
use crate::config::Campaign;
use crate::dialogue::calls;
use crate::model::{
    Caller, Context, Event, EventBody, History, Mark, Meaning, Record, RecordId, Revision,
    differences,
};

impl<'a> Reader<'a> {
    /// An event that made records.
    pub(super) fn recorded(&mut self, event: &Event, group: &Group<'_>) -> Review {
        let before = group.side();
        // What was said aloud is not read.
        if matches!(event.body, EventBody::Recording { .. }) {
            return Review::same(before);
        }
        let Some(main) = group.main().filter(|main| self.is_read_from(main)) else {
            return Review::same(before);
        };
        if self.is_part(event) {
            return Review::kept(before.clone(), before, Kept::Conversation);
        }
        let Some(campaign) = self.campaign_of(event, main.latest()) else {
            return Review::kept(before.clone(), before, Kept::Campaign);
        };
        let meant = self.read(event, campaign);
        let (amendments, records) = self.amend(group, meant.records);
        let after = Side { outcome: Some(meant.outcome), records };
        let call = calls::call_of(event).cloned();
        Review { before, after, amendments, kept: None, call }
    }

    /// Whether a record says what this callback said: it did not bring only the reason for another, and no later
    /// answer took its place.
    fn is_read_from(&self, history: &History) -> bool {
        let seq = self.callback.seq;
        let Some(own) = history.caused_by(seq) else { return false };
        let later = history.revisions().iter().enumerate().skip(own + 1);
        let mut others = later.filter(|(_, made)| made.callback != seq);
        !history.is_reason(own) && others.all(|(at, _)| history.is_reason(at))
    }

    /// The campaign by which a recorded answer is read: that of its invitation, else the one that claims the number
    /// today. The outer `None`: that of its invitation is gone.
    fn campaign_of(&self, event: &Event, record: &Record) -> Option<Option<&'a Campaign>> {
        if record.context.invitation.is_none() {
            return Some(self.campaign(event));
        }
        let mut campaigns = self.rules.campaigns.iter();
        campaigns.find(|campaign| campaign.name == record.campaign).map(|it| Some(&**it))
    }

    /// What has to happen to the records of a group, and the records as they are then.
    fn amend(&self, group: &Group<'_>, read: Vec<Record>) -> (Vec<Amendment>, Vec<Record>) {
        let is_complaint = |it: &Record| matches!(it.meaning, Meaning::Complaint { .. });
        let (complaints, ratings): (Vec<Record>, Vec<Record>) =
            read.into_iter().partition(is_complaint);
        let (rating, mut complaint) = (ratings.into_iter().next(), complaints.into_iter().next());
        let mut opened = group.complaint;
        if opened.is_some_and(|opened| opened.caused_by(self.callback.seq).is_none()) {
            // Another answer opened it, and has the say about it.
            opened = None;
            complaint = complaint.filter(|_| rating.is_none());
        }
        let pairs = match (group.rating, opened, rating, complaint) {
            // A record may become one of another kind.
            (Some(old), None, None, Some(new)) | (None, Some(old), Some(new), None) => {
                vec![(Some(old), Some(new))]
            }
            (rated, opened, rating, complaint) => vec![(rated, rating), (opened, complaint)],
        };
        let (mut amendments, mut records) = (Vec::new(), Vec::new());
        for (old, new) in pairs {
            let rating: Option<RecordId> = records.first().map(|record: &Record| record.id);
            let new = new.map(|new| self.keep(group, old, new, rating));
            amendments.extend(amendment(old, new.as_ref()));
            records.extend(new);
        }
        (amendments, records)
    }

    /// What was read, with what stays of the old record. `rating` is that to which a complaint belongs.
    fn keep(
        &self,
        group: &Group<'_>,
        old: Option<&History>,
        mut new: Record,
        rating: Option<RecordId>,
    ) -> Record {
        if let Meaning::Complaint { rating: opened_by @ Some(_), .. } = &mut new.meaning {
            *opened_by = rating;
        }
        let main = group.main().filter(|_| group.is_concluded()).map(History::latest);
        if let Some(main) = main {
            if !matches!(new.caller, Some(Caller::Number(_))) {
                new.caller.clone_from(&main.caller);
            }
            new.context = about(&main.context);
        }
        match old {
            Some(old) => self.stay(old, new, main.is_some()),
            None => new,
        }
    }

    /// The next revision of a record: what was read anew, and all else as it was.
    fn stay(&self, history: &History, mut new: Record, concluded: bool) -> Record {
        let (old, revisions) = (history.latest(), history.revisions());
        let own = revisions.iter().position(|made| made.callback == self.callback.seq);
        let before = own.and_then(|own| Some(&revisions[own.checked_sub(1)?].record));
        if (0..revisions.len()).any(|at| history.is_reason(at)) {
            new.comment.clone_from(&old.comment);
        } else if let (true, Some(before)) = (new.comment.0.is_empty(), before) {
            // A second rating without words keeps those of the first.
            new.comment.clone_from(&before.comment);
        }
        Record {
            revision: Revision(old.revision.0 + 1),
            meaning: meaning(&old.meaning, new.meaning, concluded),
            campaign: new.campaign,
            brand: new.brand,
            channel: new.channel,
            channel_code: new.channel_code,
            area: new.area,
            caller: new.caller,
            service: new.service,
            message_id: new.message_id,
            occurred_at: new.occurred_at,
            received_at: new.received_at,
            comment: new.comment,
            rule: new.rule,
            ..old.clone()
        }
    }
}

/// What a record means when it is read anew: deadlines are not moved, nor does a rating that was concluded with
/// memory rate something else.
fn meaning(old: &Meaning, new: Meaning, concluded: bool) -> Meaning {
    let mut kept = old.clone();
    match (&mut kept, new) {
        (
            Meaning::Complaint { kind, rating, tags, .. },
            Meaning::Complaint { kind: read, rating: of, tags: found, .. },
        ) => {
            (*kind, *rating, *tags) = (read, of, found);
            kept
        }
        (
            Meaning::Rating { level, scheme, .. },
            Meaning::Rating { level: read, scheme: by, .. },
        ) if concluded => {
            (*level, *scheme) = (read, by);
            kept
        }
        (_, new) => new,
    }
}

fn amendment(old: Option<&History>, new: Option<&Record>) -> Option<Amendment> {
    let old = old.map(|history| Box::new(history.latest().clone()));
    match (old, new.map(|record| Box::new(record.clone()))) {
        (Some(old), Some(new)) => {
            (!differences(Some(&old), &new).is_empty()).then_some(Amendment::Revised { old, new })
        }
        (None, Some(new)) => Some(Amendment::Made(new)),
        (Some(old), None) => Some(Amendment::Withdrawn(old)),
        (None, None) => None,
    }
}

/// What was known of an answer, for a record that nobody counted.
fn about(context: &Context) -> Context {
    let of_the_answer =
        |mark: &&Mark| !matches!(mark, Mark::TooFast | Mark::ManyCases(_) | Mark::StaffLine);
    Context {
        invitation: context.invitation.clone(),
        matter: context.matter.clone(),
        marks: context.marks.iter().filter(of_the_answer).copied().collect(),
        ..Context::default()
    }
}
