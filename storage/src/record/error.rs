//! Why persisted bytes can't be read, or an event can't be persisted.

/// Why persisted bytes can't be read, or an event can't be persisted. Never a guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than the envelope.
    #[error(
        "{length} bytes are too few for an envelope of {envelope}; the bytes are damaged: restore a backup"
    )]
    TooShort {
        /// Bytes there are.
        length: usize,
        /// Bytes the envelope takes.
        envelope: usize,
    },
    /// The header promises another length.
    #[error("{promised} payload bytes are promised, {found} follow; the bytes are damaged: restore a backup")]
    WrongLength {
        /// Bytes the header promises.
        promised: u32,
        /// Bytes that follow it.
        found: usize,
    },
    /// The checksum does not fit.
    #[error(
        "the checksum is {stored:08x}, the bytes give {computed:08x}; they are damaged: restore a backup"
    )]
    WrongChecksum {
        /// What the envelope says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// An envelope, kind, type or codec that this version does not know.
    #[error("{what} {number} is unknown; written by a newer dunlin: upgrade")]
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// Its number.
        number: u8,
    },
    /// A type version that this version does not know.
    #[error("version {version} of \"{name}\" is unknown; written by a newer dunlin: upgrade")]
    UnknownVersion {
        /// Name of the event or row.
        name: &'static str,
        /// The version.
        version: u8,
    },
    /// A form that is read only while a store is upgraded.
    #[error(
        "version {version} of \"{name}\" is in clear; start the daemon on the store once, which seals it, and export again"
    )]
    InClear {
        /// Name of the event.
        name: &'static str,
        /// The version.
        version: u8,
    },
    /// A word that this version does not know.
    #[error("{what} {tag} is unknown; written by a newer dunlin: upgrade")]
    UnknownTag {
        /// What kind of word.
        what: &'static str,
        /// Its number.
        tag: u8,
    },
    /// The codec can't write or read the payload.
    #[error("the payload does not fit its type: {why}")]
    Payload {
        /// The codec's words; they name no content.
        why: String,
    },
    /// A field holds something its type forbids.
    #[error("{what} holds a value that is not allowed")]
    Value {
        /// Which field.
        what: &'static str,
    },
    /// A sealed value does not open: it was changed, moved, or sealed with another key.
    #[error("the sealed {what} does not open; it was changed or moved: restore a backup")]
    Sealed {
        /// Which value.
        what: &'static str,
    },
    /// The machine has no cipher.
    #[error("this machine can't encrypt; nothing is stored in clear")]
    NoCipher,
    /// The event is too large to persist.
    #[error("the event has {length} bytes; at most {max} are kept", max = super::codec::PAYLOAD_BYTES_MAX)]
    TooLong {
        /// Bytes of its payload.
        length: usize,
    },
}
