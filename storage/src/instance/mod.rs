//! Small workflows: users, and whatever else has a life of its own beside messages. All are kept the same way.
//!
//! An instance has a number in its kind, sequential from 1. What happens to it is journaled; the fold of that
//! is its row. It has at most one timer, which follows from its state, and may have a name, by whose keyed
//! hash it is found, and a claim: a number that no other instance of the kind may claim at the same time.
//! What identifies a person stands sealed in the record, with the key of its [`Holder`].
//!
//! Whoever adds a kind implements [`Workflow`] and adds a line to `kinds!`.

pub(crate) mod allowance;
mod holder;
mod keep;
mod read;
pub(crate) mod recurrence;
pub(crate) mod template;
pub(crate) mod user;
pub(crate) mod verification;

use std::fmt::Debug;

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;

use crate::record::RecordError;

pub use allowance::Allowances;
pub use holder::Holder;
pub use keep::Told;
pub(crate) use keep::row_of;
pub use read::InstanceRecord;
pub use recurrence::Recurrences;
pub use template::Templates;
pub use user::Users;
pub use verification::Verifications;

/// How instances of one kind are decided on and persisted.
pub trait Workflow: Debug {
    /// Which kind.
    const KIND: InstanceKind;

    /// What is known of an instance: the fold of its events.
    type State: Debug + Clone + Eq + Default;

    /// What happens to an instance.
    type Event: Debug + Clone + Eq;

    /// Folds one more event into what is known. Total: no clock, no rules.
    fn apply(state: &mut Self::State, event: &Self::Event, at: Timestamp);

    /// When it must be woken; a function of its state.
    fn timer(state: &Self::State) -> Option<Timestamp>;

    /// Whether its name leads to it.
    fn is_named(state: &Self::State) -> bool;

    /// What no other instance of the kind may claim while this one does.
    fn claim(state: &Self::State) -> Option<u64>;

    /// The person that an event names, who is kept because of it. An event that is sealed with a person's key
    /// names them.
    fn person(event: &Self::Event) -> Option<PersonNumber>;

    /// The event's name in exports, logs and the API.
    fn event_name(event: &Self::Event) -> &'static str;

