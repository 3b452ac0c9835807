//! Small workflows within a turn: whoever has a timer is woken when it is due.

use dunlin_storage::InstanceKind;

use crate::engine::turn::{Turn, TurnError};

/// Most instances woken in one transaction; the next follows at once.
const WOKEN_PER_TURN: usize = 512;

impl Turn<'_, '_> {
    /// Wakes those whose timer is due. Each must move its timer, or it is woken again at once.
    pub(super) fn wake_instances(&mut self) -> Result<(), TurnError> {
        if self.memory.instances_due.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        for (kind, number) in self.batch.due_instances(self.now, WOKEN_PER_TURN)? {
            match kind {
                InstanceKind::Recurrence => self.wake_recurrence(number)?,
                InstanceKind::Verification => self.wake_verification(number)?,
                InstanceKind::User | InstanceKind::Template | InstanceKind::Allowance => {
                    tracing::warn!(number, kind = kind.as_str(), "it has a timer, which nothing set");
                }
            }
        }
        Ok(())
    }

    /// Remembers when the next one is due, after this turn's changes.
    pub(super) fn note_instances(&mut self) -> Result<(), TurnError> {
        if self.batch.touched_instances() {
            self.memory.instances_due = self.batch.next_instance_timer()?;
        }
        Ok(())
    }
}
