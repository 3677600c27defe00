//! Which invitation an answer belongs to. Never guessed: what was not asked is not answered.

use super::memory::Asked;
use crate::model::{InvitationId, InvitationState, ServiceNumber, Unrated};
use jiff::Timestamp;
use std::time::Duration;

/// What of an answer tells to what it belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs<'a> {
    /// The number it came to, extension included.
    pub(super) service: Option<&'a ServiceNumber>,
    /// The campaign of that number.
    pub(super) campaign: Option<&'a str>,
    /// The call in which it was given.
    pub(super) call: Option<&'a str>,
    /// What the carrier handed back.
    pub(super) pass_through: Option<&'a str>,
    /// The invitation that the call puts.
    pub(super) put: Option<&'a InvitationId>,
    /// When it arrived.
    pub(super) at: Timestamp,
}

/// The invitation that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// Its place among the caller's.
    pub(super) place: usize,
    /// How closely it fits.
    pub(super) fit: Fit,
    /// How many it could have been, itself included.
    pub(super) rivals: u8,
    /// Whether the answer came after its end.
    pub(super) late: bool,
}

/// How closely an invitation fits; better ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Of the same campaign, where one of the numbers is not known.
    Campaign,
    /// Of the same campaign, and the one number is the other with an extension.
    Extension,
    /// The same number.
    Number,
    /// The answer names it.
    Named,
}

/// Finds the invitation: of those that fit best the newest still open, else the newest.
/// `late_window` says how long after the end an answer is taken.
pub(super) fn find(
    invitations: &[Asked],
    signs: &Signs<'_>,
    late_window: impl Fn(&Asked) -> Duration,
) -> Option<Match> {
    let fits = |(place, asked): (usize, &'_ Asked)| {
        let fit = fit(asked, signs)?;
        stands(asked, fit, signs.at, late_window(asked)).then_some((fit, place))
    };
    let fitting: Vec<(Fit, usize)> = invitations.iter().enumerate().filter_map(fits).collect();
    let closest = fitting.iter().map(|(fit, _)| *fit).max()?;
    let best = || fitting.iter().filter(|(fit, _)| *fit == closest).map(|(_, place)| *place);
    let is_late = |place: &usize| signs.at >= invitations[*place].invitation.expires_at;
    let is_awaited = |place: &usize| invitations[*place].is_open() && !is_late(place);
    let newest = |place: &usize| (invitations[*place].invitation.attempted_at, *place);
    let place =
        best().filter(is_awaited).max_by_key(newest).or_else(|| best().max_by_key(newest))?;
    let late = is_late(&place);
    let rivals = best().filter(|rival| late || !is_late(rival)).count();
    Some(Match { place, fit: closest, rivals: u8::try_from(rivals).unwrap_or(u8::MAX), late })
}

fn fit(asked: &Asked, signs: &Signs<'_>) -> Option<Fit> {
    let invitation = &asked.invitation;
    let named = |sign: Option<&str>, name: Option<&str>| sign.is_some() && sign == name;
    let key = Some(invitation.id.0.as_str());
    if signs.put == Some(&invitation.id)
        || named(signs.pass_through, key)
        || named(signs.pass_through, invitation.matter.pass_through.as_deref())
        || named(signs.call, invitation.matter.call_id.as_deref())
    {
        return Some(Fit::Named);
    }
    let own = signs.campaign == Some(&invitation.campaign);
    match (signs.service, &invitation.service) {
        (Some(to), Some(from)) if to == from => Some(Fit::Number),
        (Some(to), Some(from)) => (own && same_line(to, from)).then_some(Fit::Extension),
        _ => own.then_some(Fit::Campaign),
    }
}

/// Whether the citizen was asked when the answer came, and it is not too late for it.
fn stands(asked: &Asked, fit: Fit, at: Timestamp, late_window: Duration) -> bool {
    let invitation = &asked.invitation;
    let asked_before = match invitation.state {
        InvitationState::NotRated(Unrated::OptedOut | Unrated::TooOften | Unrated::NotSent) => {
            false
        }
        // Only who was asked has what it is named by, whenever we learn of the attempt.
        _ if fit == Fit::Named => true,
        InvitationState::Planned => false,
        _ => invitation.attempted_at.is_none_or(|attempted_at| attempted_at <= at),
    };
    asked_before && at < later(invitation.expires_at, late_window)
}

/// Whether one of the numbers is the other, or the other with an extension.
pub(super) fn same_line(
    ServiceNumber(one): &ServiceNumber,
    ServiceNumber(other): &ServiceNumber,
) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The moment so much later, or the end of time.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
