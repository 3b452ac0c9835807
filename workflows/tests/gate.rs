//! What holds for every judgement of the gate, whoever the recipient is and whatever the hour.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use dunlin_workflows::consent::{How, Standing};
use dunlin_workflows::kind::{BUILT_IN, Kind, KindName, Kinds, VERIFICATION};
use dunlin_workflows::message::{Hold, Priority};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{
    Ban, Block, Case, Flow, Limits, OverDaily, Rate, Recipient, Ruling, Stream, Usage, Verified,
    ZoneByRegion, ZoneSource, bypasses, counts, judge, passes_quiet_hours, valid_until, whereabouts,
};
use dunlin_workflows::rules::{Rules, Sending};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Preferences, Toggle, Toggles};
use dunlin_workflows::zone::{Hours, LegalHours, LocalTime, OPEN_MINUTES, Windows, Zone};
use proptest::prelude::*;
use proptest::sample::select;

const START_MS: i64 = 1_795_435_200_000;

/// Everything that a case refers to.
#[derive(Debug, Clone)]
struct World {
    now: Timestamp,
    rules: Rules,
    recipient: Recipient,
    kind: Option<KindName>,
    priority: Priority,
    scheduled_for: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    is_counted: bool,
    has_turn: bool,
}

impl World {
    fn case(&self) -> Case<'_> {
        Case {
            now: self.now,
            rules: &self.rules,
            recipient: &self.recipient,
            kind: self.kind.as_ref(),
            priority: self.priority,
            may_bypass: false,
            scheduled_for: self.scheduled_for,
            expires_at: self.expires_at,
            is_counted: self.is_counted,
            has_turn: self.has_turn,
        }
    }

    fn is_code(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.as_str() == VERIFICATION)
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + minutes * 60_000)
}

fn zone() -> impl Strategy<Value = Option<Zone>> {
    let names = ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"];
    prop::option::weighted(0.8, select(names.to_vec()).prop_map(|name| name.parse().unwrap()))
}

fn hours() -> impl Strategy<Value = Hours> {
    let time = || (0_u16..48).prop_map(|half| LocalTime::from_minute(half * 30).unwrap());
    (time(), time()).prop_map(|(start, end)| Hours { start, end })
}

fn preferences() -> impl Strategy<Value = Preferences> {
    (0_u16..64, prop::option::of(hours()), prop::option::of(0_u16..4), zone()).prop_map(
        |(bits, quiet_hours, daily_limit, zone)| Preferences {
            toggles: Toggles::from_bits(bits).unwrap(),
            quiet_hours,
            daily_limit,
            zone,
            ..Preferences::default()
        },
    )
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let standing = prop_oneof![
        4 => Just(Standing::Unknown),
        1 => Just(Standing::OptedOut { since: at(-9), how: How::Keyword }),
        1 => Just(Standing::OptedIn { since: at(-9), how: How::Command }),
    ];
    let sent = prop::collection::vec(-2000_i64..0, 0..6);
    let said = (prop::option::weighted(0.8, preferences()), prop::bool::weighted(0.2));
    (standing, said, any::<bool>(), sent, zone()).prop_map(
        |(standing, (preferences, is_unreadable), is_verified, mut sent, elsewhere)| {
            sent.sort_unstable();
            let mut usage = Usage::default();
            let zone =
                preferences.and_then(|preferences| preferences.zone).or(elsewhere).unwrap_or(Zone::UTC);
            for minutes in sent {
                usage.count(zone.day(at(minutes)), at(minutes));
            }
            Recipient { standing, preferences, is_unreadable, is_verified, usage, ..Recipient::default() }
        },
    )
}

/// What went in every stream within the last hours, and how many may go.
fn traffic() -> impl Strategy<Value = (Vec<(Stream, Arc<Flow>)>, [Rate; 4])> {
    let limit = || prop::option::weighted(0.3, 0_u32..6);
    let rate = (limit(), limit(), limit()).prop_map(|(per_minute, per_hour, per_day)| Rate {
        per_minute,
        per_hour,
        per_day,
    });
    let went = prop::collection::vec(0_i64..3_000_000, 0..8);
    let streams = || {
        let number = PhoneNumber::from_digits(14_155_550_123).unwrap();
        let country = Stream::Country("US".parse().unwrap());
        [Stream::All, Stream::Sender(Arc::from("me")), country, Stream::Block(Block::of(number))]
    };
    (prop::array::uniform4((rate, went)), 0_i64..600_000).prop_map(move |(flows, now)| {
        let rates = flows.clone().map(|(rate, _)| rate);
        let flow = |(rate, mut ago): (Rate, Vec<i64>)| {
            let mut flow = Flow::default();
            ago.sort_unstable();
            for ago in ago.into_iter().rev() {
                flow.count(at(now % 1500).minus(Duration::from_millis(ago.unsigned_abs())), rate);
            }
            Arc::new(flow)
        };
        (streams().into_iter().zip(flows.map(flow)).collect(), rates)
    })
}

