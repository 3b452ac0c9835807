//! The rows about the product's own server, and about failures that repeat.

use super::Fallback::{Text, Unset};
use super::table::{plain, secret};
use super::{Name, Setting};

pub(super) const URL: Setting = plain(
    Name::EventsUrl,
    &["DUNLIN_EVENTS_URL"],
    Unset,
    "https://HOST/PATH, or http on loopback",
    "where your server is told what became of texts, one signed POST an event; the first time from then on",
);

pub(super) const SECRET: Setting = secret(
    Name::EventsSecret,
    &["DUNLIN_EVENTS_SECRET"],
    "what events are signed with: whsec_ and base64 of 24 to 64 bytes; several with | while one is replaced",
);

pub(super) const TIMEOUT: Setting = plain(
    Name::EventsTimeout,
    &["DUNLIN_EVENTS_TIMEOUT"],
    Text("15s"),
    "duration from 1s to 1m",
    "longest time for your server's answer; what is not answered with 2xx by then is told again",
);

pub(super) const ALARM_FAILURES: Setting = plain(
    Name::AlarmFailures,
    &["DUNLIN_ALARM_FAILURES"],
    Text("5"),
    "2 to 1000, or off",
    "so many failures for the same reason within DUNLIN_ALARM_WINDOW are an alarm, if the reason is not the recipient's",
);

pub(super) const ALARM_WINDOW: Setting = plain(
    Name::AlarmWindow,
    &["DUNLIN_ALARM_WINDOW"],
    Text("10m"),
    "duration from 1s to 24h",
    "how long a failure counts for an alarm, and how long there must be none until it is over",
);
