//! The gate: the one place that says whether a text may go now. Pure; every path into the engine meets it,
//! when a wish is accepted, so that the answer is honest, and when an attempt begins, so that it counts.
//!
//! Whoever adds a rule adds a [`Ban`] or a [`Hold`](crate::message::Hold), and a line in [`judge`].

mod case;
mod flow;
mod judge;
mod limits;
mod number;
mod opt_out_line;
mod recipient;
mod ruling;
mod stream;
mod usage;

pub use case::{Case, ZoneSource, whereabouts};
pub use flow::{Bucket, Flow};
pub use judge::{bypasses, counts, explain, judge, passes_quiet_hours, valid_until};
pub use limits::{Limits, OverDaily, Verified, ZoneByRegion};
pub use number::{needs_proof, number_of};
pub use opt_out_line::{OptOutLine, OptOutLineError};
pub use recipient::{Recipient, STRANGER};
pub use ruling::{Ban, Ruling, forbidden};
pub use stream::{Block, Rate, Stream};
pub use usage::{RECENT_MAX, Usage};
