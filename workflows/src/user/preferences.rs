//! What a user prefers.

use crate::zone::{Hours, LocalTime, Zone};

/// What a user prefers, as far as it decides whether and when they are texted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    /// Which texts they want.
    pub toggles: Toggles,
    /// No texts in this window of their local day; none when `None`.
    pub quiet_hours: Option<Hours>,
    /// Most texts in a local day; the deployment's rule applies when `None`, and 0 means none at all.
    pub daily_limit: Option<u16>,
    /// Where they are; the deployment's zone applies when `None`.
    pub zone: Option<Zone>,
    /// Minutes before an event at which they are reminded. For whoever schedules reminders.
    pub lead_minutes: u16,
    /// When their morning text comes. For whoever schedules it.
    pub kickoff_time: LocalTime,
}

/// One kind of text that a user can switch on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toggle {
    /// Reminders of tasks.
    TaskReminders,
    /// The day in brief.
    DailyBrief,
    /// Urgent alerts, also in their quiet hours.
    UrgentAlerts,
    /// Reminders of events in their calendar.
    EventReminders,
    /// A text in the morning.
    MorningKickoff,
    /// A text in the evening.
    EveningRecap,
}

/// Every toggle with its name in the API and whether it is on until somebody says otherwise.
pub const TOGGLES: [(Toggle, &str, bool); Toggle::COUNT] = [
    (Toggle::TaskReminders, "task_reminders", true),
    (Toggle::DailyBrief, "daily_brief_sms", false),
    (Toggle::UrgentAlerts, "urgent_alerts", true),
    (Toggle::EventReminders, "event_reminders_enabled", false),
    (Toggle::MorningKickoff, "morning_kickoff_enabled", false),
    (Toggle::EveningRecap, "evening_recap_enabled", false),
];

/// Which toggles are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toggles(u16);

impl Toggle {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// Every toggle, in the order of [`TOGGLES`].
    pub fn all() -> impl Iterator<Item = Self> {
        TOGGLES.into_iter().map(|(toggle, _, _)| toggle)
    }

    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        TOGGLES.into_iter().find(|(toggle, ..)| *toggle == self).map_or("", |(_, word, _)| word)
    }

    /// The toggle with this name.
    pub fn parse(word: &str) -> Option<Self> {
        TOGGLES.into_iter().find(|(_, known, _)| *known == word).map(|(toggle, ..)| toggle)
    }

    fn bit(self) -> u16 {
        match self {
            Self::TaskReminders => 1,
            Self::DailyBrief => 2,
            Self::UrgentAlerts => 4,
            Self::EventReminders => 8,
            Self::MorningKickoff => 16,
            Self::EveningRecap => 32,
        }
    }
}

impl Toggles {
    /// Whether a toggle is on.
    pub fn has(self, toggle: Toggle) -> bool {
        self.0 & toggle.bit() != 0
    }

    /// The same with a toggle switched on or off.
    #[must_use]
    pub fn with(self, toggle: Toggle, is_on: bool) -> Self {
        if is_on { Self(self.0 | toggle.bit()) } else { Self(self.0 & !toggle.bit()) }
    }

    /// Those that are on, one bit each.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The toggles with these bits; `None` when one of them is none of ours.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let known = Toggle::all().fold(0, |known, toggle| known | toggle.bit());
        (bits & !known == 0).then_some(Self(bits))
    }
}

impl Default for Toggles {
    fn default() -> Self {
        TOGGLES.into_iter().fold(Self(0), |toggles, (toggle, _, is_on)| toggles.with(toggle, is_on))
    }
}

/// When a user's quiet hours begin and end, unless they say otherwise.
const EVENING: LocalTime = at(22);
const MORNING: LocalTime = at(8);

const fn at(hour: u16) -> LocalTime {
    match LocalTime::from_minute(hour.saturating_mul(60)) {
        Some(time) => time,
        None => LocalTime::MIDNIGHT,
    }
}

impl Default for Preferences {
    /// What holds for a user until they say otherwise: quiet from 22:00 to 8:00, the deployment's limit and zone.
    fn default() -> Self {
        Self {
            toggles: Toggles::default(),
            quiet_hours: Some(Hours { start: EVENING, end: MORNING }),
            daily_limit: None,
            zone: None,
            lead_minutes: 15,
            kickoff_time: MORNING,
        }
    }
}
