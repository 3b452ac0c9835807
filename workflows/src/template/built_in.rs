//! The templates that every deployment starts with. They are written as any other, and may be changed as any other.

use std::collections::BTreeMap;

use crate::template::{Content, LENGTH_DEFAULT, Variable, VariableKind, VariableName};

/// A template to start with.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// What it is called.
    pub key: &'static str,
    name: &'static str,
    text: &'static str,
    /// Names, how many characters of them are shown, and whether they must be given.
    words: &'static [(&'static str, u16, bool)],
    numbers: &'static [&'static str],
    may_bypass: bool,
}

impl BuiltIn {
    /// What it says.
    pub fn content(&self) -> Content {
        let words = self.words.iter().map(|(name, length_max, is_required)| {
            (*name, Variable { is_required: *is_required, ..Variable::words(*length_max) })
        });
        let numbers = self.numbers.iter().map(|name| (*name, Variable::of(VariableKind::Integer)));
        let named = words.chain(numbers).filter_map(|(name, variable)| Some((name.parse().ok()?, variable)));
        let variables: BTreeMap<VariableName, Variable> = named.collect();
        Content {
            name: self.name.into(),
            description: None,
            text: self.text.into(),
            locales: BTreeMap::new(),
            variables,
            length_max: LENGTH_DEFAULT,
            may_bypass: self.may_bypass,
        }
    }
}

/// Every template to start with. Keys and variables are those that products built on the system which Dunlin takes the
/// place of know; the wording is ours, in letters of the GSM-7 alphabet, each with the name of its variables filled at
/// most 160 characters long.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        key: "task_reminder",
        name: "A task is due",
        text: "Reminder: {{ task_name }} is due {{ due_time }}.{% if task_context %} {{ task_context }}{% endif %}",
        words: &[("task_name", 60, true), ("due_time", 30, true), ("task_context", 40, false)],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "daily_brief_ready",
        name: "The daily brief is ready",
        text: "Your brief for today is ready.{% if main_focus %} First up: {{ main_focus }}.{% endif %} Open the app to read it.",
        words: &[("main_focus", 80, false)],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "urgent_task",
        name: "A task needs attention now",
        text: "Urgent: {{ task_name }} needs you now, due {{ due_date }}. Text STOP to end these.",
        words: &[("task_name", 60, true), ("due_date", 30, true)],
        numbers: &[],
        may_bypass: true,
    },
    BuiltIn {
        key: "welcome_sms",
        name: "Welcome",
        text: "Welcome! Reminders and alerts will come to this number. Text HELP for help, STOP to end them.",
        words: &[],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "notif_user_signup",
        name: "Somebody signed up",
        text: "New sign-up: {{ user_email }}{% if signup_method %} by {{ signup_method }}{% endif %}.",
        words: &[("user_email", 100, true), ("signup_method", 30, false)],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "notif_brief_completed",
        name: "A brief was written",
        text: "Your brief for {{ brief_date }} is done: {{ task_count }} {% if task_count == 1 %}task{% else %}tasks{% endif %}.",
        words: &[("brief_date", 30, true)],
        numbers: &["task_count"],
        may_bypass: false,
    },
    BuiltIn {
        key: "notif_brief_failed",
        name: "A brief could not be written",
        text: "Your brief{% if brief_date %} for {{ brief_date }}{% endif %} could not be made. It will be tried again; the app has your tasks.",
        words: &[("brief_date", 30, false)],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "notif_task_due_soon",
        name: "A task is due soon",
        text: "Due {{ due_time }}: {{ task_name }}",
        words: &[("task_name", 100, true), ("due_time", 30, true)],
        numbers: &[],
        may_bypass: false,
    },
    BuiltIn {
        key: "notif_urgent_alert",
        name: "An urgent alert",
        text: "Urgent: {{ alert_message }}",
        words: &[("alert_message", 150, true)],
        numbers: &[],
        may_bypass: true,
    },
    BuiltIn {
        key: "notif_project_milestone",
        name: "A milestone was reached",
        text: "{{ project_name }} reached a milestone: {{ milestone_name }}. Well done!",
        words: &[("project_name", 50, true), ("milestone_name", 60, true)],
        numbers: &[],
        may_bypass: false,
    },
];
