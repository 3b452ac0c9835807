//! The rules of a deployment about people: hours, limits, countries, proven numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::phone_number::Region;
use crate::policy::{OptOutLine, Rate};
use crate::zone::{Hours, LegalHours, Windows, Zone};

/// What a deployment demands of every text to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Where people are of whom nobody said it; nothing that needs a zone goes to them when `None`.
    pub zone: Option<Zone>,
    /// Whether a number says where its user is of whom nobody said it.
    pub zone_by_region: ZoneByRegion,
    /// Quiet hours of whoever said nothing about them.
    pub quiet_hours: Option<Hours>,
    /// Hours that the law leaves for texts that are not essential.
    pub legal_hours: LegalHours,
    /// When texts of low priority leave, on the clock where their recipient is; at any time when `None`.
    pub low_priority_hours: Option<Windows>,
    /// Most texts in a local day for users who named no limit; no limit when `None`.
    pub daily: Option<u16>,
    /// What becomes of a text over the daily limit.
    pub over_daily: OverDaily,
    /// Most texts to one person in any minute, at most [`RECENT_MAX`](crate::policy::RECENT_MAX).
    pub per_minute: Option<u16>,
    /// Most texts to one person in any hour, at most [`RECENT_MAX`](crate::policy::RECENT_MAX).
    pub per_hour: Option<u16>,
    /// Most texts altogether.
    pub global_rate: Rate,
    /// Most texts of the sender.
    pub sender_rate: Rate,
    /// What texts go out from: a number or a pool. Another sender is counted anew.
    pub sender: Arc<str>,
    /// Most texts to some countries.
    pub country_rates: BTreeMap<Region, Rate>,
    /// Most numbers of one block that are texted for the first time. Whoever earns by texts to numbers of their own
    /// has many that follow each other.
    pub velocity: Rate,
    /// How long the same text does not go to the same person again; it may at once when `None`.
    pub duplicate_window: Option<Duration>,
    /// What the first text to a person ends with, but for codes; nothing is added when `None`.
    pub opt_out_line: Option<OptOutLine>,
    /// Where texts may go; anywhere when empty.
    pub countries: Vec<Region>,
    /// Whether only proven numbers are texted, but for kinds that are exempt.
    pub verified: Verified,
}

/// Whether a number says where its user is of whom nobody said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneByRegion {
    /// No.
    Off,
    /// If it belongs to a country that has only one zone.
    On,
}

/// What becomes of a text over the daily limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverDaily {
    /// It waits for the next local day.
    Hold,
    /// It is not sent.
    Drop,
}

/// Whether only proven numbers are texted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Only those, but for kinds that are exempt.
    Required,
    /// Any.
    NotRequired,
}

impl Default for Limits {
    /// The hours of the law, and nothing else: what a deployment demands, it says.
    fn default() -> Self {
        Self {
            zone: None,
            zone_by_region: ZoneByRegion::Off,
            quiet_hours: None,
            legal_hours: LegalHours::Tcpa,
            low_priority_hours: None,
            daily: Some(10),
            over_daily: OverDaily::Hold,
            per_minute: None,
            per_hour: None,
            global_rate: Rate::NONE,
            sender_rate: Rate::NONE,
            sender: Arc::from(""),
            country_rates: BTreeMap::new(),
            velocity: Rate::NONE,
            duplicate_window: None,
            opt_out_line: None,
            countries: Vec::new(),
            verified: Verified::NotRequired,
        }
    }
}

impl Limits {
    /// Whether they ask where a number belongs.
    pub fn ask_region(&self) -> bool {
        !self.countries.is_empty() || self.zone_by_region == ZoneByRegion::On
    }
}
