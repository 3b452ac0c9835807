//! The daemon tells the product's own server what became of texts, who opted out, and when failures repeat.
//!
//! The journal is the outbox, and a durable cursor says how far it is told: at least once, in order for each message, for
//! as long as it takes. Nothing waits for a receiver that is away. What it missed is read from archives, if need be.

mod notice;
mod receiver;
mod standing;
mod teller;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::events::Events as Config;
use crate::engine::duty::Duty;

pub use receiver::ReceiverError;
pub use standing::{Standing, Stuck, Told};

use receiver::Receiver;
use teller::Teller;

/// Longest time for what is on the wire when the daemon stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The loop that tells, and how it stands.
#[derive(Debug)]
pub struct Events {
    standing: Arc<Standing>,
    telling: Mutex<Option<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
}

impl Events {
    /// Starts telling, if there is somebody to tell. The first time it begins with what happens from now on.
    ///
    /// # Errors
    /// When the client can't be set up. That the server can't be reached is no error: it is tried again and again.
    pub fn begin(
        config: Option<&Config>,
        duty: &Arc<Duty>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Arc<Self>>, ReceiverError> {
        let Some(config) = config else { return Ok(None) };
        let receiver = Receiver::new(config, Arc::clone(clock))?;
        let standing = Arc::<Standing>::default();
        let (stop, stopping) = watch::channel(false);
        let teller = Teller::new(Arc::clone(duty), Arc::clone(clock), receiver, Arc::clone(&standing));
        let telling = Mutex::new(Some(tokio::spawn(teller.run(stopping))));
        Ok(Some(Arc::new(Self { standing, telling, stop })))
    }

    /// How things stand.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Tells nothing more, hears what is on the wire if that takes no longer than some seconds, and ends. The rest is told
    /// after the next start.
    pub async fn finish(&self) {
        self.stop.send_replace(true);
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut telling) = telling
            && tokio::time::timeout(LAST_WORDS, &mut telling).await.is_err()
        {
            telling.abort();
        }
    }
}
