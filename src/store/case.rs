//! Cases: which records of a lane go one after the other, and until when a complaint must have gone. Pure.
//!
//! A rating and the complaint that it opened, a rating and its follow-up (追评), the answers about one step of one matter,
//! and the revisions of one record make a case. It is known by a number, and by the records that it is linked to: where
//! one of those waits, it is that one's case. What is on its way before it is known to belong together keeps no order: it
//! cannot be called back.

use super::seal::Fingerprinter;
use crate::model::{Deadlines, Meaning, Record, RecordId, Revision};
use jiff::tz::Offset;

/// Deadlines are days of the province's clock.
const CHINA: Offset = Offset::constant(8);

/// The highest of ranks; that of a complaint near its deadline is as much lower as the deadline is hours away from 1970.
pub(super) const NEAR: i64 = 1 << 32;

/// What ties a record to others, and to a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ties {
    /// The number of its case, if it has one.
    pub(super) case: Option<i64>,
    /// The records whose case it shares, the nearest first.
    pub(super) links: Vec<RecordId>,
    /// When the last day on which the citizen may be called back is over, in milliseconds.
    pub(super) call_by: Option<i64>,
}

/// What makes a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case<'a> {
    /// One step of one matter (办件).
    Step(&'a str, Option<u32>),
    /// Whatever follows from this record.
    Of(RecordId),
}

impl Ties {
    /// That of each of the records that one event made. What one opened shares its case, and needs no link to it.
    pub(super) fn of_event(records: &[Record], prints: &Fingerprinter) -> Vec<Ties> {
        let of = |id: RecordId| records.iter().find(|it| it.id == id);
        let ties = |record: &Record| {
            let root = opened_by(record).and_then(of).unwrap_or(record);
            let opens = records.iter().any(|it| opened_by(it) == Some(root.id));
            let case = Case::named_by(root).or(opens.then_some(Case::Of(root.id)));
            let mut links = links(record);
            links.extend(self::links(root).into_iter().filter(|_| root.id != record.id));
            // A revision comes with what it opened, and its earlier ones came before.
            links.retain(|id| of(*id).is_none_or(|it| it.revision > Revision::FIRST));
            links.dedup();
            Ties { case: case.map(|case| case.number(prints)), links, call_by: call_by(record) }
        };
        records.iter().map(ties).collect()
    }

    /// Whether nothing does.
    pub(super) fn are_none(&self) -> bool {
        self.case.is_none() && self.call_by.is_none()
    }
}

impl Case<'_> {
    /// What a record says of its case by itself.
    fn named_by(record: &Record) -> Option<Case<'_>> {
        let matter = record.context.matter.as_ref();
        let step = matter.and_then(|matter| {
            Some(Case::Step(matter.project_no.as_deref()?, matter.service_step))
        });
        let later = (record.revision > Revision::FIRST).then_some(record.id);
        let of = record.context.follows.or(opened_by(record)).or(later);
        step.or(of.map(Case::Of))
    }

    fn number(self, prints: &Fingerprinter) -> i64 {
        match self {
            Case::Step(project_no, step) => prints.case_of_step(project_no, step),
            Case::Of(id) => prints.case_of_record(id),
        }
    }
}

fn links(record: &Record) -> Vec<RecordId> {
    let earlier = (record.revision > Revision::FIRST).then_some(record.id);
    earlier.into_iter().chain(opened_by(record)).chain(record.context.follows).collect()
}

fn opened_by(record: &Record) -> Option<RecordId> {
    match &record.meaning {
        Meaning::Complaint { rating, .. } => *rating,
        Meaning::Rating { .. } | Meaning::NotRated { .. } => None,
    }
}

