//! Which records a destination is sent.

use super::{AreaCode, Channel, Level, Meaning, Record};

/// The most destinations of one gateway.
pub const MOST_DESTINATIONS: usize = 32;

/// What a destination wants; whatever is left empty is no condition, so the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these kinds.
    pub kinds: Vec<RecordKind>,
    /// Ratings of these levels; other kinds have none, and are not held to it.
    pub levels: Vec<Level>,
    /// Of these areas (GB/T 2260) and what lies within them.
    pub areas: Vec<AreaCode>,
    /// Read by these campaigns.
    pub campaigns: Vec<String>,
    /// By these channels.
    pub channels: Vec<Channel>,
}

/// What a record is, as a destination chooses by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A rating.
    Rating,
    /// A complaint.
    Complaint,
    /// An invitation or call that ended without a rating.
    NotRated,
}

impl RecordKind {
    /// All of them, with their names in the configuration and on the wire.
    pub const NAMES: [(&'static str, RecordKind); 3] = [
        ("rating", RecordKind::Rating),
        ("complaint", RecordKind::Complaint),
        ("not_rated", RecordKind::NotRated),
    ];
}

impl Selection {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Selection::default()
    }

    /// Whether a record is sent. One whose area nobody knows lies in none.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        let (kind, level) = match &record.meaning {
            Meaning::Rating { level, .. } => (RecordKind::Rating, Some(*level)),
            Meaning::Complaint { .. } => (RecordKind::Complaint, None),
            Meaning::NotRated { .. } => (RecordKind::NotRated, None),
        };
        one_of(&self.kinds, &kind)
            && level.is_none_or(|level| one_of(&self.levels, &level))
            && (self.areas.is_empty() || self.lies_within(record))
            && one_of(&self.campaigns, &record.campaign)
            && one_of(&self.channels, &record.channel)
    }

    fn lies_within(&self, record: &Record) -> bool {
        let of_matter = record.context.matter.as_ref().and_then(|it| it.area_code.as_deref());
        let area = of_matter.or(record.area.as_ref().map(|area| area.as_str()));
        area.is_some_and(|area| {
            self.areas.iter().any(|wanted| area.starts_with(stem(wanted.as_str())))
        })
    }
}

/// What the codes of an area and of all within it begin with: `2101` of 210100, `21` of 210000.
fn stem(area: &str) -> &str {
    let mut stem = area;
    while let Some(shorter) = stem.strip_suffix("00") {
        stem = shorter;
    }
    stem
}

fn one_of<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountName, AreaCode, Brand, Comment, ComplaintKind, Context, Matter, RecordId, Revision,
        Rule, Scheme, Target, TargetType,
    };

    fn record(meaning: Meaning, area: Option<&str>) -> Record {
        Record {
            id: RecordId(uuid::Uuid::nil()),
            revision: Revision::FIRST,
            meaning,
            account: AccountName::new("voice").expect("a name"),
            channel: Channel::Ivr,
            campaign: "hotline".to_owned(),
            brand: Brand::default(),
            channel_code: None,
            area: area.and_then(|area| AreaCode::new(area).ok()),
            caller: None,
            service: None,
            message_id: None,
            occurred_at: None,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            comment: Comment::default(),
            rule: Rule("G".into()),
            context: Context::default(),
        }
    }

    fn rating(level: Level, area: Option<&str>) -> Record {
        let target = Target { target_type: TargetType::Call, reference: None };
        record(Meaning::Rating { level, target, scheme: Scheme::ASC }, area)
    }

    fn complaint() -> Record {
        let kind = ComplaintKind::Grievance;
        let (rating, deadlines, tags, recordings) = (None, None, Vec::new(), Vec::new());
        record(Meaning::Complaint { kind, rating, deadlines, tags, recordings }, None)
    }

    #[test]
    fn everything_is_taken_unless_a_condition_says_otherwise() {
        let good = rating(Level::VerySatisfied, None);
        assert!(Selection::default().is_everything() && Selection::default().takes(&good));
        let complaints = Selection { kinds: vec![RecordKind::Complaint], ..Selection::default() };
        assert!(complaints.takes(&complaint()) && !complaints.takes(&good));
        let bad = Selection { levels: vec![Level::VeryDissatisfied], ..Selection::default() };
        assert!(!bad.takes(&good) && bad.takes(&rating(Level::VeryDissatisfied, None)));
        assert!(bad.takes(&complaint()), "a complaint has no level");
        let texts = Selection { channels: vec![Channel::Sms], ..Selection::default() };
        let others = Selection { campaigns: vec!["other".to_owned()], ..Selection::default() };
        assert!(!texts.takes(&good) && !others.takes(&good));
    }

    #[test]
    fn an_area_holds_what_lies_within_it() {
        let of = |area: &str| Selection {
            areas: vec![AreaCode::new(area).expect("a code")],
            ..Selection::default()
        };
        let at = |area| rating(Level::Fair, area);
        for (wanted, area, taken) in [
            ("210100", Some("210102"), true),
            ("210100", Some("210100"), true),
            ("210100", Some("210200"), false),
            ("210000", Some("210200"), true),
            ("210102", Some("210100"), false),
            ("210000", None, false),
        ] {
            assert_eq!(of(wanted).takes(&at(area)), taken, "{wanted} {area:?}");
        }
        let mut asked = at(Some("210200"));
        let area_code = Some("210102000000".to_owned());
        asked.context.matter = Some(Matter { area_code, ..Matter::bare(TargetType::Case) });
        assert!(of("210100").takes(&asked), "the matter knows better than the number called");
    }
}