/// Times at which texts of low priority leave.
fn windows() -> impl Strategy<Value = Windows> {
    prop::collection::vec(0_u16..48, 1..4).prop_map(|halves| {
        let times = halves.into_iter().map(|half| LocalTime::from_minute(half * 30).unwrap().to_string());
        times.collect::<Vec<_>>().join(",").parse().unwrap()
    })
}

/// Whether one is open, by what the wall shows.
fn is_open(windows: &Windows, zone: Zone, now: Timestamp) -> bool {
    let minute = zone.wall(now).as_millis().div_euclid(60_000);
    let starts = windows.to_string();
    let starts = starts.split(',').map(|start| i64::from(start.parse::<LocalTime>().unwrap().minute()));
    starts.into_iter().any(|start| (minute - start).rem_euclid(24 * 60) < i64::from(OPEN_MINUTES))
}

fn limits() -> impl Strategy<Value = Limits> {
    let legal = select(vec![LegalHours::Tcpa, LegalHours::Strict, LegalHours::Off]);
    let over = select(vec![OverDaily::Hold, OverDaily::Drop]);
    let verified = select(vec![Verified::Required, Verified::NotRequired]);
    let rate = || prop::option::of(1_u16..4);
    let daily = prop::option::of(0_u16..4);
    (zone(), prop::option::of(hours()), legal, over, verified, daily, rate(), rate()).prop_map(
        |(zone, quiet_hours, legal_hours, over_daily, verified, daily, per_minute, per_hour)| Limits {
            zone,
            zone_by_region: ZoneByRegion::Off,
            quiet_hours,
            legal_hours,
            over_daily,
            verified,
            daily,
            per_minute,
            per_hour,
            ..Limits::default()
        },
    )
}

/// The built-in kinds, and one that is not essential.
fn kinds() -> Kinds {
    let custom = Kinds::default().get(None).unwrap().clone();
    let sale = Kind { essential: false, ..custom };
    Kinds::with([("sale".parse().unwrap(), sale)].into())
}

fn world() -> impl Strategy<Value = World> {
    let names: Vec<&str> = BUILT_IN.iter().map(|row| row.name).chain(["sale", "gone"]).collect();
    let kind = prop::option::weighted(0.8, select(names).prop_map(|name| name.parse().unwrap()));
    let priority = select(vec![Priority::Urgent, Priority::Normal, Priority::Low]);
    let minutes = || prop::option::weighted(0.3, (-600_i64..3000).prop_map(at));
    let sending = prop::bool::weighted(0.9);
    let asked = (kind, priority, minutes(), minutes(), prop::bool::weighted(0.2), any::<bool>());
    let same = prop::option::weighted(0.3, (-30_i64..30).prop_map(at));
    let low = prop::option::weighted(0.5, windows());
    let repeats = (same, prop::option::of(select(vec![1_u64, 20])), low);
    (0_i64..600_000, sending, limits(), recipient(), asked, traffic(), repeats).prop_map(
        |(
            now,
            sending,
            limits,
            recipient,
            asked,
            (flows, rates),
            (same_text, window, low_priority_hours),
        )| {
            let (kind, priority, scheduled_for, expires_at, is_counted, has_turn) = asked;
            let [global_rate, sender_rate, country, velocity] = rates;
            let country_rates = [("US".parse().unwrap(), country)].into();
            let duplicate_window = window.map(Duration::from_mins);
            let limits = Limits {
                global_rate,
                sender_rate,
                country_rates,
                velocity,
                duplicate_window,
                low_priority_hours,
                ..limits
            };
            let recipient = Recipient { flows, same_text, ..recipient };
            let sending = if sending { Sending::Enabled } else { Sending::Disabled };
            let rules = Rules { sending, limits, kinds: kinds(), ..Rules::default() };
            let now = at(now % 1500);
            World { now, rules, recipient, kind, priority, scheduled_for, expires_at, is_counted, has_turn }
        },
    )
}

