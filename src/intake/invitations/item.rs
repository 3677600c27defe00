//! One item of a call: an invitation, or everything that is wrong with it. Pure.
//!
//! The fields have the names that the national interfaces of ratings use (`docs/invitations-api.yaml`). What
//! is told of a value never repeats it: a slipped column may put a telephone number anywhere.

use super::fields::{Fields, Problem};
use crate::config::{Account, Areas, Campaign};
use crate::dialogue::choose_campaign;
use crate::model::{
    AccountName, Channel, Invitation, InvitationId, InvitationState, Matter, MessageKind, Msisdn,
    ServiceNumber, TargetType,
};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The names of the fields.
pub const FIELDS: [&str; 19] = [
    "id",
    "campaign",
    "account",
    "mobile",
    "senderNumber",
    "channel",
    "targetType",
    "projectNo",
    "taskCode",
    "taskName",
    "areaCode",
    "serviceNumber",
    "department",
    "handler",
    "callId",
    "passThrough",
    "sendAt",
    "expiresAt",
    "validHours",
];

/// The most characters of an id.
pub(super) const ID_LENGTH: usize = 128;

/// No invitation lies further in the future.
const FURTHEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The longest that an answer may count.
const VALID_HOURS: std::ops::RangeInclusive<u32> = 1..=366 * 24;

/// Times without an offset are by the province's clock.
const CHINA: Offset = Offset::constant(8);

/// By what an item is checked.
#[derive(Debug, Clone, Copy)]
pub struct Premises<'a> {
    /// The campaigns.
    pub campaigns: &'a [Arc<Campaign>],
    /// The accounts.
    pub accounts: &'a BTreeMap<AccountName, Arc<Account>>,
    /// The areas.
    pub areas: &'a Areas,
    /// When the call arrived.
    pub now: Timestamp,
}

/// Reads an item.
///
/// # Errors
/// All that is wrong with it.
pub fn read(item: &Map<String, Value>, premises: Premises<'_>) -> Result<Invitation, Vec<Problem>> {
    let mut fields = Fields::new(item);
    let invitation = invitation(&mut fields, premises);
    let problems = fields.finish(&FIELDS);
    match invitation {
        Some(invitation) if problems.is_empty() => Ok(invitation),
        _ => Err(problems),
    }
}

/// Everything is looked at before anything is given up, so that all problems are told at once.
fn invitation(fields: &mut Fields<'_>, premises: Premises<'_>) -> Option<Invitation> {
    let id = fields.opaque("id", ID_LENGTH);
    fields.demand("id", "write your own key of the invitation, which is never given to another");
    let service = sender_number(fields);
    let account = account(fields, premises.accounts);
    let channel = fields.one_of("channel", &[("sms", Channel::Sms), ("ivr", Channel::Ivr)]);
    fields.demand("channel", "write sms or ivr");
    let campaign = campaign(fields, premises.campaigns, account, service.as_ref(), channel);
    let account = sender(fields, account, campaign, channel, premises.accounts);
    let caller = caller(fields, account);
    let matter = matter(fields, campaign, premises.areas);
    let times = times(fields, campaign, premises.now);
    let valid_for = fields
        .number("validHours", VALID_HOURS)
        .map(|hours| Duration::from_hours(u64::from(hours)));
    let (send_at, expires_at) = times?;
    Some(Invitation {
        id: InvitationId(id?.to_owned()),
        campaign: campaign?.name.clone(),
        account: account?.name.clone(),
        caller: caller?,
        service,
        channel: channel?,
        matter: matter?,
        send_at,
        valid_for,
        state: InvitationState::Planned,
        attempted_at: None,
        expires_at,
    })
}

fn sender_number(fields: &mut Fields<'_>) -> Option<ServiceNumber> {
    let number = fields.opaque("senderNumber", 32)?;
    if number.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(ServiceNumber(number.to_owned()));
    }
    fields.reject(
        "senderNumber",
        "holds what no number has",
        "write it as the carrier delivers it, extension included",
    );
    None
}

fn account<'a>(
    fields: &mut Fields<'_>,
    accounts: &'a BTreeMap<AccountName, Arc<Account>>,
) -> Option<&'a Account> {
    let name = fields.text("account", 64)?;
    let found = AccountName::new(name).ok().and_then(|name| accounts.get(&name));
    if found.is_none() {
        fields.reject(
            "account",
            "is no account of the gateway",
            "write the name of one, or leave it out for the campaign's `sender`",
        );
    }
    found.map(Arc::as_ref)
}

/// The campaign that is named, else the one that claims the number; it must be able to invite.
fn campaign<'a>(
    fields: &mut Fields<'_>,
    campaigns: &'a [Arc<Campaign>],
    account: Option<&Account>,
    service: Option<&ServiceNumber>,
    channel: Option<Channel>,
) -> Option<&'a Campaign> {
    let found = match fields.text("campaign", 64) {
        Some(name) => campaigns.iter().find(|campaign| campaign.name == name),
        None => account.and_then(|account| choose_campaign(campaigns, account, service)),
    };
    let Some(found) = found else {
        if fields.is_faulty(&["campaign", "account", "senderNumber"]) {
            return None;
        }
        let (wrong, right) = match fields.has("campaign") {
            true => ("is no campaign of the gateway", "write the name of one"),
            false => (
                "is missing, and no number tells it",
                "write its name, or write `account` and a `senderNumber` that a campaign claims",
            ),
        };
        fields.reject("campaign", wrong, right);
        return None;
    };
    let conversation = found.conversation.as_ref();
    let invites = conversation.is_some_and(|conversation| {
        channel != Some(Channel::Sms) || conversation.wording(MessageKind::Invite).is_some()
    });
    if !invites {
        let right = "name one that does, or write `invite` into its conversation in the gateway's \
                     configuration";
        fields.reject("campaign", "does not invite", right);
        return None;
    }
    Some(found)
}

