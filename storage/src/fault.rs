//! What kind of failure stands behind an error: whether waiting, another disk or a restart mends it.

use std::io;

use crate::error::{BatchError, CommitError, Fault, OpenError, ReadError};

/// What failed below a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no room: the disk or a quota is full, or the file may not grow. Room may come back.
    NoRoom,
    /// The disk refused to read or write. Nothing on it is to be trusted without a look.
    Disk,
    /// The database engine gave up for a reason of its own.
    Engine,
}

impl FaultKind {
    /// What an error of the operating system means.
    pub fn of(error: &io::Error) -> Self {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        if full.contains(&error.kind()) { Self::NoRoom } else { Self::Disk }
    }
}

/// An error that may come from below.
pub(crate) trait Failed {
    /// What failed below, if that is why.
    fn failed(&self) -> Option<FaultKind>;
}

impl Failed for Fault {
    fn failed(&self) -> Option<FaultKind> {
        Some(self.kind())
    }
}

impl Failed for ReadError {
    fn failed(&self) -> Option<FaultKind> {
        self.fault_kind()
    }
}

impl Fault {
    /// What failed.
    pub fn kind(&self) -> FaultKind {
        if let redb::Error::Io(error) = self.cause() { FaultKind::of(error) } else { FaultKind::Engine }
    }
}

impl ReadError {
    /// What failed below, rather than in what the file says.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Fault(fault) => Some(fault.kind()),
            Self::Poisoned => Some(FaultKind::Engine),
            Self::Archive { .. }
            | Self::Pruned
            | Self::Record { .. }
            | Self::Row { .. }
            | Self::Missing { .. }
            | Self::NotAccepted { .. }
            | Self::Foreign { .. }
            | Self::ForeignInstance { .. }
            | Self::Strayed { .. }
            | Self::MasterKey { .. }
            | Self::Meta { .. }
            | Self::Head => None,
        }
    }

    /// Whether something below failed, rather than what is in the file.
    pub fn is_fault(&self) -> bool {
        self.fault_kind().is_some()
    }
}

impl BatchError {
    /// What failed below, so that nothing more may be written through this store.
    pub(crate) fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Read(error) => error.fault_kind(),
            Self::Record(_)
            | Self::UnknownMessage { .. }
            | Self::UnknownPerson { .. }
            | Self::UnknownUser { .. }
            | Self::Claimed { .. }
            | Self::Entropy(_)
            | Self::IdTaken { .. }
            | Self::BeginsWith { .. } => None,
        }
    }
}

impl<E> CommitError<E> {
    /// What failed below, as far as this error tells; the store itself remembers what failed first.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Ambiguous(fault) => Some(fault.kind()),
            Self::Batch(error) => error.fault_kind(),
            Self::Refused(_) | Self::Poisoned => None,
        }
    }
}

impl OpenError {
    /// What failed below, rather than in what the file says.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Io { source, .. } => Some(FaultKind::of(source)),
            Self::Fault(fault) => Some(fault.kind()),
            Self::Read(error) => error.fault_kind(),
            Self::InUse { .. }
            | Self::NeedsRepair { .. }
            | Self::NotDunlin { .. }
            | Self::Measured { .. }
            | Self::NewerFormat { .. }
            | Self::Meta { .. }
            | Self::OlderFormat { .. }
            | Self::MissingKeys { .. }
            | Self::OtherIndexKey { .. }
            | Self::HeadAstray { .. }
            | Self::Gap { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_quota_and_largest_file_are_no_room_and_others_are_the_disk() {
        // ENOSPC, EDQUOT, EFBIG, EIO of Linux.
        let kinds = [28, 122, 27, 5].map(|code| FaultKind::of(&io::Error::from_raw_os_error(code)));
        assert_eq!(kinds, [FaultKind::NoRoom, FaultKind::NoRoom, FaultKind::NoRoom, FaultKind::Disk]);
        let fault = Fault::from(redb::StorageError::Io(io::Error::from_raw_os_error(28)));
        assert_eq!(OpenError::from(fault).fault_kind(), Some(FaultKind::NoRoom));
    }
}
