//! People who text us back: STOP, START and words between, once, again, and at the worst moments.

use std::collections::{BTreeMap, BTreeSet};

use dunlin::engine::ask::{Ask, Whom};
use dunlin_storage::PersonEvent;
use dunlin_workflows::consent::{self, Consent, Event, Finding, Inbound, Line};
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use tokio::sync::oneshot;

use crate::people::Reply;
use crate::plan::Defect;
use crate::world::{Happening, World};

/// How often the provider tries to tell us of a text.
const TRIES_MAX: u32 = 4;

/// Who must not be texted: by what callers were answered, and by the journal.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// By number: a STOP of theirs was answered, and no START came since.
    out: BTreeSet<u64>,
    /// When each text was first told to the engine, how often, and whether that was answered.
    told: BTreeMap<usize, (u64, u32, bool)>,
    /// When somebody last may have agreed again.
    agreed: BTreeMap<u64, u64>,
    order: u64,
    /// By the journal.
    kept: BTreeMap<PersonNumber, bool>,
    persons: BTreeMap<MessageNumber, PersonNumber>,
}

impl Wishes {
    /// A text is told to the engine.
    fn tells(&mut self, n: usize, from: u64, words: &str) {
        self.order += 1;
        let (_, times, answered) = self.told.entry(n).or_insert((self.order, 0, false));
        *times += 1;
        if words == "START" && !*answered {
            self.agrees(from);
        }
    }

    /// Somebody may have agreed again.
    fn agrees(&mut self, from: u64) {
        self.order += 1;
        self.agreed.insert(from, self.order);
        self.out.remove(&from);
    }

    /// The engine answered: what was told is durable.
    fn answered(&mut self, n: usize, from: u64, words: &str) {
        let Some((asked, times, answered)) = self.told.get_mut(&n) else { return };
        // Told twice and answered once, the first may have been heard long ago.
        let sure = *times == 1 && !std::mem::replace(answered, true);
        let agreed_since = self.agreed.get(&from).is_some_and(|agreed| agreed > asked);
        if sure && !agreed_since && ["STOP", "please stop"].contains(&words) {
            self.out.insert(from);
        }
    }

    /// The journal tells of a person.
    pub(crate) fn kept(&mut self, person: PersonNumber, event: &PersonEvent) {
        let out = match event {
            PersonEvent::Consent(Event::OptedOut { .. } | Event::OptOutSuspected { .. }) => true,
            PersonEvent::Consent(Event::OptedIn { .. }) => false,
            PersonEvent::Consent(Event::ReviewResolved { finding, .. }) => *finding == Finding::OptOut,
            PersonEvent::Consent(Event::HelpAsked { .. }) | PersonEvent::Erased { .. } => return,
        };
        self.kept.insert(person, out);
    }

    pub(crate) fn begun(&mut self, number: MessageNumber, person: PersonNumber) {
        self.persons.insert(number, person);
    }

    fn is_kept_out(&self, number: MessageNumber) -> bool {
        self.persons.get(&number).and_then(|person| self.kept.get(person)).copied().unwrap_or(false)
    }

    /// An attempt begins for a message to this number.
    pub(crate) fn starts(&self, number: MessageNumber, to: u64) -> Result<(), String> {
        if self.out.contains(&to) {
            return Err("texted after their STOP was answered".into());
        }
        if self.is_kept_out(number) { Err("texted although the journal says no".into()) } else { Ok(()) }
    }

    /// A message is suppressed.
    pub(crate) fn suppressed(&self, number: MessageNumber) -> Result<(), String> {
        if self.is_kept_out(number) { Ok(()) } else { Err("suppressed although they agree".into()) }
    }

    /// Everybody who must be known to be out in the end.
    pub(crate) fn out(&self) -> impl Iterator<Item = PhoneNumber> {
        self.out.iter().filter_map(|digits| PhoneNumber::from_digits(*digits))
    }
}

impl World {
    /// The provider tells us of a text, and again when nobody answers.
    pub(crate) fn text(&mut self, n: usize, tries: u32) {
        let texted = self.plan.texts[n].clone();
        if self.process.is_none() || self.is_frozen() {
            self.text_again(n, tries);
            return;
        }
        self.say(|| format!("text {n} of {}: {}", texted.from, texted.words));
        self.oracle.wishes.tells(n, texted.from, texted.words);
        let inbound = Inbound {
            sid: format!("MM{n:032x}").parse().unwrap(),
            words: texted.words.into(),
            line: Line::LongCode,
            opt_out_type: None,
        };
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Replied { n, tries, answer });
        self.ask(Ask::Text { from: PhoneNumber::from_digits(texted.from).unwrap(), inbound, reply });
    }

    pub(crate) fn text_again(&mut self, n: usize, tries: u32) {
        if tries < TRIES_MAX {
            let wait = self.rng.u64(1000..60_000);
            self.after(wait, Happening::Text { n, tries: tries + 1 });
        }
    }

    /// The engine answered a text. Whoever can, plays it again later.
    pub(crate) fn text_answered(&mut self, n: usize, tries: u32) {
        let texted = self.plan.texts[n].clone();
        self.oracle.wishes.answered(n, texted.from, texted.words);
        if self.plan.defect == Some(Defect::GateIsBlind) {
            self.blind(texted.from);
        }
        if tries < TRIES_MAX && self.chance(300) {
            let wait = self.rng.u64(1000..7_200_000);
            self.after(wait, Happening::Text { n, tries: tries + 1 });
        }
    }

    /// People read what sounds like an opt-out.
    pub(crate) fn read_reviews(&mut self) {
        let Some(process) = &self.process else { return };
        let reader = process.store.reader().unwrap();
        let waiting = reader.reviews(PersonNumber::new(0), 100).unwrap();
        let waiting: Vec<_> = waiting
            .into_iter()
            .map(|person| (person, reader.consent(person).unwrap(), reader.number_of(person).unwrap()))
            .collect();
        drop(reader);
        for (person, consent, to) in waiting {
            let (Some(review), Some(to)) = (consent.review, to) else { continue };
            let finding = if self.rng.bool() { Finding::OptOut } else { Finding::NotOne };
            if finding == Finding::NotOne {
                self.oracle.wishes.agrees(to.digits());
            }
            self.say(|| format!("review of {} is {finding:?}", review.text));
            let command = consent::Command::Resolve { text: review.text, finding };
            let (reply, answer) = oneshot::channel();
            self.people.waiting.push(Reply::Consented(answer));
            self.ask(Ask::Consent { whom: Whom::Person(person), command, origin: Source::Api.into(), reply });
        }
    }

    /// The planted bug: what the gate reads says nothing of what the journal says.
    fn blind(&mut self, from: u64) {
        let Some(process) = &self.process else { return };
        let wall = dunlin::clock::Clock::wall(&*self.time);
        let to = PhoneNumber::from_digits(from).unwrap();
        let blinded = process.store.commit(|batch| {
            let person = batch.person(to)?;
            let event = Event::HelpAsked { text: format!("SM{:032x}", u32::MAX).parse().unwrap() };
            batch.record_consent(person, wall, Source::Api, &event, &Consent::default(), None)
        });
        if let Err(error) = blinded {
            self.say(|| format!("the bug could not be planted: {error}"));
        } else {
            self.observe(true);
        }
    }
}
