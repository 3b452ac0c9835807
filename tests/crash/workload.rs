//! What is asked of the daemon: texts of every kind, drawn from the seed.

use std::time::Duration;

use dunlin_workflows::message::{OnUnknown, Priority};

/// Recipients whose texts come to a certain bad end at the carrier, two by refusal.
const TROUBLED: [&str; 4] = ["+15005550001", "+15005550004", "+15005551003", "+15005551006"];

/// One text that somebody wants to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The idempotency key: its own.
    pub(crate) key: String,
    pub(crate) to: String,
    /// The text: its own, but for twins.
    pub(crate) body: String,
    pub(crate) priority: Priority,
    pub(crate) on_unknown: OnUnknown,
    /// When it is asked for, counted from the start of the load.
    pub(crate) asked_after: Duration,
    /// Not before this long after it is asked for.
    pub(crate) scheduled_after: Option<Duration>,
    /// Not this long after it is asked for.
    pub(crate) expires_after: Option<Duration>,
    pub(crate) then: Then,
    /// Whether the caller repeats the request after the answer, to see that nothing comes of it.
    pub(crate) repeated: bool,
}

/// What the caller does after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Cancel { after: Duration },
    Reschedule { after: Duration, ahead: Duration },
}

/// Draws `count` wishes, asked for over `window`, in the order in which they are asked for.
pub(crate) fn draw(count: u32, window: Duration, seed: u64, random: &mut fastrand::Rng) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    for number in 0..count {
        let mut wish = one(number, count, window, seed, random);
        // A twin says the same to the same person: the carrier's list can't tell them apart.
        if let Some(elder) = wishes.last().filter(|_| random.u8(..100) < 2) {
            wish.to.clone_from(&elder.to);
            wish.body.clone_from(&elder.body);
        }
        wishes.push(wish);
    }
    wishes.sort_by_key(|wish| wish.asked_after);
    wishes
}

fn one(number: u32, count: u32, window: Duration, seed: u64, random: &mut fastrand::Rng) -> Wish {
    let mut chance = |percent: u8| random.u8(..100) < percent;
    let (troubled, scheduled, expires, resend) = (chance(3), chance(30), chance(15), chance(30));
    let (cancels, reschedules, repeated) = (chance(6), chance(6), chance(10));
    let mut ms = |from: u64, to: u64| Duration::from_millis(random.u64(from..to));
    let asked_after = ms(0, u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
    let scheduled_after = scheduled.then(|| ms(500, 8_000));
    // Some expire while they wait, some in a queue, most not at all.
    let expires_after = expires.then(|| scheduled_after.unwrap_or_default() + ms(50, 6_000));
    let then = match (cancels, reschedules) {
        (true, _) => Then::Cancel { after: ms(0, 3_000) },
        (false, true) => Then::Reschedule { after: ms(0, 3_000), ahead: ms(500, 5_000) },
        (false, false) => Then::Nothing,
    };
    // Three texts to each person, so that lists hold more than one and people must take turns.
    let person = 2_000_000 + random.u32(..count.div_ceil(3));
    let to = if troubled {
        random.choice(TROUBLED).unwrap_or_default().to_owned()
    } else {
        format!("+1555{person}")
    };
    Wish {
        key: format!("crash-{seed}-{number}"),
        to,
        body: format!("Text {number} of {count}: the train leaves at eight."),
        priority: random
            .choice([Priority::Urgent, Priority::High, Priority::Normal, Priority::Low])
            .unwrap_or_default(),
        on_unknown: if resend { OnUnknown::Resend } else { OnUnknown::Hold },
        asked_after,
        scheduled_after,
        expires_after,
        then,
        repeated,
    }
}
