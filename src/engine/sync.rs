//! What is asked of the engine on behalf of a database that several daemons share.

use dunlin_storage::{DaemonId, JournalSeq, PullCursor};
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::engine::answer::Ready;
use crate::engine::ask::{Ask, AskError};
use crate::engine::turn::{Turn, TurnError};

/// What is asked on behalf of a shared database.
#[derive(Debug)]
pub enum SyncAsk {
    /// What the database knows this daemon by.
    Daemon {
        /// Where the answer goes.
        reply: oneshot::Sender<DaemonId>,
    },
    /// The database's changes are taken in up to here.
    Pulled {
        /// The database's own words for it.
        cursor: PullCursor,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
    /// The database has learned of the journal up to and including this position.
    Pushed {
        /// The position.
        seq: JournalSeq,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
}

impl Engine {
    /// What a shared database knows this daemon by. Drawn when it is asked for first; answered after it is durable.
    ///
    /// # Errors
    /// [`AskError::Busy`], [`AskError::Stopping`] and [`AskError::NoRoom`].
    pub async fn daemon_id(&self) -> Result<DaemonId, AskError> {
        self.ask(64, |reply| Ask::Sync(SyncAsk::Daemon { reply })).await
    }

    /// Remembers how far the database's changes were taken in. Everything that was asked and answered before is
    /// durable no later than this.
    ///
    /// # Errors
    /// As [`Engine::daemon_id`].
    pub async fn note_pulled(&self, cursor: PullCursor) -> Result<(), AskError> {
        let bytes = 64_usize.saturating_add(cursor.as_str().len());
        self.ask(bytes, |reply| Ask::Sync(SyncAsk::Pulled { cursor, reply })).await
    }

    /// Remembers that the database has learned of the journal up to and including `seq`: from the first time on,
    /// nothing after it is archived. A position before one that was noted changes nothing.
    ///
    /// # Errors
    /// As [`Engine::daemon_id`].
    pub async fn note_pushed(&self, seq: JournalSeq) -> Result<(), AskError> {
        self.ask(64, |reply| Ask::Sync(SyncAsk::Pushed { seq, reply })).await
    }
}

/// Carries out one ask. Only a failure of the store is an error here.
pub(super) fn answer(turn: &mut Turn<'_, '_>, ask: SyncAsk) -> Result<Ready, TurnError> {
    Ok(match ask {
        SyncAsk::Daemon { reply } => Ready::Named(reply, turn.batch.daemon_id()?),
        SyncAsk::Pulled { cursor, reply } => {
            turn.batch.set_pull_cursor(&cursor)?;
            Ready::Heard(reply)
        }
        SyncAsk::Pushed { seq, reply } => {
            turn.batch.set_pushed(seq)?;
            Ready::Heard(reply)
        }
    })
}
