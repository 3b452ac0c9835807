//! People with users: what they prefer and where they are, changing under way; phones that race for one number;
//! and the judge's own idea of who may be texted when. It shares no rule with the engine.

use std::collections::BTreeMap;

use dunlin::engine::ask::{Ask, UserAsk};
use dunlin_workflows::id::{MessageNumber, PersonNumber, UserNumber};
use dunlin_workflows::message::{Priority, Terms};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{Limits, Verified};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Changes, Event, Preferences, TOGGLES, Toggle, User};
use dunlin_workflows::zone::{LocalTime, Zone};
use fastrand::Rng;
use tokio::sync::oneshot;

use crate::people::Reply;
use crate::plan::{Defect, Wished};
use crate::streams;
use crate::world::{Happening, World};
use crate::zones::{Change, DAY_MINUTES, MINUTE_MS, PLACES, Place};

/// What somebody says about a user.
#[derive(Debug, Clone)]
pub(crate) struct Preferred {
    pub(crate) at: u64,
    to: u64,
    said: Said,
}

#[derive(Debug, Clone)]
enum Said {
    /// All that they prefer.
    Prefers {
        zone: Option<usize>,
        quiet: Option<(u16, u16)>,
        limit: Option<u16>,
        toggles: [bool; Toggle::COUNT],
    },
    /// The number is theirs; the other user says so too.
    Proves { rival: bool },
}

/// What users of the recipients of these wishes say: half of the worlds are without.
pub(crate) fn preferred(seed: u64, wishes: &[Wished], span: u64, change: Option<Change>) -> Vec<Preferred> {
    let mut rng = Rng::with_seed(seed ^ 0x0b5e_55ed);
    if rng.bool() {
        return Vec::new();
    }
    let mut numbers: Vec<u64> = wishes.iter().map(|wish| wish.to).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut said = Vec::new();
    for to in numbers {
        for _ in 0..rng.u32(0..4) {
            let what = if rng.u32(0..3) == 0 {
                Said::Proves { rival: rng.bool() }
            } else {
                prefers(&mut rng, change)
            };
            said.push(Preferred { at: rng.u64(0..span), to, said: what });
        }
        // In the end everybody says where they are, so that nothing waits for that for ever.
        let zone = Some(rng.usize(0..PLACES.len()));
        let rest =
            Said::Prefers { zone, quiet: None, limit: Some(rng.u16(1..6)), toggles: [true; Toggle::COUNT] };
        said.push(Preferred { at: span + 60_000, to, said: rest });
    }
    said
}

/// Most live where a clock is changed, if one is, and are quiet about then.
fn prefers(rng: &mut Rng, change: Option<Change>) -> Said {
    let change = change.filter(|_| rng.u32(0..4) > 0);
    let mut time = |near: Option<i64>| {
        let minute = near.map_or(rng.i64(0..DAY_MINUTES), |near| near + rng.i64(-120..=120));
        u16::try_from(minute.rem_euclid(DAY_MINUTES)).unwrap_or(0)
    };
    let about = change.map(|change| PLACES[change.place].minute(change.at_ms));
    let quiet = (time(about), time(about));
    let mut toggles = TOGGLES.map(|(_, _, is_on)| is_on);
    for is_on in &mut toggles {
        *is_on ^= rng.u32(0..4) == 0;
    }
    Said::Prefers {
        zone: (rng.u32(0..5) > 0).then(|| change.map_or(rng.usize(0..PLACES.len()), |change| change.place)),
        quiet: rng.bool().then_some(quiet),
        limit: rng.bool().then(|| rng.u16(0..4)),
        toggles,
    }
}

/// What a world demands of every text.
pub(crate) fn limits(seed: u64) -> Limits {
    let mut rng = Rng::with_seed(seed ^ 0x11_3175);
    let mut rate = |most| (rng.u32(0..3) == 0).then(|| rng.u16(1..=most));
    let (per_minute, per_hour) = (rate(2), rate(4));
    let verified = if rng.u32(0..8) == 0 { Verified::Required } else { Verified::NotRequired };
    let low_priority_hours = (rng.u32(0..4) == 0).then(|| {
        let hour = rng.u32(0..12);
        format!("{hour:02}:30,{:02}:00", hour + rng.u32(1..12)).parse().unwrap()
    });
    // Where nobody says where people are, what leaves at their hour never would.
    let zone = low_priority_hours.is_some().then(|| rng.choice(&PLACES).unwrap().name.parse().unwrap());
    streams::limits(
        seed,
        Limits { per_minute, per_hour, verified, low_priority_hours, zone, ..Limits::default() },
    )
}

