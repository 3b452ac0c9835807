//! What goes into the functions of the contract, and what comes out of them.
//!
//! `docs/supabase-contract.md` has every field. Answers are read field by field: fields that a newer database adds are
//! passed over, and one that is missing or wrong is named without quoting it, because it may be a person's. In the
//! answer to a pull each request and each change is read on its own, so one that can't be read spoils no other.

mod batch; // states that are pushed
mod change; // rows that changed
mod claim; // claimed texts: acknowledged or parked
mod columns; // many rows as arrays
mod fields; // one JSON object
mod heartbeat;
mod held; // texts that a daemon has
mod instant;
mod pull;
mod request; // texts that are claimed
mod text; // values that travel as text
mod trouble; // conflicts and parked rows

pub use batch::{
    Batch, Born, ConsentRow, EngineState, MessageRow, Pushed, Rejected, SmsStatus, UsageRow, VerificationRow,
};
pub use change::{AskedRow, Change, ChangedRow, ParkedRow, PreferencesRow, TemplateRow, UnreadableChange};
pub use claim::{Acknowledged, Claim, Parking};
pub use fields::FieldError;
pub use heartbeat::{CONTRACT, Heartbeat, Peer, Standing};
pub use held::Held;
pub use instant::{Instant, InstantError};
pub use pull::{Pull, Pulled};
pub use request::{Request, UnreadableRequest};
pub use trouble::{Conflict, Trouble, Troubles};

pub(crate) use claim::parked;