/// The account that sends, or whose calls ask.
fn sender<'a>(
    fields: &mut Fields<'_>,
    named: Option<&'a Account>,
    campaign: Option<&Campaign>,
    channel: Option<Channel>,
    accounts: &'a BTreeMap<AccountName, Arc<Account>>,
) -> Option<&'a Account> {
    if let Some(named) = named {
        if channel == Some(Channel::Sms) && named.send.is_none() {
            let right = "name one that has `send` in the gateway's configuration";
            fields.reject("account", "does not send", right);
        }
        return Some(named);
    }
    if fields.has("account") {
        return None;
    }
    if channel == Some(Channel::Ivr) {
        fields.reject("account", "is missing", "write the name of the account whose calls ask");
        return None;
    }
    let sender = campaign?.conversation.as_ref().and_then(|it| it.sender.as_ref());
    let found = sender.and_then(|name| accounts.get(name));
    if found.is_none() {
        let right = "write the name of an account that sends; the campaign names no `sender`";
        fields.reject("account", "is missing", right);
    }
    found.map(Arc::as_ref)
}

fn caller(fields: &mut Fields<'_>, account: Option<&Account>) -> Option<Msisdn> {
    fields.demand("mobile", "write the citizen's number, for example in E.164");
    let number = fields.text("mobile", 64)?;
    let country = account.map_or("86", |account| account.country.as_str());
    let read = Msisdn::read(number, country).ok();
    if read.is_none() {
        fields.reject(
            "mobile",
            "is not a telephone number",
            "write 7 to 15 digits, in E.164 or as they are dialled in the country",
        );
    }
    read
}

fn matter(fields: &mut Fields<'_>, campaign: Option<&Campaign>, areas: &Areas) -> Option<Matter> {
    let types = [("call", TargetType::Call), ("case", TargetType::Case)];
    let target_type = match fields.has("targetType") {
        true => fields.one_of("targetType", &types),
        false => campaign.map(|campaign| campaign.target),
    };
    let project_no = fields.opaque("projectNo", 64).map(str::to_owned);
    if target_type == Some(TargetType::Case) {
        fields
            .demand("projectNo", "write the case number (办件编号), by which a case is rated once");
    }
    let area_code = fields.text("areaCode", 12).map(str::to_owned);
    if area_code.as_ref().is_some_and(|code| !areas.know(code)) {
        fields.reject(
            "areaCode",
            "is no area of Liaoning",
            "write 6 digits of GB/T 2260 from 210000 on, or 12 with zeros behind",
        );
    }
    let matter = Matter {
        task_code: fields.opaque("taskCode", 64).map(str::to_owned),
        task_name: fields.text("taskName", 200).map(str::to_owned),
        service_step: fields.number("serviceNumber", 0..=u32::MAX),
        department: fields.text("department", 128).map(str::to_owned),
        handler: fields.text("handler", 64).map(str::to_owned),
        call_id: fields.opaque("callId", 128).map(str::to_owned),
        pass_through: fields.opaque("passThrough", 256).map(str::to_owned),
        project_no,
        area_code,
        ..Matter::bare(target_type?)
    };
    Some(matter)
}

/// When the citizen is asked at the earliest, and from when on it is not worth asking.
fn times(
    fields: &mut Fields<'_>,
    campaign: Option<&Campaign>,
    now: Timestamp,
) -> Option<(Option<Timestamp>, Timestamp)> {
    let send_at = time(fields, "sendAt", now);
    let expires_at = match fields.has("expiresAt") {
        true => time(fields, "expiresAt", now),
        false => {
            let validity = campaign?.conversation.as_ref()?.validity;
            send_at.unwrap_or(now).max(now).checked_add(validity).ok()
        }
    }?;
    if expires_at <= now {
        fields.reject("expiresAt", "is over already", "write a time that is to come");
    } else if send_at.is_some_and(|send_at| send_at >= expires_at) {
        fields.reject("sendAt", "is not before `expiresAt`", "write an earlier time");
    }
    Some((send_at, expires_at))
}

fn time(fields: &mut Fields<'_>, field: &'static str, now: Timestamp) -> Option<Timestamp> {
    let text = fields.text(field, 40)?;
    let Some(time) = moment(text) else {
        let right = "write for example 2026-03-05T10:20:30+08:00, or 2026-03-05 10:20:30 by the clock \
                     of China";
        fields.reject(field, "is not a time", right);
        return None;
    };
    if time.duration_since(now) > FURTHEST {
        fields.reject(field, "is more than a year away", "write an earlier time");
        return None;
    }
    Some(time)
}

/// A moment as RFC 3339 writes it, or as the national interfaces do, without an offset.
fn moment(text: &str) -> Option<Timestamp> {
    let local = || {
        let clock = text.len() == "2026-03-05 10:20:30".len();
        let time = text.parse::<DateTime>().ok().filter(|_| clock)?;
        CHINA.to_timestamp(time).ok()
    };
    text.parse().ok().or_else(local)
}

#[cfg(test)]
mod tests;
