//! Streams within a turn: what went lately to whom ever, counted with the attempt that sends, and the lines of those
//! who wait for a place. And what was said to a person lately, so that nothing is said twice by mistake.

use std::sync::Arc;

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::{Event, Hold, Request};
use dunlin_workflows::policy::{Flow, Recipient, Stream};
use dunlin_workflows::timestamp::Timestamp;

use crate::engine::turn::{Turn, TurnError};

impl Turn<'_, '_> {
    /// What went lately in the streams in which a text to this person is limited; none unless the rules name some.
    pub(super) fn flows(
        &mut self,
        person: PersonNumber,
        is_verified: bool,
    ) -> Result<Vec<(Stream, Arc<Flow>)>, TurnError> {
        let limits = &self.rules.limits;
        if !limits.counts_streams() {
            return Ok(Vec::new());
        }
        let Some(number) = self.batch.number_of(person)? else { return Ok(Vec::new()) };
        let (batch, regions) = (&mut *self.batch, &mut self.memory.regions);
        let is_new = || Ok::<_, TurnError>(!is_verified && !batch.was_texted(person)?);
        let streams = limits.streams(number, || regions.of(number), is_new)?;
        let flows = streams.into_iter().map(|stream| {
            let flow = self.batch.flow(&stream)?;
            Ok((stream, flow))
        });
        flows.collect()
    }

    /// When this text went last to this person, if that is a reason not to send it. A text that somebody tries again
    /// is meant to be the same.
    pub(super) fn same_text(
        &mut self,
        person: PersonNumber,
        request: &Request,
    ) -> Result<Option<Timestamp>, TurnError> {
        if request.retry_of.is_some() || !self.remembers(request) {
            return Ok(None);
        }
        let last = self.batch.said_last(person, &request.body)?;
        // The first text said the same with a line more.
        let Some(line) = &self.rules.limits.opt_out_line else { return Ok(last) };
        let first = line.at_the_end_of(&request.body, &self.token_for(line, person)?);
        Ok(last.max(self.batch.said_last(person, &first)?))
    }

    fn remembers(&self, request: &Request) -> bool {
        let may_repeat = || self.rules.kinds.get(request.kind.as_ref()).is_some_and(|kind| kind.may_repeat);
        self.rules.limits.duplicate_window.is_some() && !may_repeat()
    }

    /// The first attempt of a message begins: it is counted wherever it is limited, once.
    pub(super) fn goes(
        &mut self,
        person: PersonNumber,
        recipient: Recipient,
        request: &Request,
    ) -> Result<(), TurnError> {
        let limits = &self.rules.limits;
        // What is known of a stream is shared with nobody else while it is changed.
        let streams: Vec<Stream> = recipient.flows.into_iter().map(|(stream, _)| stream).collect();
        for stream in streams {
            let rate = limits.rate_of(&stream);
            self.batch.change_flow(&stream, |flow| flow.count(self.now, rate))?;
            if let Stream::Block(_) = stream {
                self.batch.texts(person);
            }
        }
        if let Some(window) = limits.duplicate_window.filter(|_| self.remembers(request)) {
            self.batch.say(person, &request.body, self.now, self.now.minus(window))?;
        }
        Ok(())
    }

    /// What waits for a place in a stream stands in its line.
    pub(super) fn stands_in_line(
        &mut self,
        recipient: &Recipient,
        events: &[Event],
    ) -> Result<(), TurnError> {
        for event in events {
            let Event::Held { hold, until } = event else { continue };
            let stream = recipient.flow(*hold).map(|(stream, _)| stream.clone());
            if let Some(stream) = stream {
                let rate = self.rules.limits.rate_of(&stream);
                self.batch.change_flow(&stream, |flow| flow.line_up(*until, self.now, rate))?;
            }
        }
        Ok(())
    }

    /// Somebody sends what was held for the sake of its number: they vouch for numbers like it, which are counted anew.
    pub(super) fn vouched(&mut self, recipient: &Recipient) -> Result<(), TurnError> {
        if let Some((stream, _)) = recipient.flow(Hold::FraudVelocity) {
            self.batch.change_flow(stream, |flow| *flow = Flow::default())?;
        }
        Ok(())
    }
}
