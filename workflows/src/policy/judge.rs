//! The judgement: rules in their order, the first that speaks decides.

use std::time::Duration;

use crate::message::{Hold, Message, Priority, State};
use crate::policy::{Ban, Case, OverDaily, Recipient, Ruling, forbidden, needs_proof};
use crate::rules::{Rules, Sending};
use crate::timestamp::Timestamp;
use crate::user::Toggle;
use crate::zone::{Hours, LocalDay, Zone};

/// How soon the gate looks again at what no clock releases: whoever changes it lets it look at once, and this
/// is for what changes without a word, such as the configuration.
const LOOK_AGAIN: Duration = Duration::from_hours(24);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What the gate says of a text. What is forbidden is forbidden at any hour, so it comes first; what waits for an
/// hour comes before what counts, because counts change until then.
pub fn judge(case: &Case<'_>) -> Ruling {
    if let Some(ban) = forbidden(case.recipient.standing) {
        return Ruling::Suppress(ban);
    }
    if case.expires_at.is_some_and(|at| at <= case.now) {
        return Ruling::Expire;
    }
    if let Some(until) = case.scheduled_for.filter(|at| *at > case.now) {
        return Ruling::Hold { hold: Hold::Scheduled, until };
    }
    if is_abroad(case) {
        return Ruling::Suppress(Ban::Country);
    }
    // Before anything is asked that they prefer, or that was said with it.
    if case.recipient.is_unreadable && preferences_matter(case) {
        return look_again(case, Hold::PreferencesUnreadable);
    }
    if let Some(ban) = banned(case) {
        return Ruling::Suppress(ban);
    }
    if case.rules.sending == Sending::Disabled {
        return Ruling::Hold { hold: Hold::SendingDisabled, until: Timestamp::MAX };
    }
    if case.kind().is_none() {
        return look_again(case, Hold::KindUnknown);
    }
    hours(case).or_else(|| counted(case)).or_else(|| crowded(case)).unwrap_or(Ruling::Send)
}

fn look_again(case: &Case<'_>, hold: Hold) -> Ruling {
    Ruling::Hold { hold, until: case.now.plus(LOOK_AGAIN) }
}

/// Whether texts do not go to the country of the number.
fn is_abroad(case: &Case<'_>) -> bool {
    let limits = &case.rules.limits;
    let allowed = case.recipient.region.is_some_and(|region| limits.countries.contains(&region));
    !allowed && !limits.countries.is_empty()
}

/// Whether anything that a user may prefer decides about a text: a switch, a limit, an hour. Nothing decides about
/// a code for which somebody waits.
fn preferences_matter(case: &Case<'_>) -> bool {
    let is_switched = case.kind().is_none_or(|kind| kind.toggle.is_some());
    is_switched || !is_exempt(case) || !passes_quiet_hours(case) || case.forbidden_hours().is_some()
}

/// What forbids this text to this person, whatever the hour.
fn banned(case: &Case<'_>) -> Option<Ban> {
    let kind = case.kind()?;
    if let (Some(toggle), Some(preferences)) = (kind.toggle, case.recipient.preferences)
        && !preferences.toggles.has(toggle)
    {
        return Some(Ban::ToggledOff { toggle });
    }
    if needs_proof(case.kind, case.rules) && !case.recipient.is_verified {
        return Some(Ban::NotVerified);
    }
    if case.daily_limit() == Some(0) && !case.is_counted && !is_exempt(case) {
        return Some(Ban::DailyLimit { limit: 0 });
    }
    duplicate(case)
}

/// The same text to the same person, within the time in which that is nothing but a mistake. A clock that was set
/// back must not forbid it for longer.
fn duplicate(case: &Case<'_>) -> Option<Ban> {
    let window = case.rules.limits.duplicate_window?;
    let may_repeat = case.kind().is_some_and(|kind| kind.may_repeat);
    let is_near = |at: &Timestamp| *at > case.now.minus(window) && *at < case.now.plus(window);
    let since = case.recipient.same_text.filter(|_| !case.is_counted && !may_repeat).filter(is_near)?;
    Some(Ban::Duplicate { since })
}

/// Whether limits do not count a text.
fn is_exempt(case: &Case<'_>) -> bool {
    case.kind().is_some_and(|kind| !kind.counts)
}

/// The hour: quiet hours, then the law's, then those of what is not urgent. Each says until when nothing goes for its sake,
/// and is asked again then: so what waits goes in the first moment in which none of them objects.
fn hours(case: &Case<'_>) -> Option<Ruling> {
    let quiet = case.quiet_hours().filter(|_| !passes_quiet_hours(case));
    let law = case.forbidden_hours();
    let low = case.low_priority_hours();
    let daily = case.daily_limit().filter(|_| !case.is_counted && !is_exempt(case));
    if quiet.is_none() && law.is_none() && low.is_none() && daily.is_none() {
        return None;
    }
    let Some(zone) = case.zone() else { return Some(look_again(case, Hold::ZoneUnknown)) };
    let held = |hold, until| Ruling::Hold { hold, until };
    if let Some(until) = quiet.and_then(|hours| hours.quiet_until(case.now, zone)) {
        return Some(held(Hold::QuietHours, until));
    }
    if let Some(until) = law.and_then(|hours| hours.quiet_until(case.now, zone)) {
        return Some(held(Hold::LegalHours, until));
    }
    low.and_then(|windows| windows.opens(case.now, zone)).map(|until| held(Hold::LowPriorityHours, until))
}