fn is_quiet(hours: Option<Hours>, zone: Option<Zone>, at: Timestamp) -> bool {
    hours.zip(zone).is_some_and(|(hours, zone)| hours.quiet_until(at, zone).is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_sent_breaks_no_rule(world in world()) {
        let case = world.case();
        if judge(&case) != Ruling::Send {
            return Ok(());
        }
        let kind = case.kind().expect("a kind that is known");
        let known = &world.recipient;
        prop_assert!(!known.standing.is_out());
        prop_assert!(!known.is_unreadable || world.is_code(), "nobody knows whether they want it now");
        prop_assert!(world.scheduled_for.is_none_or(|at| at <= world.now));
        prop_assert!(world.expires_at.is_none_or(|at| at > world.now));
        prop_assert_eq!(world.rules.sending, Sending::Enabled);
        prop_assert!(known.is_verified || !kind.needs_verified || world.rules.limits.verified == Verified::NotRequired);
        if let (Some(toggle), Some(preferences)) = (kind.toggle, known.preferences) {
            prop_assert!(preferences.toggles.has(toggle));
        }
        let quiet = is_quiet(case.quiet_hours(), case.zone(), world.now);
        prop_assert!(!quiet || bypasses(&case));
        prop_assert!(!is_quiet(case.forbidden_hours(), case.zone(), world.now));
        if let (Some(windows), Priority::Low) = (&world.rules.limits.low_priority_hours, world.priority) {
            prop_assert!(is_open(windows, case.zone().unwrap(), world.now), "it is not urgent");
        }
        let asks_for_a_zone = case.forbidden_hours().is_some()
            || case.low_priority_hours().is_some()
            || (case.quiet_hours().is_some() && world.priority != Priority::Urgent);
        prop_assert!(!asks_for_a_zone || case.zone().is_some(), "an hour was guessed");
        if let (Some(limit), Some(day)) = (case.daily_limit(), counts(&case)) {
            prop_assert!(known.usage.on(day) < u32::from(limit));
        }
        if counts(&case).is_some() {
            for (window, limit) in [(1, world.rules.limits.per_minute), (60, world.rules.limits.per_hour)] {
                let since = world.now.minus(Duration::from_mins(window));
                let sent = known.usage.recent().iter().filter(|at| **at > since).count();
                prop_assert!(limit.is_none_or(|limit| sent < usize::from(limit)));
            }
        }
        if !world.is_counted {
            for (stream, flow) in &known.flows {
                let rate = world.rules.limits.rate_of(stream);
                let limits = [rate.per_minute, rate.per_hour, rate.per_day];
                for (went, limit) in flow.counted(world.now).into_iter().zip(limits) {
                    prop_assert!(limit.is_none_or(|limit| went < limit), "{:?} was full", stream);
                }
            }
            let window = world.rules.limits.duplicate_window;
            let is_same = known.same_text.zip(window).is_some_and(|(at, window)| {
                at > world.now.minus(window) && at < world.now.plus(window)
            });
            prop_assert!(!is_same || kind.may_repeat, "said twice");
        }
        if let Some(until) = valid_until(&case) {
            prop_assert!(until > world.now);
            for part in 1..20 {
                let then = world.now.plus(until.since(world.now) / 20 * part);
                prop_assert!(passes_quiet_hours(&case) || !is_quiet(case.quiet_hours(), case.zone(), then), "it could go out in quiet hours");
                prop_assert!(!is_quiet(case.forbidden_hours(), case.zone(), then));
            }
        }
    }

    #[test]
    fn what_waits_is_looked_at_again_and_what_is_forbidden_says_why(world in world()) {
        let case = world.case();
        match judge(&case) {
            Ruling::Hold { hold: Hold::SendingDisabled, until } => prop_assert_eq!(until, Timestamp::MAX),
            Ruling::Hold { hold, until } => {
                prop_assert!(until > world.now && until < Timestamp::MAX);
                prop_assert_eq!(hold.is_about_stream(), world.recipient.flow(hold).is_some(), "the evidence");
            }
            Ruling::Suppress(Ban::OptedOut { .. }) => prop_assert!(world.recipient.standing.is_out()),
            Ruling::Suppress(Ban::NotVerified) => prop_assert!(!world.recipient.is_verified),
            Ruling::Suppress(Ban::ToggledOff { toggle }) => {
                prop_assert!(!world.recipient.preferences.unwrap().toggles.has(toggle));
            }
            Ruling::Suppress(Ban::DailyLimit { limit }) => prop_assert_eq!(Some(limit), case.daily_limit()),
            Ruling::Suppress(Ban::Duplicate { since }) => prop_assert_eq!(Some(since), world.recipient.same_text),
            Ruling::Suppress(Ban::Country) => prop_assert!(false, "no country was named"),
            Ruling::Expire => prop_assert!(world.expires_at.unwrap() <= world.now),
            Ruling::Send => {}
        }
    }

    /// What nobody understands holds a text whatever was said before: it is neither sent nor lost for what the older
    /// preferences say.
    #[test]
    fn unreadable_preferences_hold_whatever_the_older_ones_say(world in world(), older in prop::option::of(preferences())) {
        let unreadable = |preferences| World {
            recipient: Recipient { preferences, is_unreadable: true, ..world.recipient.clone() },
            ..world.clone()
        };
        let (world, other) = (unreadable(world.recipient.preferences), unreadable(older));
        let ruling = judge(&world.case());
        let is_held = matches!(ruling, Ruling::Hold { hold: Hold::PreferencesUnreadable | Hold::Scheduled, .. });
        let is_over = ruling == Ruling::Expire || world.recipient.standing.is_out();
        prop_assert!(is_held || is_over || (world.is_code() && world.priority == Priority::Urgent), "{:?}", ruling);
        prop_assert!(!is_held || judge(&other.case()) == ruling);
    }

    /// What is not urgent goes in the first minute in which its times, quiet hours and the law let it, and in no other; or it
    /// expires before. A slow walk from minute to minute is the judge.
    #[test]
    fn low_priority_goes_in_the_first_minute_that_every_hour_leaves_it(
        windows in windows(),
        quiet in prop::option::of(hours()),
        essential: bool,
        zone in zone(),
        start in 0_i64..600_000,
        expires in prop::option::of(1_i64..2880),
    ) {
        let zone = zone.unwrap_or(Zone::UTC);
        let limits = Limits { low_priority_hours: Some(windows.clone()), daily: None, ..Limits::default() };
        let rules = Rules { limits, kinds: kinds(), ..Rules::default() };
        let preferences = Preferences { quiet_hours: quiet, zone: Some(zone), ..Preferences::default() };
        let mut world = World {
            now: at(start),
            rules,
            recipient: Recipient { preferences: Some(preferences), ..Recipient::default() },
            kind: (!essential).then(|| "sale".parse().unwrap()),
            priority: Priority::Low,
            scheduled_for: None,
            expires_at: expires.map(|minutes| at(start + minutes)),
            is_counted: false,
            has_turn: false,
        };
        let (quiet, law) = (world.case().quiet_hours(), world.case().forbidden_hours());
        let lets = |now| {
            is_open(&windows, zone, now) && !is_quiet(quiet, Some(zone), now) && !is_quiet(law, Some(zone), now)
        };
        let end = expires.unwrap_or(3 * 1440);
        let first = (0..end).map(|minutes| at(start + minutes)).find(|now| lets(*now));
        let sent = loop {
            match judge(&world.case()) {
                Ruling::Send => break Some(world.now),
                Ruling::Hold { hold, until } => {
                    prop_assert!(matches!(hold, Hold::LowPriorityHours | Hold::QuietHours | Hold::LegalHours), "{:?}", hold);
                    prop_assert!(until > world.now);
                    world.now = world.expires_at.map_or(until, |at| at.min(until));
                }
                Ruling::Expire => break None,
                Ruling::Suppress(_) => prop_assert!(false, "nothing forbids it"),
            }
            if world.now >= at(start + end) {
                prop_assert!(world.expires_at.is_none() || judge(&world.case()) == Ruling::Expire);
                break None;
            }
        };
        prop_assert_eq!(sent, first);
    }

    #[test]
    fn times_of_low_priority_are_nothing_to_any_other(world in world()) {
        let mut without = world.clone();
        without.rules.limits.low_priority_hours = None;
        if world.priority != Priority::Low {
            prop_assert_eq!(judge(&world.case()), judge(&without.case()));
        } else if judge(&world.case()) == Ruling::Send {
            prop_assert_eq!(judge(&without.case()), Ruling::Send);
        }
    }

    /// Being urgent passes quiet hours and nothing else.
    #[test]
    fn urgent_changes_nothing_but_quiet_hours(world in world()) {
        let calm = World { priority: Priority::Normal, ..world.clone() };
        let urgent = World { priority: Priority::Urgent, ..world };
        match judge(&calm.case()) {
            Ruling::Hold { hold: Hold::QuietHours | Hold::ZoneUnknown, .. } => {}
            // Nobody holds a code, unless it can wait.
            Ruling::Hold { hold: Hold::PreferencesUnreadable, .. } if urgent.is_code() => {}
            ruling => prop_assert_eq!(judge(&urgent.case()), ruling),
        }
        let wants = urgent.recipient.preferences.is_none_or(|known| known.toggles.has(Toggle::UrgentAlerts));
        let kind = urgent.case().kind();
        if bypasses(&urgent.case()) {
            prop_assert!(kind.is_some_and(|kind| kind.may_bypass && (wants || !kind.counts)));
        }
    }

    /// However often the gate is asked and whatever the clock does: never more than the limit on a local day.
    #[test]
    fn daily_limit_is_exact_under_a_clock_that_jumps(
        limit in 0_u16..5,
        zone in zone(),
        jumps in prop::collection::vec(-300_i64..300, 1..120),
    ) {
        let zone = zone.unwrap_or(Zone::UTC);
        let preferences = Preferences { daily_limit: Some(limit), zone: Some(zone), quiet_hours: None, ..Preferences::default() };
        let rules = Rules::default();
        let mut recipient = Recipient { preferences: Some(preferences), ..Recipient::default() };
        let (mut minutes, mut sent) = (0, std::collections::BTreeMap::new());
        for jump in jumps {
            minutes = (minutes + jump).clamp(0, 2880);
            let world = World {
                now: at(minutes), rules: rules.clone(), recipient: recipient.clone(), kind: None,
                priority: Priority::Urgent, scheduled_for: None, expires_at: None, is_counted: false, has_turn: true,
            };
            if judge(&world.case()) == Ruling::Send {
                let day = counts(&world.case()).unwrap();
                recipient.usage.count(day, at(minutes));
                *sent.entry(zone.day(at(minutes))).or_insert(0_u32) += 1;
            }
        }
        prop_assert!(sent.values().all(|count| *count <= u32::from(limit)), "{:?}", sent);
    }
}

#[test]
fn text_that_was_attempted_before_is_not_held_by_what_it_counts_for() {
    let mut usage = Usage::default();
    usage.count(Zone::UTC.day(at(0)), at(0));
    let preferences = Preferences {
        daily_limit: Some(1),
        zone: Some(Zone::UTC),
        quiet_hours: None,
        ..Preferences::default()
    };
    let recipient = Recipient { preferences: Some(preferences), usage, ..Recipient::default() };
    let limits = Limits { per_minute: Some(1), ..Limits::default() };
    let rules = Rules { limits, ..Rules::default() };
    let world = |is_counted| World {
        now: at(0),
        rules: rules.clone(),
        recipient: recipient.clone(),
        kind: None,
        priority: Priority::Normal,
        scheduled_for: None,
        expires_at: None,
        is_counted,
        has_turn: true,
    };
    assert_eq!(judge(&world(true).case()), Ruling::Send);
    assert_eq!(counts(&world(true).case()), None, "it counts once");
    assert!(matches!(judge(&world(false).case()), Ruling::Hold { hold: Hold::DailyLimit, .. }));
}

#[test]
fn number_says_where_somebody_is_after_they_and_before_the_deployment_do_and_only_if_it_may() {
    let [tokyo, new_york, copenhagen] =
        ["Asia/Tokyo", "America/New_York", "Europe/Copenhagen"].map(|name| name.parse::<Zone>().unwrap());
    let [denmark, states] = ["DK", "US"].map(|code| code.parse().unwrap());
    let on = Limits { zone_by_region: ZoneByRegion::On, zone: Some(new_york), ..Limits::default() };
    let off = Limits { zone_by_region: ZoneByRegion::Off, ..on.clone() };
    let nowhere = Limits { zone: None, ..on.clone() };
    let said = Preferences { zone: Some(tokyo), ..Preferences::default() };
    let unsaid = Preferences::default();
    let default = Some((new_york, ZoneSource::Deployment));
    for (preferences, region, limits, expected) in [
        (Some(&said), Some(denmark), &on, Some((tokyo, ZoneSource::Preferences))),
        (Some(&unsaid), Some(denmark), &on, Some((copenhagen, ZoneSource::Region(denmark)))),
        (None, Some(denmark), &on, Some((copenhagen, ZoneSource::Region(denmark)))),
        (Some(&unsaid), Some(states), &on, default),
        (Some(&unsaid), None, &on, default),
        (Some(&unsaid), Some(denmark), &off, default),
        (Some(&unsaid), Some(states), &nowhere, None),
        (Some(&unsaid), None, &nowhere, None),
    ] {
        assert_eq!(whereabouts(preferences, region, limits), expected, "{region:?}");
    }
}
