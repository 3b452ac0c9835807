//! Failures that repeat: counted as they are recorded, and said once, in the same transaction.

use dunlin_storage::LaneNumber;
use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::lane;
use dunlin_workflows::message::Event;
use dunlin_workflows::source::Source;

use crate::engine::turn::{Turn, TurnError};

impl Turn<'_, '_> {
    /// Heeds what happened to a message: one of them may be one failure too many.
    pub(super) fn heed(&mut self, events: &[Event]) -> Result<(), TurnError> {
        for event in events {
            let alarm = self.memory.watch.hear(event, &self.memory.lane, self.rules.alarm, self.now);
            if let Some(alarm) = alarm {
                self.note_lane(&alarm, Source::Dispatcher)?;
            }
        }
        Ok(())
    }

    /// Wakes the small workflows that are due, and ends the alarms that are over.
    pub(super) fn wake(&mut self) -> Result<(), TurnError> {
        self.wake_instances()?;
        self.end_alarms()
    }

    fn end_alarms(&mut self) -> Result<(), TurnError> {
        while let Some(over) = self.memory.alarm_over(self.rules, self.now) {
            self.note_lane(&over, Source::Timer)?;
        }
        Ok(())
    }

    /// Journals what happened to the lane.
    pub(super) fn note_lane(&mut self, event: &lane::Event, source: Source) -> Result<(), TurnError> {
        self.memory.lane.apply(event);
        self.batch.record_lane(LaneNumber::FIRST, self.now, source, event, &self.memory.lane)?;
        match event {
            lane::Event::FailuresRepeated(alarm) => begun(alarm),
            lane::Event::FailuresEnded(alarm) => {
                tracing::warn!(code = %alarm.reason(), "failures do not repeat any more");
            }
            lane::Event::Cooled { .. } => {
                let alarm = self.memory.watch.rested(&self.memory.lane, self.rules.alarm, self.now);
                if let Some(alarm) = alarm {
                    self.note_lane(&alarm, source)?;
                }
            }
            lane::Event::Warmed => {}
        }
        Ok(())
    }
}

/// Says loudly what repeats, and what to do.
fn begun(alarm: &Alarm) {
    let reason = alarm.reason();
    tracing::error!(
        code = %reason,
        class = alarm.failure.class.as_str(),
        count = alarm.count,
        cause = %reason.cause(),
        remedy = %reason.remedy(),
        "FAILURES REPEAT"
    );
}
