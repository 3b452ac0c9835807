//! The outbound message.

mod provider_status;

pub use provider_status::{PROVIDER_STATUSES, ProviderStatus, UnknownProviderStatus};
