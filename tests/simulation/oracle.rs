//! The judge. It knows what callers were told, what the provider took, and the journal; it shares no
//! decision with the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use std::time::Duration;

use dunlin::clock::Clock as _;
use dunlin::engine::ask::Target;
use dunlin::engine::provider::Submission;
use dunlin_storage::recovery::{Until, Visitor, fold};
use dunlin_storage::{Event as Kept, Head, JournalSeq, RawRecord, Reader, Record};
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber};
use dunlin_workflows::kind::VERIFICATION;
use dunlin_workflows::message::{Event, ProviderStatus};
use dunlin_workflows::policy::Ban;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::carrier::Carrier;
use crate::clock::Time;
use crate::life::{Asked, Life, Moment, Try};
use crate::people::People;
use crate::proofs::Proofs;
use crate::streams::Streams;
use crate::texts::Wishes;
use crate::users::Users;

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// What was found to be wrong.
    pub(crate) broken: Vec<String>,
    /// Every record that was ever acknowledged, by position.
    journal: Vec<Vec<u8>>,
    head: Option<Head>,
    pub(crate) lives: BTreeMap<MessageNumber, Life>,
    ids: BTreeMap<MessageId, MessageNumber>,
    told: BTreeSet<MessageId>,
    asked: BTreeMap<MessageId, Asked>,
    left: BTreeSet<(MessageNumber, Attempt)>,
    /// Whether any attempt ever started while the engine's clock was wrong.
    clock_was_off: bool,
    /// Who must not be texted.
    pub(crate) wishes: Wishes,
    /// What users prefer, and what was sent to whom.
    users: Users,
    /// Who proved what.
    pub(crate) proofs: Proofs,
    /// What goes to whom ever.
    streams: Streams,
    /// Messages that may say the same again: they try another one again, or are about codes.
    repeats: BTreeSet<MessageNumber>,
    /// How often each event was recorded.
    pub(crate) events: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub(crate) fn breach(&mut self, how: String) {
        self.broken.push(how);
    }

    /// The newest position that was acknowledged.
    pub(crate) fn seen(&self) -> JournalSeq {
        JournalSeq::new(self.journal.len() as u64)
    }

    pub(crate) fn records(&self) -> u64 {
        self.journal.len() as u64
    }

    /// The hash that stands for everything acknowledged so far.
    pub(crate) fn head(&self) -> Head {
        self.head.unwrap_or_else(Head::empty)
    }

    /// Somebody asked for this text under this name.
    pub(crate) fn asked(&mut self, id: MessageId, asked: Asked) {
        self.asked.insert(id, asked);
    }

    /// Somebody asked for the text of another message under this name.
    pub(crate) fn asked_again(&mut self, id: MessageId, target: Target) {
        let number = match target {
            Target::Id(old) => self.ids.get(&old).copied(),
            Target::Number(number) => Some(number),
        };
        if let Some(life) = number.and_then(|number| self.lives.get(&number)) {
            self.asked.insert(id, life.asked.clone());
        }
    }

    /// A caller holds this name in hand.
    pub(crate) fn acknowledged(&mut self, id: MessageId) {
        self.told.insert(id);
        if !self.ids.contains_key(&id) {
            self.breach(format!("{id} was acknowledged and is not in the journal"));
        }
    }

    /// A record that was acknowledged must read the same for ever.
    pub(crate) fn compare(&mut self, raw: &RawRecord) {
        let at = usize::try_from(raw.seq.get()).unwrap() - 1;
        if self.journal.get(at) != Some(&raw.bytes) {
            self.breach(format!("record {} was changed or replaced", raw.seq));
        }
    }

    pub(crate) fn reaches(&mut self, last: JournalSeq) {
        if last < self.seen() {
            let seen = self.seen();
            self.breach(format!("acknowledged up to record {seen}, found {last} after the restart"));
        }
    }

    /// Whoever was sent anything is found by their number, and as the one whom the journal names.
    pub(crate) fn finds_everybody(&mut self, reader: &Reader) {
        for number in self.lives.keys().copied().collect::<Vec<_>>() {
            // What can't be read is a breach that others tell.
            let Ok(Some((terms, content))) = reader.content(number) else { continue };
            let to = content.text().map(|text| text.to);
            let found = to.and_then(|to| reader.person_of(to).ok().flatten());
            if found != Some(terms.person) {
                self.breach(format!("the recipient of message {} is found as {found:?}", number.get()));
            }
        }
    }

    /// A record became durable. When it `is_live` it happened in the turn just taken, so the clocks are known.
    /// Gives a line for the trace.
    pub(crate) fn observe(
        &mut self,
        raw: &RawRecord,
        now: &Time,
        quiet_since_ms: u64,
        is_live: bool,
        rules: &Rules,
        carrier: &Carrier,
    ) -> impl FnOnce() -> String + use<> {
        if raw.seq != self.seen().next() {
            self.breach(format!("record {} follows {}", raw.seq, self.seen()));
        }
        self.journal.push(raw.bytes.clone());
        self.head = Some(self.head().extended(raw.seq, &raw.bytes));
        let record = match Record::decode(raw.seq, &raw.bytes) {
            Ok(record) => Some(record),
            Err(error) => {
                self.breach(format!("record {} can't be read: {error}", raw.seq));
                None
            }
        };
        if let Some(record) = &record {
            let wall = now.wall();
            if is_live && wall != record.at {
                self.breach(format!("record {} says {:?}, the clock said {wall:?}", raw.seq, record.at));
            }
            let name = match &record.event {
                Kept::Message { event, .. } => event.name(),
                Kept::Lane { event, .. } => event.name(),
                Kept::Person { event, .. } => event.name(),
                Kept::Instance { event, .. } => event.name(),
            };
            *self.events.entry(name).or_default() += 1;
            if let Kept::Person { person, event } = &record.event {
                self.wishes.kept(*person, event);
            }
            if let Kept::Instance { number, event } = &record.event
                && let Some(event) = <dunlin_storage::Users as dunlin_storage::Workflow>::unwrap(event)
                && let Err(how) = self.users.told(*number, event)
            {
                self.breach(format!("record {}: {how}", raw.seq));
            }
            if let Kept::Instance { number, event } = &record.event
                && let Some(event) =
                    <dunlin_storage::Verifications as dunlin_storage::Workflow>::unwrap(event)
                && let Err(how) = self.proofs.told(*number, event, record.at, &carrier.service)
            {
                self.breach(format!("record {}: verification {number}: {how}", raw.seq));
            }
            if let Kept::Message { number, event } = &record.event {
                let off_ms = record.at.as_millis() - now.true_wall().as_millis();
                let starts = matches!(event, Event::AttemptStarted { .. });
                let moment = Moment {
                    now_ms: now.now(),
                    at: record.at,
                    source: record.source,
                    off_ms,
                    quiet_since_ms,
                    clock_was_off: self.clock_was_off,
                };
                self.clock_was_off |= starts && moment.clock_is_off();
                let told = self.live(*number, event, moment, rules, carrier);
                if let Err(how) = told {
                    self.breach(format!("message {} at record {}: {how}", number.get(), raw.seq));
                }
            }
        }
        move || record.map_or_else(String::new, |record| format!("{:?} {:?}", record.source, record.event))
    }

    fn live(
        &mut self,
        number: MessageNumber,
        event: &Event,
        moment: Moment,
        rules: &Rules,
        carrier: &Carrier,
    ) -> Result<(), String> {
        if let Some(life) = self.lives.get_mut(&number) {
            match event {
                Event::AttemptStarted { attempt, .. } => {
                    self.wishes.starts(number, life.asked.to)?;
                    self.users.starts(number, attempt.get(), moment.at, &rules.limits)?;
                    if attempt.get() == 1 {
                        let (may_repeat, is_proven) =
                            (self.repeats.contains(&number), self.users.is_proven(number));
                        self.streams.starts(&life.asked, may_repeat, is_proven, moment.at, &rules.limits)?;
                    }
                }
                Event::BecameDue if moment.source == Source::Api => {
                    self.streams.vouched(life.held.map(|(hold, _)| hold));
                }
                Event::Suppressed { ban: Ban::OptedOut { .. } } => self.wishes.suppressed(number)?,
                _another => {}
            }
            return life.hear(number, event, moment, rules, carrier);
        }
        if let Event::Accepted { terms } = event
            && let Some(asked) = self.proofs.begun(terms.id, terms.person)
        {
            self.asked.insert(terms.id, asked);
        }
        let life = Life::begin(event, |id| self.asked.get(&id).cloned())?;
        if let Event::Accepted { terms } = event {
            self.wishes.begun(number, terms.person);
            self.users.begun(number, terms);
            let is_about_codes = terms.kind.as_ref().is_some_and(|kind| kind.as_str() == VERIFICATION);
            if terms.retry_of.is_some() || is_about_codes {
                self.repeats.insert(number);
            }
        }
        if self.ids.insert(life.id, number).is_some() {
            return Err(format!("{} exists twice", life.id));
        }
        self.lives.insert(number, life);
        Ok(())
    }

    /// A submission left the engine.
    pub(crate) fn submission_left(&mut self, submission: &Submission, wall: Timestamp) {
        let (number, attempt) = (submission.message, submission.attempt);
        if !self.left.insert((number, attempt)) {
            self.breach(format!("attempt {}/{} was posted twice", number.get(), attempt.get()));
        }
        let started = self.lives.get(&number).map_or(0, |life| life.tries.len());
        if started < usize::try_from(attempt.get()).unwrap() {
            self.breach(format!("attempt {}/{} left before it was durable", number.get(), attempt.get()));
        }
        let Some(this) = self.lives.get(&number) else { return };
        // The provider must not keep it for longer than it is wanted.
        let until = this.expires_at.into_iter().chain(self.users.quiet_starts(number, wall)).min();
        let kept = until.map(|at| at.since(wall).clamp(Duration::from_secs(1), Duration::from_hours(10)));
        let asked = this.asked.clone();
        let carried = Asked { to: submission.to.digits(), body: submission.body.as_str().to_owned() };
        if submission.validity != kept || carried != asked {
            self.broken.push(format!("message {} left as {submission:?}, for {kept:?}", number.get()));
            return;
        }
        let to_the_same =
            self.lives.iter().filter(|(other, life)| **other != number && life.asked.to == asked.to);
        let in_the_way = to_the_same.filter(|(_, life)| match life.newest() {
            Some(Try::InFlight) => true,
            // In the provider's list it would be taken for this one.
            Some(Try::Lost { .. }) => life.asked == asked,
            Some(Try::Parked | Try::With { .. } | Try::Failed { .. }) | None => false,
        });
        let in_the_way: Vec<String> =
            in_the_way.map(|(other, life)| format!("{} is {:?}", other.get(), life.newest())).collect();
        if !in_the_way.is_empty() {
            self.breach(format!("message {} left although {}", number.get(), in_the_way.join(", ")));
        }
    }

    /// A callback that names its attempt was answered with success: then the attempt is known.
    pub(crate) fn heard(&mut self, number: MessageNumber, attempt: Attempt) {
        let Some(life) = self.lives.get(&number) else { return };
        let is_newest = usize::try_from(attempt.get()) == Ok(life.tries.len());
        let in_doubt = matches!(life.newest(), Some(Try::InFlight | Try::Lost { .. } | Try::Parked));
        if is_newest && in_doubt && life.ended.is_none() {
            self.breach(format!("a callback for {}/{} was not heard", number.get(), attempt.get()));
        }
    }

    /// A search left the engine: never before the late acceptance could be seen.
    pub(crate) fn search_left(
        &mut self,
        number: MessageNumber,
        attempt: Attempt,
        now_ms: u64,
        rules: &Rules,
    ) {
        let (since_ms, lookups) = match self.lives.get(&number).and_then(Life::newest) {
            Some(Try::Lost { since_ms, lookups }) => (*since_ms, usize::from(*lookups)),
            // The turn that began the search heard of it in the same breath. A question harms nobody.
            Some(Try::With { .. } | Try::Failed { .. }) => return,
            other => {
                let how = format!("{}/{} is searched for while {other:?}", number.get(), attempt.get());
                self.breach(how);
                return;
            }
        };
        let wait = rules.lookups.get(lookups).or(rules.lookups.last());
        let waited = now_ms - since_ms;
        if wait.is_some_and(|wait| u128::from(waited) < wait.as_millis()) {
            self.breach(format!("message {} was searched for after {waited} ms", number.get()));
        }
    }

    /// The provider took a submission: may the person get this text?
    pub(crate) fn taken(&mut self, taken: usize, carrier: &Carrier) {
        let this = &carrier.taken[taken];
        let (number, attempt) = (this.number, this.attempt);
        let Some(life) = self.lives.get(&number) else { return };
        for earlier in carrier.taken[..taken].iter().filter(|other| other.number == number) {
            let index = usize::try_from(earlier.attempt.get()).unwrap() - 1;
            let why = match life.tries.get(index) {
                Some(Try::Failed { excused: true }) => continue,
                other => format!("{other:?}"),
            };
            self.broken.push(format!(
                "message {} is sent twice: attempt {} was taken before {}, and is {why}",
                number.get(),
                earlier.attempt.get(),
                attempt.get()
            ));
        }
    }

    /// Whether nothing is left to happen to any message.
    pub(crate) fn is_settled(&self) -> bool {
        self.lives.values().all(Life::is_settled) && self.proofs.is_settled()
    }

    /// After everything: what everybody knows must agree.
    pub(crate) fn judge_ends(&mut self, reader: &Reader, carrier: &Carrier, people: &People) {
        let mut broken = Vec::new();
        for id in &self.told {
            if reader.number_of_id(*id).unwrap().is_none() {
                broken.push(format!("{id} was acknowledged and is lost"));
            }
        }
        let mut wished: BTreeSet<&MessageId> = BTreeSet::new();
        for (n, caller) in people.callers.iter().enumerate() {
            let numbers: Vec<_> = caller.names.iter().filter_map(|id| self.ids.get(id)).collect();
            wished.extend(caller.names.iter());
            if numbers.len() > 1 {
                broken.push(format!("wish {n} is messages {numbers:?}"));
            }
            let canceled_life = caller.told.and_then(|id| self.ids.get(&id)).and_then(|n| self.lives.get(n));
            if caller.canceled && canceled_life.is_some_and(|life| life.ended != Some("canceled")) {
                broken.push(format!("wish {n} was canceled, and is {canceled_life:?}"));
            }
        }
        wished.extend(people.retries.iter());
        wished.extend(self.proofs.names());
        broken.extend(
            self.ids.keys().filter(|id| !wished.contains(id)).map(|id| format!("nobody wished for {id}")),
        );
        broken.extend(
            carrier
                .taken
                .iter()
                .filter(|t| !self.left.contains(&(t.number, t.attempt)))
                .map(|t| format!("{t:?} was never sent")),
        );
        for (number, life) in &self.lives {
            if !life.is_settled() {
                broken.push(format!("message {} is not settled: {life:?}", number.get()));
            }
            if let Some(how) = unheard(*number, life, carrier) {
                broken.push(how);
            }
        }
        for to in self.wishes.out() {
            if !reader.consent_of(to).unwrap().standing.is_out() {
                broken.push(format!("{} said STOP, and it is forgotten", to.digits()));
            }
        }
        self.broken.append(&mut broken);
        self.fold_agrees(reader);
    }

    /// The journal folds without a flaw, from the first record.
    fn fold_agrees(&mut self, reader: &Reader) {
        struct Flaws(Vec<String>);
        impl Visitor for Flaws {
            fn happened(&mut self, _: &Record, _: &mut dunlin_storage::recovery::Fold) {}
            fn flawed(&mut self, seq: JournalSeq, flaw: dunlin_storage::recovery::Flaw) {
                self.0.push(format!("record {seq}: {flaw}"));
            }
        }
        let mut flaws = Flaws(Vec::new());
        let folded = fold(reader.journal(JournalSeq::START).unwrap(), Until::End, &mut flaws).unwrap();
        self.broken.append(&mut flaws.0);
        for (number, folded) in folded.messages {
            let row = reader.message(number).unwrap();
            if row.map(|row| row.message) != Some(folded.message) {
                self.breach(format!("message {}: its row is not the fold of its records", number.get()));
            }
        }
    }

    pub(crate) fn hash(&self, carrier: &Carrier) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.journal.hash(&mut hasher);
        for taken in &carrier.taken {
            (taken.number, taken.attempt, taken.came_ms).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Whatever callbacks about the newest attempt were answered with success must have been heard, also
/// those that came before anyone knew the SID.
fn unheard(number: MessageNumber, life: &Life, carrier: &Carrier) -> Option<String> {
    let Some(Try::With { sid }) = life.newest() else { return None };
    let heard = &carrier.of(*sid)?.heard;
    // What an earlier attempt brought has arrived for good, whatever becomes of a later one.
    let earlier = carrier.taken.iter().filter(|taken| taken.number == number && taken.sid != *sid);
    let arrived = earlier.flat_map(|taken| &taken.heard).any(|status| status.is_arrival());
    if arrived && life.ended == Some("delivered") {
        return None;
    }
    let highest = heard.iter().max_by_key(|status| status.rank())?;
    let agrees = match highest {
        ProviderStatus::Delivered | ProviderStatus::Read => life.ended == Some("delivered"),
        ProviderStatus::Undelivered => life.ended == Some("undelivered"),
        ProviderStatus::Failed => life.ended == Some("failed"),
        other => life.rank >= other.rank(),
    };
    (!agrees)
        .then(|| format!("message {}: callback {highest} was answered, and it is {life:?}", number.get()))
}
