//! What the gate looks at.

use crate::id::Attempt;
use crate::kind::{Kind, KindName};
use crate::message::{Message, Priority, State, Terms};
use crate::phone_number::Region;
use crate::policy::{Limits, Recipient, ZoneByRegion};
use crate::rules::Rules;
use crate::timestamp::Timestamp;
use crate::user::Preferences;
use crate::zone::{Hours, Windows, Zone};

/// Who said where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneSource {
    /// Their user's preferences.
    Preferences,
    /// Their number, which belongs to a country with only one zone.
    Region(Region),
    /// The deployment, for everybody of whom nobody said it.
    Deployment,
}

/// Where somebody is, and who said so: their preferences, then their number if it may, then the deployment.
pub fn whereabouts(
    preferences: Option<&Preferences>,
    region: Option<Region>,
    limits: &Limits,
) -> Option<(Zone, ZoneSource)> {
    if let Some(zone) = preferences.and_then(|preferences| preferences.zone) {
        return Some((zone, ZoneSource::Preferences));
    }
    let by_region = region.filter(|_| limits.zone_by_region == ZoneByRegion::On);
    let of_region = by_region.and_then(|region| Some((Zone::of_region(region)?, ZoneSource::Region(region))));
    of_region.or(limits.zone.map(|zone| (zone, ZoneSource::Deployment)))
}

/// What the gate looks at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// The rules in force.
    pub rules: &'a Rules,
    /// What is known of the recipient.
    pub recipient: &'a Recipient,
    /// What the text is about; `None` when its wish did not say.
    pub kind: Option<&'a KindName>,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether an urgent one may pass quiet hours, whatever its kind.
    pub may_bypass: bool,
    /// Not before this instant.
    pub scheduled_for: Option<Timestamp>,
    /// Not at or after this instant.
    pub expires_at: Option<Timestamp>,
    /// Whether it was counted: an attempt was made before.
    pub is_counted: bool,
    /// Whether it waited for its turn already: it stands behind nobody who waits.
    pub has_turn: bool,
}

impl<'a> Case<'a> {
    /// The case of a message that exists.
    pub fn of(message: &'a Message, recipient: &'a Recipient, rules: &'a Rules, now: Timestamp) -> Self {
        Self {
            now,
            rules,
            recipient,
            kind: message.kind.as_ref(),
            priority: message.priority,
            may_bypass: message.may_bypass,
            scheduled_for: message.scheduled_for,
            expires_at: message.expires_at,
            is_counted: message.attempt != Attempt::NONE,
            has_turn: matches!(message.state, State::Due { .. })
                || matches!(message.state, State::Held { hold, .. } if hold.is_about_stream()),
        }
    }

    /// The case of a wish.
    pub fn wish(terms: &'a Terms, recipient: &'a Recipient, rules: &'a Rules, now: Timestamp) -> Self {
        Self {
            now,
            rules,
            recipient,
            kind: terms.kind.as_ref(),
            priority: terms.priority,
            may_bypass: terms.may_bypass,
            scheduled_for: terms.scheduled_for,
            expires_at: terms.expires_at,
            is_counted: false,
            has_turn: false,
        }
    }

    /// What holds for its kind; `None` when there is no such kind any more.
    pub fn kind(&self) -> Option<&'a Kind> {
        self.rules.kinds.get(self.kind)
    }

    /// Where the recipient is, as far as anybody said.
    pub fn zone(&self) -> Option<Zone> {
        self.whereabouts().map(|(zone, _)| zone)
    }

    /// The same, with who said so.
    pub fn whereabouts(&self) -> Option<(Zone, ZoneSource)> {
        whereabouts(self.recipient.preferences.as_ref(), self.recipient.region, &self.rules.limits)
    }

    /// The recipient's quiet hours, or the deployment's; `None` when there are none.
    pub fn quiet_hours(&self) -> Option<Hours> {
        let hours = match self.recipient.preferences {
            Some(preferences) => preferences.quiet_hours,
            None => self.rules.limits.quiet_hours,
        };
        hours.filter(|hours| hours.start != hours.end)
    }

    /// The hours in which the law forbids the text; `None` when it forbids none.
    pub fn forbidden_hours(&self) -> Option<Hours> {
        let essential = self.kind().is_some_and(|kind| kind.essential);
        let hours = self.rules.limits.legal_hours.quiet();
        (!essential && hours.start != hours.end).then_some(hours)
    }

    /// When the text may leave because it is not urgent; at any time when `None`.
    pub fn low_priority_hours(&self) -> Option<&'a Windows> {
        self.rules.limits.low_priority_hours.as_ref().filter(|_| self.priority == Priority::Low)
    }

    /// Most texts to the recipient in a local day; no limit when `None`.
    pub fn daily_limit(&self) -> Option<u16> {
        let preferences = self.recipient.preferences?;
        preferences.daily_limit.or(self.rules.limits.daily)
    }
}