/// What a wish is about, and whether it names its user.
pub(crate) fn about(seed: u64, n: usize) -> (Option<&'static str>, bool) {
    let mut rng = Rng::with_seed(seed ^ 0xab_0c75 ^ (n as u64));
    let kind = rng.choice([None, None, Some("urgent_alert"), Some("daily_brief"), Some("task_reminder")]);
    (kind.flatten(), rng.bool())
}

pub(crate) fn user_id(to: u64) -> String {
    format!("user-{to}")
}

/// Another user who says that the number is theirs.
pub(crate) fn rival_id(to: u64) -> String {
    format!("rival-{to}")
}

/// What the judge knows of users, and of what was sent to whom.
#[derive(Debug, Default)]
pub(crate) struct Users {
    known: BTreeMap<u64, Known>,
    messages: BTreeMap<MessageNumber, About>,
    /// First attempts, by person and local day.
    days: BTreeMap<(PersonNumber, i64), u32>,
    /// First attempts, by person.
    first: BTreeMap<PersonNumber, Vec<i64>>,
    /// Where everybody is of whom nobody said it, as of the newest attempt.
    home: Option<Zone>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    preferences: Option<Preferences>,
    is_unreadable: bool,
    number: Option<PersonNumber>,
    is_proven: bool,
}

#[derive(Debug, Clone)]
struct About {
    person: PersonNumber,
    user: Option<UserNumber>,
    kind: Option<String>,
    priority: Priority,
}

impl Users {
    /// The journal tells of a user.
    pub(crate) fn told(&mut self, number: u64, event: &Event) -> Result<(), String> {
        if let Event::NumberVerified { person } = event {
            let owner = self.known.iter().find(|(other, known)| **other != number && known.owns(*person));
            if let Some((owner, _)) = owner {
                return Err(format!("user {number} proved the number of user {owner}"));
            }
        }
        let known = self.known.entry(number).or_default();
        match event {
            Event::PreferencesChanged { preferences } => {
                (known.preferences, known.is_unreadable) = (Some(*preferences), false);
            }
            Event::PreferencesUnreadable => known.is_unreadable = true,
            Event::NumberChanged { person } => (known.number, known.is_proven) = (*person, false),
            Event::NumberVerified { person } => (known.number, known.is_proven) = (Some(*person), true),
            Event::Met | Event::Remarked { .. } => {}
            Event::Erased { .. } => *known = Known::default(),
        }
        Ok(())
    }

    pub(crate) fn begun(&mut self, number: MessageNumber, terms: &Terms) {
        let kind = terms.kind.as_ref().map(|kind| kind.as_str().to_owned());
        let (person, user, priority) = (terms.person, terms.user, terms.priority);
        self.messages.insert(number, About { person, user, kind, priority });
    }

    /// The user to whom a message belongs: the one it names, or whoever has proven the number.
    fn of(&self, about: &About) -> Option<Known> {
        let named = about.user.and_then(|user| self.known.get(&user.get()));
        if about.user.is_some() {
            return named.copied();
        }
        self.known.values().find(|known| known.owns(about.person)).copied()
    }

    /// Whether the number of a message's recipient is proven to be theirs to whom it belongs.
    pub(crate) fn is_proven(&self, number: MessageNumber) -> bool {
        let Some(about) = self.messages.get(&number) else { return false };
        self.of(about).is_some_and(|known| known.owns(about.person))
    }

