//! The kinds that every deployment has.

use std::time::Duration;

use crate::kind::Kind;
use crate::message::Priority;
use crate::user::Toggle;

/// The kind of messages that name none.
pub const CUSTOM: &str = "custom";

/// The kind of texts with codes: nobody but the gate and their recipient reads them.
pub const VERIFICATION: &str = "verification";

/// One built-in kind.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    toggle: Option<Toggle>,
    template: Option<&'static str>,
    priority: Priority,
    expires_after_hours: Option<u64>,
    may_bypass: bool,
    needs_verified: bool,
}

impl Row {
    pub(super) fn kind(&self) -> Kind {
        Kind {
            toggle: self.toggle,
            template: self.template.map(Into::into),
            priority: self.priority,
            expires_after: self
                .expires_after_hours
                .map(|hours| Duration::from_secs(hours.saturating_mul(3600))),
            essential: true,
            may_bypass: self.may_bypass,
            needs_verified: self.needs_verified,
            // Whoever waits for the code that proves a number must get it.
            counts: self.needs_verified,
            // The provider's codes are drawn again, and whoever asks twice gets two.
            may_repeat: !self.needs_verified,
        }
    }
}

/// Every built-in kind. Recipients ask for the first three by their preferences, so they are essential in the sense
/// of the law of solicitations; a deployment that sends marketing names kinds of its own that are not.
pub const BUILT_IN: &[Row] = &[
    Row {
        name: "task_reminder",
        toggle: Some(Toggle::TaskReminders),
        template: Some("task_reminder"),
        priority: Priority::Normal,
        expires_after_hours: Some(12),
        may_bypass: false,
        needs_verified: true,
    },
    Row {
        name: "daily_brief",
        toggle: Some(Toggle::DailyBrief),
        template: Some("daily_brief_ready"),
        priority: Priority::Low,
        expires_after_hours: Some(12),
        may_bypass: false,
        needs_verified: true,
    },
    Row {
        name: "urgent_alert",
        toggle: None,
        template: Some("notif_urgent_alert"),
        priority: Priority::Urgent,
        expires_after_hours: Some(24),
        may_bypass: true,
        needs_verified: true,
    },
    Row {
        name: VERIFICATION,
        toggle: None,
        template: None,
        priority: Priority::Urgent,
        expires_after_hours: None,
        may_bypass: true,
        needs_verified: false,
    },
    Row {
        name: CUSTOM,
        toggle: None,
        template: None,
        priority: Priority::Normal,
        expires_after_hours: None,
        may_bypass: false,
        needs_verified: true,
    },
];
