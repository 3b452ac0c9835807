//! A daemon inside a program of yours: texts without HTTP in between, with everything that a daemon promises.
//!
//! [`SmsService`] is the whole daemon: its file, its engine, its gate, and the port on which the provider reports and
//! people's STOP arrives. [`TwilioClient`] is the provider's API alone, without the engine's promises.
//!
//! ```
//! use dunlin::config::Config;
//! use dunlin::config::environment::Environment;
//! use dunlin::service::{Due, Message, PublicStatus, SmsService, TaskReminder};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! // The variables of a daemon. Without an account at the provider nothing leaves this machine.
//! let environment = Environment::from([
//!     ("DUNLIN_DATA", directory.path().to_str().ok_or("a path in UTF-8")?),
//!     ("DUNLIN_LISTEN", "127.0.0.1:0"),
//! ]);
//! let service = SmsService::start(Config::of(&environment)?).await?;
//!
//! let reminder = TaskReminder {
//!     user_id: "ada".to_owned(),
//!     phone_number: Some("+15551234567".to_owned()),
//!     task_name: "Complete report".to_owned(),
//!     due: Due::Words("in 1 hour".to_owned()),
//!     context: None,
//! };
//! // With a key, whoever does not know whether it was accepted asks again, and it is sent once.
//! let message = Message::from(reminder).idempotency_key("task-42-due");
//! let sent = service.send_message(message.clone()).await?;
//! let again = service.send_message(message).await?;
//! assert_eq!((again.id, again.is_repeat), (sent.id, true));
//!
//! let mut standing = service.standing(sent.id)?;
//! while standing.status != PublicStatus::Delivered {
//!     assert!(!standing.is_over(), "{standing}");
//!     tokio::time::sleep(std::time::Duration::from_millis(5)).await;
//!     standing = service.standing(sent.id)?;
//! }
//! service.stop().await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod message;
mod standing;
mod twilio_client;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_workflows::actor::Origin;
use dunlin_workflows::source::Source;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use dunlin_workflows::id::{MessageId, ProviderSid};
pub use dunlin_workflows::message::{Hold, OnUnknown, Priority, ProviderStatus, PublicStatus, State};
pub use dunlin_workflows::policy::Ban;
pub use dunlin_workflows::timestamp::Timestamp;
pub use error::{Code, FieldError, SmsError};
pub use message::{DailyBrief, Due, Message, TaskReminder, UrgentAlert};
pub use standing::{Sent, Standing};
pub use twilio_client::{CodeCheck, ProviderMessage, TwilioClient, TwilioClientError};

use crate::config::Config;
use crate::daemon::{self, DaemonError};
use crate::http::App;
use crate::http::wording::Shelf as _;
use crate::shutdown::{Shutdown, Word};

/// As whom the service asks, on record with every text.
const ACTOR: &str = "library";

/// A running daemon. Dropping it stops the daemon in order, while the runtime lasts; [`SmsService::stop`] also waits for
/// that and tells how it went.
pub struct SmsService {
    app: Arc<App>,
    address: SocketAddr,
    word: Word,
    running: JoinHandle<Result<(), DaemonError>>,
}

impl SmsService {
    /// Starts a daemon on the current runtime, with what `dunlin serve` would be told. It listens on `config.listen`: the
    /// provider must reach it there, or through `config.public_url`, for reports and for texts of people.
    ///
    /// # Errors
    /// As `dunlin serve` does not start: [`DaemonError::InUse`] when another daemon has the directory.
    pub async fn start(config: Config) -> Result<Self, DaemonError> {
        let (word, shutdown) = Shutdown::by_word();
        let (tell, told) = oneshot::channel();
        let running = tokio::spawn(Box::pin(daemon::stand(config, None, shutdown, |up| {
            // Whoever started it may have gone meanwhile; then the word has been given too.
            drop(tell.send((Arc::clone(up.app), up.address)));
            Ok(())
        })));
        match told.await {
            Ok((app, address)) => Ok(Self { app, address, word, running }),
            Err(_ended) => Err(ended(running).await.err().unwrap_or_else(|| {
                DaemonError::Engine("it stopped before it stood, and nobody asked it to".to_owned())
            })),
        }
    }

    /// Where it listens, for everything else that the HTTP API does.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the daemon has ended by itself, as it does when the disk fails; [`SmsService::stop`] says why.
    pub fn has_ended(&self) -> bool {
        self.running.is_finished()
    }

    /// Accepts a text. Answered once it is durable, with where it stands then.
    ///
    /// # Errors
    /// [`SmsError`]: nothing was accepted, but where [`SmsError::Later`] says that it may have been.
    pub async fn send_message(&self, message: Message) -> Result<Sent, SmsError> {
        let zone = message.needs_zone().then(|| self.app.zone(message.user().as_ref())).transpose()?;
        let json = message.json(zone.flatten());
        let origin = Origin { source: Source::Api, actor: ACTOR.parse().ok(), reason: None };
        let receipt = self.app.accept_own(&message.asked(), json, message.key(), origin).await?;
        Ok(Sent::of(&receipt))
    }

    /// Reminds a user of a task: kind and template `task_reminder`.
    ///
    /// # Errors
    /// As [`SmsService::send_message`].
    pub async fn send_task_reminder(&self, reminder: TaskReminder) -> Result<Sent, SmsError> {
        self.send_message(reminder.into()).await
    }

    /// Tells a user that their brief is ready: kind `daily_brief`, template `daily_brief_ready`.
    ///
    /// # Errors
    /// As [`SmsService::send_message`].
    pub async fn send_daily_brief(&self, brief: DailyBrief) -> Result<Sent, SmsError> {
        self.send_message(brief.into()).await
    }

    /// Alerts a user: kind `urgent_alert`, template `notif_urgent_alert`, priority urgent. It passes their quiet hours if
    /// they let urgent alerts do so, and no other rule.
    ///
    /// # Errors
    /// As [`SmsService::send_message`].
    pub async fn send_urgent_alert(&self, alert: UrgentAlert) -> Result<Sent, SmsError> {
        self.send_message(alert.into()).await
    }

    /// Where a text stands now, archives included.
    ///
    /// # Errors
    /// [`SmsError::Refused`] when there is no such text.
    pub fn standing(&self, id: MessageId) -> Result<Standing, SmsError> {
        Ok(Standing::of(&self.app.message(id)?))
    }

    /// Stops in order: requests on the wire may finish, nothing new starts, the store is closed.
    ///
    /// # Errors
    /// How the daemon failed, if it did; nothing acknowledged is lost by that.
    pub async fn stop(self) -> Result<(), DaemonError> {
        drop(self.word);
        drop(self.app);
        ended(self.running).await
    }
}

impl fmt::Debug for SmsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsService({})", self.address)
    }
}

/// How a daemon ended.
async fn ended(running: JoinHandle<Result<(), DaemonError>>) -> Result<(), DaemonError> {
    running.await.unwrap_or_else(|broken| Err(DaemonError::Engine(broken.to_string())))
}

#[cfg(test)]
mod tests;
