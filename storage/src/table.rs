//! The schema: every table of the file on one page. `FORMAT.md` describes their bytes.
//!
//! Keys are numbers where they can be: sequential keys append, random ones scatter. Values that are
//! byte slices carry an envelope with version and checksum, because redb verifies nothing on reads.

use redb::TableDefinition;

type Table<K, V> = TableDefinition<'static, K, V>;

/// What the file is: `format` (one byte), `created_ms` (eight, little-endian), `callback_key` (32),
/// `index` (four, id of the index key), `pruned` (16: how far, and how many records were kept).
pub(crate) const META: Table<&str, &[u8]> = TableDefinition::new("meta");

/// The journal: position, gapless from 1, to record. The truth; everything below but the timers'
/// instants, idempotency keys, orphans and cursors can be computed from it.
pub(crate) const JOURNAL: Table<u64, &[u8]> = TableDefinition::new("journal");

/// Message number, sequential from 1, to projection.
pub(crate) const MESSAGES: Table<u64, &[u8]> = TableDefinition::new("messages");

/// A message's public id to its number.
pub(crate) const MESSAGE_IDS: Table<&[u8; 16], u64> = TableDefinition::new("message_ids");

/// The provider's name of any attempt to the message's number.
pub(crate) const PROVIDER_SIDS: Table<&[u8; 34], u64> = TableDefinition::new("provider_sids");

/// (number of the state, message number): every message, once.
pub(crate) const BY_STATE: Table<(u8, u64), ()> = TableDefinition::new("by_state");

/// Number of the state to how many messages are in it.
pub(crate) const TOTALS: Table<u8, u64> = TableDefinition::new("totals");

/// Number of a person, sequential from 1, to their wrapped data key and sealed phone number.
pub(crate) const PERSONS: Table<u64, &[u8]> = TableDefinition::new("persons");

/// Keyed hash of a phone number to the person's number.
pub(crate) const PERSON_HASHES: Table<&[u8; 16], u64> = TableDefinition::new("person_hashes");

/// (person number, message number): every message, once.
pub(crate) const BY_PERSON: Table<(u64, u64), ()> = TableDefinition::new("by_person");

/// Number of an actor, sequential from 1, to the name.
pub(crate) const ACTORS: Table<u32, &str> = TableDefinition::new("actors");

/// Name of an actor to the number.
pub(crate) const ACTOR_NAMES: Table<&str, u32> = TableDefinition::new("actor_names");

/// Ids of the master keys that wrap some person's data key.
pub(crate) const MASTERS: Table<u32, ()> = TableDefinition::new("masters");

/// 0 to the newest head of the chain over the journal.
pub(crate) const HEADS: Table<u8, &[u8]> = TableDefinition::new("heads");

/// (due instant in ms, message number): every message that has a timer, once.
pub(crate) const TIMERS: Table<(i64, u64), ()> = TableDefinition::new("timers");

/// Number of a message that is held while sending is switched off: no clock need release it.
pub(crate) const SWITCHED_OFF: Table<u64, ()> = TableDefinition::new("switched_off");

/// Lane number to projection.
pub(crate) const LANES: Table<u64, &[u8]> = TableDefinition::new("lanes");

/// (SID, count from 1): callbacks for a message that is not known yet, in the order they came.
pub(crate) const ORPHANS: Table<(&[u8; 34], u64), &[u8]> = TableDefinition::new("orphans");

/// (arrival in ms, SID, count): every orphan, once, oldest first.
pub(crate) const ORPHAN_AGE: Table<(i64, &[u8; 34], u64), ()> = TableDefinition::new("orphan_age");

/// Hash of an idempotency key to what was answered.
pub(crate) const IDEMPOTENCY: Table<&[u8; 16], &[u8]> = TableDefinition::new("idempotency");

/// (first use in ms, hash of the key): every idempotency key, once, oldest first.
pub(crate) const IDEMPOTENCY_AGE: Table<(i64, &[u8; 16]), ()> = TableDefinition::new("idempotency_age");

/// Position of the first record of an archive to what the store knows of it.
pub(crate) const ARCHIVES: Table<u64, &[u8]> = TableDefinition::new("archives");

/// Person number to what is known of their consent, for everybody of whom anything is.
pub(crate) const CONSENTS: Table<u64, &[u8]> = TableDefinition::new("consents");

/// Position of every record about consent to the person's number.
pub(crate) const CONSENT_RECORDS: Table<u64, u64> = TableDefinition::new("consent_records");

/// The provider's name of a text of theirs that was about consent to the position of its record.
pub(crate) const HEARD_TEXTS: Table<&[u8; 34], u64> = TableDefinition::new("heard_texts");

/// Persons of whom a text waits to be read.
pub(crate) const REVIEWS: Table<u64, ()> = TableDefinition::new("reviews");

/// Keyed hash of the number of an erased person who had opted out, to since when (ms).
pub(crate) const ERASED_OPT_OUTS: Table<&[u8; 16], i64> = TableDefinition::new("erased_opt_outs");

/// (kind, number of the instance): what is known of an instance of a small workflow.
pub(crate) const INSTANCES: Table<(u8, u64), &[u8]> = TableDefinition::new("instances");

/// (kind, keyed hash of a name): the number of the instance that the name leads to.
pub(crate) const INSTANCE_NAMES: Table<(u8, &[u8; 16]), u64> = TableDefinition::new("instance_names");

/// (kind, what is claimed): the number of the instance that claims it.
pub(crate) const INSTANCE_CLAIMS: Table<(u8, u64), u64> = TableDefinition::new("instance_claims");

/// (due instant in ms, kind, number of the instance): every instance that has a timer, once.
pub(crate) const INSTANCE_TIMERS: Table<(i64, u8, u64), ()> = TableDefinition::new("instance_timers");

/// Number of a person to what was sent to them lately, for everybody of whom anything counts.
pub(crate) const USAGE: Table<u64, &[u8]> = TableDefinition::new("usage");

/// Keyed hash of a stream's name to what flowed in it lately. Absent from files that never counted any.
pub(crate) const FLOWS: Table<&[u8; 16], &[u8]> = TableDefinition::new("flows");

/// Number of a user, sequential from 1, to their wrapped data key and sealed user id.
pub(crate) const USER_KEYS: Table<u64, &[u8]> = TableDefinition::new("user_keys");

/// Message number to what a shared database gave with its newest claim, until it answered. Absent from older files.
pub(crate) const CLAIMS: Table<u64, &[u8]> = TableDefinition::new("claims");

/// `daemon`: what a shared database knows this store by; `pull_cursor`: how far its changes were taken in. Absent from
/// files that never had to do with one.
pub(crate) const SYNC: Table<&str, &[u8]> = TableDefinition::new("sync");

/// Name of a reader of the journal to the last position it has dealt with.
pub(crate) const CURSORS: Table<&str, u64> = TableDefinition::new("cursors");
