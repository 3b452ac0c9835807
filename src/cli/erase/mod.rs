//! `dunlin erase`: makes a person's number and texts unreadable for good, and a user's id.

mod users;

use clap::Args;
use dunlin_storage::{By, Content, Event, Filter, JournalSeq, ReadError, Record, Store};
use dunlin_workflows::actor::{ActorName, Reason};
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::{self, Command, Context, Lease, Message, UserId, decide, timer};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::source::Source;
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};
use crate::clock::{Clock as _, SystemClock};
use users::Order;

/// Messages that are looked at together.
const PAGE: usize = 500;

/// Erase a person: their number and texts become unreadable for good.
///
/// Destroys the person's key, withdraws their texts that were not sent, and rewrites the file, so that
/// the key is nowhere in it. What happened, and that it was erased, stays on record without them. The
/// daemon must be stopped. Backups made before still hold the key: let them expire.
///
/// Of whoever had opted out, a keyed hash of the number stays, so that they are not texted again.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The person with this phone number
    #[arg(long, value_name = "NUMBER", conflicts_with = "user", required_unless_present = "user")]
    phone: Option<String>,
    /// This user of yours, their number, and every person to whom a text was sent for them
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Who asks for it; goes on record
    #[arg(long, value_name = "NAME")]
    by: ActorName,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

impl Erase {
    pub(super) fn run(self, output: Output) -> Ended {
        let offline = Offline::read()?;
        let store = offline.open()?;
        let persons = self.persons(&store, &offline)?;
        let mut withdrawn = 0_usize;
        let order = Order { by: &self.by, reason: self.reason.as_ref(), at: SystemClock::start().wall() };
        for person in &persons {
            users::part(&store, *person, &order)?;
            withdrawn =
                withdrawn.saturating_add(erase(&store, *person, &self.by, self.reason.as_ref(), &offline)?);
        }
        if let Some(user) = &self.user {
            users::erase(&store, user, &order)?;
        }
        store.close().map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        offline.compact()?;
        let erased: Vec<u64> = persons.iter().map(|person| person.get()).collect();
        match output.form() {
            Form::Json => output.json(&json!({"persons": erased, "withdrawn": withdrawn}))?,
            Form::Text => output.line(format_args!(
                "erased {} person(s), {withdrawn} unsent text(s) withdrawn; the file was rewritten without their keys",
                erased.len()
            ))?,
        }
        Ok(Exit::Success)
    }

    /// Who is meant; nobody is an answer of its own, so that a typing error is not taken for an erasure.
    fn persons(&self, store: &Store, offline: &Offline) -> Result<Vec<PersonNumber>, Failure> {
        let persons = match (&self.phone, &self.user) {
            (Some(phone), _) => {
                let to = PhoneNumber::parse(phone, offline.region)
                    .map_err(|error| Failure::new(Exit::Usage, format!("--phone: {error}")))?;
                store.reader()?.person_of(to)?.into_iter().collect()
            }
            (None, Some(user)) => {
                let mut persons = persons_of(store, user)?;
                persons.extend(users::number_of(store, user)?.filter(|own| !persons.contains(own)));
                persons
            }
            (None, None) => Vec::new(),
        };
        let user = self.user.as_ref().map(|user| users::is_known(store, user)).transpose()?;
        if persons.is_empty() && user != Some(true) {
            return Err(Failure::new(Exit::NotFound, "nobody like that is in the store, or not any more"));
        }
        Ok(persons)
    }
}

/// Every person to whom a text was sent for `user`, however long ago: archives are read as well.
fn persons_of(store: &Store, user: &UserId) -> Result<Vec<PersonNumber>, Failure> {
    let reader = store.reader()?;
    let mut persons = Vec::new();
    for raw in reader.journal(JournalSeq::START)? {
        let raw = raw?;
        let record = Record::decode(raw.seq, &raw.bytes)
            .map_err(|source| ReadError::Record { seq: raw.seq, source })?;
        let Event::Message { event: message::Event::Accepted { terms }, .. } = record.event else { continue };
        if persons.contains(&terms.person) {
            continue;
        }
        if let (_, Content::Open(text)) = reader.content_at(raw.seq)?
            && text.user_id.as_ref() == Some(user)
        {
            persons.push(terms.person);
        }
    }
    Ok(persons)
}

/// Withdraws what was not sent, and destroys the key; all of it or nothing.
fn erase(
    store: &Store,
    person: PersonNumber,
    by: &ActorName,
    reason: Option<&Reason>,
    offline: &Offline,
) -> Result<usize, Failure> {
    let open = open_messages(store, person)?;
    let now = SystemClock::start().wall();
    let context =
        Context { now, rules: &offline.rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
    let mut decided = Vec::new();
    for (number, message) in &open {
        let events = decide(message, &Command::Cancel, &context).map_err(|_committed| {
            let words = format!(
                "a text of theirs (message number {}) may be on its way and is still looked up; start the daemon, \
                 wait until it is settled, or decide with `dunlin retry`",
                number.get()
            );
            Failure::new(Exit::Conflict, words)
        })?;
        let mut after = message.clone();
        for event in &events {
            after.apply(event, now).map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        }
        decided.push((*number, events, after));
    }
    store
        .commit(|batch| {
            let by = By { source: Source::Cli, actor: batch.actor(by)? };
            for (number, events, after) in &decided {
                let timer = timer(after, &offline.rules);
                batch.record(*number, now, by, events, after, timer)?;
            }
            batch.erase(person, now, by, reason)
        })
        .map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    Ok(decided.len())
}

/// The person's messages that still need their text: not with the provider, and not settled.
fn open_messages(store: &Store, person: PersonNumber) -> Result<Vec<(MessageNumber, Message)>, Failure> {
    let reader = store.reader()?;
    let mut open = Vec::new();
    let mut filter = Filter { person: Some(person), limit: PAGE, ..Filter::default() };
    loop {
        let page = reader.list(&filter)?;
        let needs_text = |message: &Message| {
            !message.state.name().is_settled() && !message.state.name().is_with_provider()
        };
        open.extend(
            page.messages
                .into_iter()
                .filter(|(_, row)| needs_text(&row.message))
                .map(|(number, row)| (number, row.message)),
        );
        let Some(before) = page.next else { return Ok(open) };
        filter.before = Some(before);
    }
}