    /// Every record type: number and name of its event.
    const RECORD_TYPES: &'static [(u8, &'static str)];

    /// Appends the payload of an event; gives its record type and type version.
    ///
    /// # Errors
    /// An event too large to persist.
    fn put_event(event: &Self::Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError>;

    /// Reads the event that a payload of this type and version holds.
    ///
    /// # Errors
    /// Bytes that are damaged, or that a newer version wrote.
    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Self::Event, RecordError>;

    /// Appends the bytes of a state; gives the version of their form.
    ///
    /// # Errors
    /// A state too large to persist.
    fn put_state(state: &Self::State, out: &mut Vec<u8>) -> Result<u8, RecordError>;

    /// Reads the state that bytes of this version hold.
    ///
    /// # Errors
    /// Bytes that are damaged, or that a newer version wrote.
    fn take_state(version: u8, bytes: &[u8]) -> Result<Self::State, RecordError>;

    /// The event as one of any kind.
    fn wrap(event: Self::Event) -> InstanceEvent;

    /// The event of this kind, if it is one.
    fn unwrap(event: &InstanceEvent) -> Option<&Self::Event>;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $word:literal, $workflow:ty;)+) => {
        /// The kinds of small workflows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum InstanceKind {
            $($(#[$doc])* $kind,)+
        }

        /// Every kind.
        pub const INSTANCE_KINDS: &[InstanceKind] = &[$(InstanceKind::$kind,)+];

        /// Something that happened to an instance.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum InstanceEvent {
            $($(#[$doc])* $kind(<$workflow as Workflow>::Event),)+
        }

        /// What is known of an instance.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum InstanceState {
            $($(#[$doc])* $kind(<$workflow as Workflow>::State),)+
        }

        impl InstanceKind {
            /// The number of its kind in record headers and keys.
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$kind => $number,)+
                }
            }

            /// The kind with this number.
            pub fn of(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)+
                    _unknown => None,
                }
            }

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }

            /// Every record type of the kind: number and name of its event.
            pub const fn record_types(self) -> &'static [(u8, &'static str)] {
                match self {
                    $(Self::$kind => <$workflow as Workflow>::RECORD_TYPES,)+
                }
            }

            pub(crate) fn take_event(
                self,
                record_type: u8,
                version: u8,
                payload: &[u8],
            ) -> Result<InstanceEvent, RecordError> {
                match self {
                    $(Self::$kind => {
                        <$workflow as Workflow>::take_event(record_type, version, payload)
                            .map(InstanceEvent::$kind)
                    })+
                }
            }

            pub(crate) fn take_state(self, version: u8, bytes: &[u8]) -> Result<InstanceState, RecordError> {
                match self {
                    $(Self::$kind => {
                        <$workflow as Workflow>::take_state(version, bytes).map(InstanceState::$kind)
                    })+
                }
            }

            /// What is known of an instance of which nothing happened.
            pub(crate) fn nothing(self) -> InstanceState {
                match self {
                    $(Self::$kind => InstanceState::$kind(Default::default()),)+
                }
            }
        }

        impl InstanceEvent {
            /// Whose it is.
            pub fn kind(&self) -> InstanceKind {
                match self {
                    $(Self::$kind(_) => InstanceKind::$kind,)+
                }
            }

            /// The event's name in exports, logs and the API.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(event) => <$workflow as Workflow>::event_name(event),)+
                }
            }

            /// The person that it names.
            pub fn person(&self) -> Option<PersonNumber> {
                match self {
                    $(Self::$kind(event) => <$workflow as Workflow>::person(event),)+
                }
            }

            pub(crate) fn put(&self, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
                match self {
                    $(Self::$kind(event) => <$workflow as Workflow>::put_event(event, out),)+
                }
            }
        }

        impl InstanceState {
            /// Folds an event into it; one of another kind changes nothing.
            pub(crate) fn apply(&mut self, event: &InstanceEvent, at: Timestamp) {
                match self {
                    $(Self::$kind(state) => {
                        if let Some(event) = <$workflow as Workflow>::unwrap(event) {
                            <$workflow as Workflow>::apply(state, event, at);
                        }
                    })+
                }
            }

            pub(crate) fn timer(&self) -> Option<Timestamp> {
                match self {
                    $(Self::$kind(state) => <$workflow as Workflow>::timer(state),)+
                }
            }

            pub(crate) fn is_named(&self) -> bool {
                match self {
                    $(Self::$kind(state) => <$workflow as Workflow>::is_named(state),)+
                }
            }

            pub(crate) fn claim(&self) -> Option<u64> {
                match self {
                    $(Self::$kind(state) => <$workflow as Workflow>::claim(state),)+
                }
            }
        }
    };
}

kinds! {
    /// Somebody whom the caller's product knows by a user id.
    User = 4, "user", Users;
    /// A text with variables.
    Template = 5, "template", Templates;
    /// A text that comes again and again.
    Recurrence = 6, "recurrence", Recurrences;
    /// Somebody's proof that a number is theirs.
    Verification = 7, "verification", Verifications;
    /// How much may still be asked for.
    Allowance = 8, "allowance", Allowances;
}

/// Wraps and unwraps the events of a kind: what every implementation of [`Workflow`] says the same way.
macro_rules! wrapped {
    ($kind:ident) => {
        const KIND: crate::instance::InstanceKind = crate::instance::InstanceKind::$kind;

        fn wrap(event: Self::Event) -> crate::instance::InstanceEvent {
            crate::instance::InstanceEvent::$kind(event)
        }

        fn unwrap(event: &crate::instance::InstanceEvent) -> Option<&Self::Event> {
            if let crate::instance::InstanceEvent::$kind(event) = event { Some(event) } else { None }
        }
    };
}
pub(crate) use wrapped;

/// The name of a record type of a kind.
fn record_type(
    known: &[(u8, &'static str)],
    number: u8,
    what: &'static str,
) -> Result<&'static str, RecordError> {
    let found = known.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| *name).ok_or(RecordError::Unknown { what, number })
}

/// Whether a form is the first, which so far is the only one.
fn first_version(name: &'static str, version: u8) -> Result<(), RecordError> {
    if version == 1 { Ok(()) } else { Err(RecordError::UnknownVersion { name, version }) }
}