    /// An attempt begins, the so many-th of its message: did its recipient allow it, then?
    pub(crate) fn starts(
        &mut self,
        number: MessageNumber,
        attempt: u32,
        at: Timestamp,
        limits: &Limits,
    ) -> Result<(), String> {
        let Some(about) = self.messages.get(&number).cloned() else { return Ok(()) };
        let known = self.of(&about);
        let ms = at.as_millis();
        self.home = limits.zone;
        let is_proven = known.is_some_and(|known| known.owns(about.person));
        if limits.verified == Verified::Required && !is_proven && !about.is_code() {
            return Err("texted a number that nobody proved".into());
        }
        if known.is_some_and(|known| known.is_unreadable) && !about.is_code() {
            return Err("texted somebody whose preferences nobody understands".into());
        }
        let preferences = known.and_then(|known| known.preferences);
        if let Some(windows) = limits.low_priority_hours.as_ref().filter(|_| about.priority == Priority::Low)
        {
            let place = zone_of(preferences.as_ref(), limits.zone).ok_or("an hour was guessed")?;
            let minute = place.minute(ms);
            if !is_open(&windows.to_string(), minute) {
                return Err(format!(
                    "texted at minute {minute}, which is none of {windows} for half an hour"
                ));
            }
        }
        if let Some(preferences) = preferences {
            if about.kind.as_deref() == Some("daily_brief") && !preferences.toggles.has(Toggle::DailyBrief) {
                return Err("texted what they switched off".into());
            }
            if let Some(hours) = quiet(&preferences).filter(|_| !passes(&about, &preferences)) {
                let minute =
                    zone_of(Some(&preferences), limits.zone).ok_or("an hour was guessed")?.minute(ms);
                if is_quiet(hours, minute) {
                    let (start, end) = hours;
                    return Err(format!("texted in quiet hours, at minute {minute} of {start} to {end}"));
                }
            }
        }
        let counts = attempt == 1 && !about.is_code();
        if counts { self.count(&about, preferences, ms, limits) } else { Ok(()) }
    }

    fn count(
        &mut self,
        about: &About,
        preferences: Option<Preferences>,
        ms: i64,
        limits: &Limits,
    ) -> Result<(), String> {
        if let Some(preferences) = preferences {
            let day = zone_of(Some(&preferences), limits.zone).ok_or("a day was guessed")?.day(ms);
            let sent = self.days.entry((about.person, day)).or_default();
            *sent += 1;
            let limit = preferences.daily_limit.unwrap_or(10);
            if *sent > u32::from(limit) {
                return Err(format!("text {sent} of a day whose limit is {limit}"));
            }
        }
        let first = self.first.entry(about.person).or_default();
        // By a clock that was set back nobody can tell what happened within an hour.
        if first.last().is_some_and(|last| ms < *last) {
            first.clear();
        }
        first.push(ms);
        for (window, limit) in [(MINUTE_MS, limits.per_minute), (60 * MINUTE_MS, limits.per_hour)] {
            let sent = first.iter().filter(|at| **at > ms - window && **at <= ms).count();
            if limit.is_some_and(|limit| sent > usize::from(limit)) {
                return Err(format!("text {sent} within {window} ms"));
            }
        }
        Ok(())
    }

    /// When the recipient's quiet hours begin next; `None` when they have none, or this text passes them.
    pub(crate) fn quiet_starts(&self, number: MessageNumber, wall: Timestamp) -> Option<Timestamp> {
        let about = self.messages.get(&number)?;
        let preferences = self.of(about)?.preferences.filter(|known| !passes(about, known))?;
        let hours = quiet(&preferences)?;
        let is_quiet = |wall: i64| is_quiet(hours, wall.rem_euclid(DAY_MINUTES));
        zone_of(Some(&preferences), self.home)?.next(wall.as_millis(), is_quiet).map(Timestamp::from_millis)
    }
}

impl Known {
    fn owns(&self, person: PersonNumber) -> bool {
        self.is_proven && self.number == Some(person)
    }
}

/// Where they are: as they say, or as the deployment says of everybody.
fn zone_of(preferences: Option<&Preferences>, home: Option<Zone>) -> Option<&'static Place> {
    Place::named(preferences.and_then(|preferences| preferences.zone).or(home)?.name())
}

/// Whether half an hour has not passed since one of these times.
fn is_open(times: &str, minute: i64) -> bool {
    let since = |time: &str| {
        let (hours, minutes) = time.split_once(':').unwrap();
        minute - hours.parse::<i64>().unwrap() * 60 - minutes.parse::<i64>().unwrap()
    };
    times.split(',').any(|time| since(time).rem_euclid(DAY_MINUTES) < 30)
}

/// Whether a minute of the day is quiet.
fn is_quiet((start, end): (i64, i64), minute: i64) -> bool {
    if start < end { (start..end).contains(&minute) } else { minute >= start || minute < end }
}

