//! Makes decisions durable: one redb file, one transaction per batch. Synchronous.
//!
//! When [`Store::commit`] returns `Ok`, everything its batch changed survives a power loss; when it
//! returns an error that is not [`CommitError::Ambiguous`], nothing changed. The journal is the
//! truth: every projection and index can be computed from it again.
//!
//! Reading order: the schema in `table.rs`, [`Store`], [`Batch`], [`Reader`], then [`mod@format`] and
//! [`record`] for the bytes, and [`recovery`] for what is checked.
//!
//! A store has one writer. Offline tools look at a stopped one through [`ReadOnlyStore`]; a running one
//! answers through its API.

mod actor;
mod archive;
mod audit;
mod batch;
mod chain;
mod claim;
mod commit;
mod consent;
mod copy;
mod create;
mod error;
mod fault;
#[doc = include_str!("../FORMAT.md")]
pub mod format {}
mod flow;
mod highest;
mod idempotency;
mod instance;
mod journal;
mod late_sync;
mod list;
mod measured;
mod meta;
mod newcomers;
mod opt_out_token;
mod orphan;
mod person;
mod projection;
mod read_only_store;
mod reader;
#[expect(
    clippy::mem_forget,
    reason = "the derived readers forget the guards that clean up after a failed read"
)]
pub mod record;
pub mod recovery;
mod roomy_file;
mod rotation;
mod said;
mod seal;
mod store;
mod switch;
mod sync;
mod table;
mod told;
mod upgrade;
mod usage;
mod user;

pub use actor::{ACTORS_MAX, ActorNumber, By};
pub use archive::{ArchiveError, ArchiveFlaw, ArchiveRequest, Archived, Located, Segment, copy_archives};
pub use audit::{AuditFilter, AuditPage, RECORDS_LOOKED_AT_MAX};
pub use batch::Batch;
pub use chain::{Head, HeadError};
pub use claim::{Claim, ClaimToken, OpenClaim};
pub use consent::ConsentProjection;
pub use copy::compact;
pub use error::{BatchError, CommitError, Fault, OpenError, ReadError};
pub use fault::FaultKind;
pub use idempotency::{Idempotency, KeyHash};
pub use instance::{
    Allowances, Holder, INSTANCE_KINDS, InstanceEvent, InstanceKind, InstanceRecord, Recurrences, Templates,
    Told, Users, Verifications, Workflow,
};
pub use journal::{JournalSeq, LaneNumber};
pub use list::{Filter, Page, SCANNED_MAX};
pub use measured::Without;
pub use newcomers::NEWCOMERS_MAX;
pub use opt_out_token::OptOutToken;
pub use orphan::{ORPHANS_MAX, ORPHANS_PER_SID_MAX, Orphan};
pub use person::Content;
pub use projection::{LaneProjection, Projection};
pub use read_only_store::ReadOnlyStore;
pub use reader::{Entry, RawRecord, Reader, TableSize};
pub use record::{Event, PersonEvent, Record, RecordError};
pub use recovery::OpenReport;
pub use seal::{Entropy, EntropyError, KeyId, Keyring, KeyringError};
pub use store::{OpenOptions, Store, repair};
pub use sync::{DaemonId, PullCursor, PullCursorError, Unconfirmed};
pub use told::AsOf;