/// What was sent lately. A message counts once, so one that was attempted before is not held by it.
fn counted(case: &Case<'_>) -> Option<Ruling> {
    if case.is_counted || is_exempt(case) {
        return None;
    }
    let (limits, usage) = (&case.rules.limits, &case.recipient.usage);
    if let (Some(limit), Some(zone)) = (case.daily_limit(), case.zone())
        && usage.on(zone.day(case.now)) >= u32::from(limit)
    {
        return Some(match limits.over_daily {
            OverDaily::Hold => Ruling::Hold { hold: Hold::DailyLimit, until: zone.next_day(case.now) },
            OverDaily::Drop => Ruling::Suppress(Ban::DailyLimit { limit }),
        });
    }
    let full = |window, limit: Option<u16>| limit.and_then(|limit| usage.full_until(case.now, window, limit));
    let until = full(MINUTE, limits.per_minute).max(full(HOUR, limits.per_hour))?;
    Some(Ruling::Hold { hold: Hold::RateLimit, until })
}

/// What went lately to whom ever, in streams that the text belongs to. No kind is exempt: codes are what pumping asks
/// for. The longest wait speaks. What is urgent waits for a place, and stands in no line.
fn crowded(case: &Case<'_>) -> Option<Ruling> {
    if case.is_counted {
        return None;
    }
    let has_turn = case.has_turn || matches!(case.priority, Priority::Urgent | Priority::High);
    let waits = case.recipient.flows.iter().filter_map(|(stream, flow)| {
        let until = flow.full_until(case.now, case.rules.limits.rate_of(stream), has_turn)?;
        Some((until, stream.hold()))
    });
    let (until, hold) = waits.max_by_key(|(until, _)| *until)?;
    Some(Ruling::Hold { hold, until })
}

/// Whether a text passes quiet hours: it is urgent, its kind, its template or whoever asked for it may say so, and its
/// recipient wants urgent alerts.
pub fn passes_quiet_hours(case: &Case<'_>) -> bool {
    let wanted =
        case.recipient.preferences.is_none_or(|preferences| preferences.toggles.has(Toggle::UrgentAlerts));
    let may = case.may_bypass || case.kind().is_some_and(|kind| kind.may_bypass);
    case.priority == Priority::Urgent && may && (wanted || is_exempt(case))
}

/// Whether a text that goes now passes quiet hours that would have held it.
pub fn bypasses(case: &Case<'_>) -> bool {
    let quiet =
        case.quiet_hours().zip(case.zone()).and_then(|(hours, zone)| hours.quiet_until(case.now, zone));
    quiet.is_some() && passes_quiet_hours(case)
}

/// The local day on which a text counts whose first attempt begins; `None` when nothing counts it.
pub fn counts(case: &Case<'_>) -> Option<LocalDay> {
    let limits = &case.rules.limits;
    let limited = case.daily_limit().is_some() || limits.per_minute.is_some() || limits.per_hour.is_some();
    let counts = limited && !case.is_counted && !is_exempt(case);
    counts.then(|| case.zone().unwrap_or(Zone::UTC).day(case.now))
}

/// Until when the provider may hold a text that is submitted now; `None` when nothing says so. It must not
/// go out in hours that begin meanwhile.
pub fn valid_until(case: &Case<'_>) -> Option<Timestamp> {
    let begins = |hours: Option<Hours>| hours.zip(case.zone());
    let quiet = begins(case.quiet_hours().filter(|_| !passes_quiet_hours(case)));
    let hours = [quiet, begins(case.forbidden_hours())].into_iter().flatten();
    let starts = hours.filter_map(|(hours, zone)| hours.next_start(case.now, zone));
    starts.chain(case.expires_at).min()
}

/// What keeps a message back, or kept it for good, seen from `now`; `None` once nothing does.
pub fn explain(message: &Message, recipient: &Recipient, rules: &Rules, now: Timestamp) -> Option<Ruling> {
    let case = Case::of(message, recipient, rules, now);
    match message.state {
        State::Suppressed { ban } => Some(Ruling::Suppress(ban)),
        State::Expired => Some(Ruling::Expire),
        State::Held { hold: hold @ (Hold::OutcomeUnknown | Hold::Claim), until } => {
            Some(Ruling::Hold { hold, until })
        }
        State::Held { hold, until } => Some(match judge(&case) {
            ruling @ (Ruling::Suppress(_) | Ruling::Expire) => ruling,
            Ruling::Send | Ruling::Hold { .. } => Ruling::Hold { hold, until },
        }),
        State::Accepted | State::Due { .. } => Some(judge(&case)),
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled => None,
    }
}