fn call_by(record: &Record) -> Option<i64> {
    let Meaning::Complaint { deadlines: Some(Deadlines { call_back_by, .. }), .. } = record.meaning
    else {
        return None;
    };
    let over = call_back_by.tomorrow().ok()?.at(0, 0, 0, 0);
    Some(CHINA.to_timestamp(over).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountName, Brand, Channel, Comment, ComplaintKind, Context, Level, Matter, Rule, Scheme,
        Target, TargetType,
    };
    use jiff::civil::date;
    use uuid::Uuid;

    fn id(number: u128) -> RecordId {
        RecordId(Uuid::from_u128(number))
    }

    fn rating(number: u128) -> Record {
        Record {
            id: id(number),
            revision: Revision::FIRST,
            meaning: Meaning::Rating {
                level: Level::Dissatisfied,
                target: Target { target_type: TargetType::Call, reference: None },
                scheme: Scheme::ASC,
            },
            account: AccountName::new("kannel").expect("a name"),
            channel: Channel::Sms,
            campaign: "asked".to_owned(),
            brand: Brand::Hotline12345,
            channel_code: None,
            area: None,
            caller: None,
            service: None,
            message_id: None,
            occurred_at: None,
            received_at: "2026-03-05T02:20:30Z".parse().expect("a time"),
            comment: Comment::default(),
            rule: Rule("C1".into()),
            context: Context::default(),
        }
    }

    fn complaint(number: u128, of: Option<u128>) -> Record {
        let deadlines = Deadlines { call_back_by: date(2026, 3, 6), repair_by: date(2026, 3, 12) };
        Record {
            meaning: Meaning::Complaint {
                kind: ComplaintKind::BadRating,
                rating: of.map(id),
                deadlines: Some(deadlines),
                tags: Vec::new(),
                recordings: Vec::new(),
            },
            ..rating(number)
        }
    }

    fn ties(records: &[Record]) -> Vec<Ties> {
        Ties::of_event(records, &Fingerprinter::new(&[7; 32]))
    }

    #[test]
    fn a_rating_by_itself_has_no_case_and_a_complaint_its_deadline() {
        let alone = ties(&[rating(1)]);
        assert!(alone[0].are_none() && alone[0].links.is_empty());
        let [grievance] = &ties(&[complaint(2, None)])[..] else { panic!("one") };
        assert_eq!((grievance.case, grievance.links.len()), (None, 0));
        let over: jiff::Timestamp = "2026-03-06T16:00:00Z".parse().expect("midnight there");
        assert_eq!(grievance.call_by, Some(over.as_millisecond()));
    }

    #[test]
    fn what_belongs_together_has_one_case() {
        let both = ties(&[rating(1), complaint(2, Some(1))]);
        assert!(both[0].case.is_some() && both[0].case == both[1].case);
        assert!(both.iter().all(|one| one.links.is_empty()), "they come together");
        let later = ties(&[complaint(3, Some(1))]);
        assert_eq!((later[0].case, &later[0].links[..]), (both[0].case, &[id(1)][..]));
        let mut follow_up = rating(4);
        follow_up.context.follows = Some(id(1));
        let followed = ties(&[follow_up, complaint(5, Some(4))]);
        for one in &followed {
            assert_eq!((one.case, &one.links[..]), (both[0].case, &[id(1)][..]));
        }
        let again = Record { revision: Revision(2), ..rating(1) };
        for one in &ties(std::slice::from_ref(&again)) {
            assert_eq!((one.case, &one.links[..]), (both[0].case, &[id(1)][..]));
        }
        for one in &ties(&[again, complaint(3, Some(1))]) {
            assert_eq!((one.case, &one.links[..]), (both[0].case, &[id(1)][..]));
        }
        assert_ne!(ties(&[complaint(3, Some(2))])[0].case, both[0].case);
    }

    #[test]
    fn the_answers_about_one_step_of_a_matter_are_one_case() {
        let of = |number, project: &str, step| {
            let mut record = rating(number);
            record.context.matter = Some(Matter {
                project_no: Some(project.to_owned()),
                service_step: step,
                ..Matter::bare(TargetType::Case)
            });
            ties(&[record])[0].case
        };
        assert!(of(1, "a", Some(1)).is_some() && of(1, "a", Some(1)) == of(2, "a", Some(1)));
        assert_ne!(of(1, "a", Some(1)), of(1, "a", Some(2)));
        assert_ne!(of(1, "a", Some(1)), of(1, "a", None));
        assert_ne!(of(1, "a", None), of(1, "b", None));
    }
}
