//! Sealing: what identifies a person or is written to them stands in the file as ciphertext only.
//!
//! Every person has a data key of their own, drawn at random and wrapped by the master key. Whoever
//! destroys the wrapped key destroys every text and number sealed with it, in every copy of the file
//! that no longer holds it. The cipher is AES-256-GCM-SIV (RFC 8452): a nonce is the place of the
//! value, so nothing random need be stored, and a repeated nonce, as after restoring a backup, tells
//! no more than whether two values are the same.

mod cipher;
mod entropy;
mod keyring;

pub(crate) use cipher::{Place, open, seal};
pub use entropy::{Entropy, EntropyError};
pub(crate) use keyring::Key;
pub use keyring::{KeyId, Keyring, KeyringError};
