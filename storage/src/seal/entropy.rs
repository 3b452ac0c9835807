//! Where new keys come from.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// A source of random bytes for new keys. Clones share it.
#[derive(Clone)]
pub struct Entropy(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<blake3::OutputReader>>),
}

/// The machine gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the machine gave no random bytes, without which no key can be made")]
pub struct EntropyError;

impl Entropy {
    /// The machine's own, for everything real.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed: for simulations and fixtures, never for real people.
    pub fn seeded(seed: u64) -> Self {
        let stream = blake3::Hasher::new_derive_key("dunlin seeded entropy")
            .update(&seed.to_le_bytes())
            .finalize_xof();
        Self(Source::Seeded(Arc::new(Mutex::new(stream))))
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        match &self.0 {
            Source::System => SystemRandom::new().fill(bytes).map_err(|_unspecified| EntropyError),
            Source::Seeded(stream) => {
                let mut stream = stream.lock().map_err(|_poisoned| EntropyError)?;
                stream.fill(bytes);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