fn quiet(preferences: &Preferences) -> Option<(i64, i64)> {
    let hours = preferences.quiet_hours?;
    let (start, end) = (i64::from(hours.start.minute()), i64::from(hours.end.minute()));
    (start != end).then_some((start, end))
}

/// Whether a text passes quiet hours. Whoever waits for a code gets it at any hour.
fn passes(about: &About, preferences: &Preferences) -> bool {
    let is_wanted = preferences.toggles.has(Toggle::UrgentAlerts);
    let is_alert = about.kind.as_deref() == Some("urgent_alert") && is_wanted;
    about.priority == Priority::Urgent && (is_alert || about.is_code())
}

impl About {
    fn is_code(&self) -> bool {
        self.kind.as_deref() == Some("verification")
    }
}

impl World {
    /// Somebody says something about a user, and again when nobody answers.
    pub(crate) fn prefer(&mut self, n: usize) {
        if self.process.is_none() || self.is_frozen() {
            self.prefer_again(n);
            return;
        }
        let Preferred { to, said, .. } = self.plan.users[n].clone();
        self.say(|| format!("user of {to}: {said:?}"));
        let number = PhoneNumber::from_digits(to).unwrap();
        let (id, ask) = match said {
            Said::Prefers { zone, quiet, limit, toggles } => {
                let time = |minute| LocalTime::from_minute(minute).unwrap();
                let changes = Changes {
                    toggles: toggles.map(Some),
                    quiet_start: Some(quiet.map(|(start, _)| time(start))),
                    quiet_end: Some(quiet.map(|(_, end)| time(end))),
                    daily_limit: Some(limit),
                    zone: Some(zone.map(|zone| PLACES[zone].name.parse().unwrap())),
                    ..Changes::default()
                };
                let number = Some(Some(number));
                (
                    user_id(to),
                    UserAsk::Change { changes: Box::new(changes), number, is_proven: false, seen: None },
                )
            }
            Said::Proves { rival: true } => (rival_id(to), UserAsk::Verify { number }),
            Said::Proves { rival: false } => (user_id(to), UserAsk::Verify { number }),
        };
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Preferred(n, answer));
        self.ask(Ask::User { id: id.parse().unwrap(), ask, origin: Source::Api.into(), reply });
    }

    pub(crate) fn prefer_again(&mut self, n: usize) {
        let wait = self.rng.u64(1000..60_000);
        self.after(wait, Happening::Prefer(n));
    }

    /// The engine answered. Planted bugs: where texts meet the gate, nothing is known of what a user prefers, or of
    /// what they have proven.
    pub(crate) fn preferred(&mut self, n: usize) {
        let Preferred { to, said, .. } = self.plan.users[n].clone();
        match said {
            Said::Proves { rival } => self.forget_proof(&if rival { rival_id(to) } else { user_id(to) }),
            Said::Prefers { .. } if self.plan.defect == Some(Defect::PreferencesForgotten) => {
                self.forget(&user_id(to), |known| User { preferences: None, ..known });
            }
            Said::Prefers { .. } => {}
        }
    }

    /// A number was proven to be this user's.
    pub(crate) fn forget_proof(&mut self, id: &str) {
        if self.plan.defect == Some(Defect::ProofForgotten) {
            self.forget(id, |known| User { number: None, ..known });
        }
    }

    fn forget(&mut self, id: &str, what: impl Fn(User) -> User) {
        let Some(process) = &self.process else { return };
        let wall = dunlin::clock::Clock::wall(&*self.time);
        let id = id.parse().unwrap();
        let forgotten = process.store.commit(|batch| {
            let Some(user) = batch.user(&id)? else { return Ok(()) };
            let after = what(batch.instance::<dunlin_storage::Users>(user.get())?.unwrap_or_default());
            let event = Event::Remarked { reason: "forgotten".parse().unwrap() };
            let told = dunlin_storage::Told::<dunlin_storage::Users> {
                at: wall,
                by: Source::Api.into(),
                event: &event,
                after: &after,
                secret: None,
            };
            batch.record_instance(user.get(), &told).map(|_| ())
        });
        if let Err(error) = forgotten {
            self.say(|| format!("the bug could not be planted: {error}"));
        } else {
            self.observe(true);
        }
    }
}
