//! Verifying consent: every table about it says exactly what the records say.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_workflows::consent::{Event, How};
use dunlin_workflows::id::{PersonNumber, ProviderSid};

use super::fold::Fold;
use super::indexes::count;
use super::problem::{Problem, VerifyReport};
use crate::consent::ConsentProjection;
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::PersonEvent;
use crate::table;

/// What the records say of consent, besides its fold.
#[derive(Default)]
pub(super) struct Consents {
    records: BTreeMap<JournalSeq, PersonNumber>,
    heard: BTreeMap<ProviderSid, (JournalSeq, PersonNumber)>,
    /// Erased persons who had opted out, without those whose number was met again.
    erased: u64,
}

impl Consents {
    /// Notes a record that was just folded.
    pub(super) fn note(&mut self, seq: JournalSeq, person: PersonNumber, event: &PersonEvent, fold: &Fold) {
        let PersonEvent::Consent(event) = event else {
            let was_out = fold.consents.get(&person).is_some_and(|row| row.consent.standing.is_out());
            self.erased = self.erased.saturating_add(u64::from(was_out));
            return;
        };
        self.records.insert(seq, person);
        if let Some(text) = event.heard() {
            self.heard.insert(text, (seq, person));
        }
        if let Event::OptedOut { how: How::Memory, .. } = event {
            self.erased = self.erased.saturating_sub(1);
        }
    }

    /// Compares the tables with the records.
    pub(super) fn check(
        &self,
        reader: &Reader,
        fold: &Fold,
        report: &mut VerifyReport,
    ) -> Result<(), ReadError> {
        let consents = reader.open(table::CONSENTS)?;
        let differs = |table, person| Problem::DifferentConsent { table, person };
        for (person, folded) in &fold.consents {
            report.consents = report.consents.saturating_add(1);
            let row = consents.get(person.get()).map_err(Fault::from)?;
            let row = row.and_then(|bytes| ConsentProjection::take(person.get(), bytes.value()).ok());
            if row != Some(*folded) {
                report.add(differs("consents", *person));
            }
        }
        count(report, "consents", length(fold.consents.len()), &consents)?;

        let records = reader.open(table::CONSENT_RECORDS)?;
        for (seq, person) in &self.records {
            let entry = records.get(seq.get()).map_err(Fault::from)?;
            if entry.is_none_or(|entry| entry.value() != person.get()) {
                report.add(differs("consent_records", *person));
            }
        }
        count(report, "consent_records", length(self.records.len()), &records)?;

        let heard = reader.open(table::HEARD_TEXTS)?;
        for (text, (seq, person)) in &self.heard {
            let entry = heard.get(text.as_bytes()).map_err(Fault::from)?;
            if entry.is_none_or(|entry| entry.value() != seq.get()) {
                report.add(differs("heard_texts", *person));
            }
        }
        count(report, "heard_texts", length(self.heard.len()), &heard)?;

        let open = fold.consents.iter().filter(|(_, row)| row.consent.review.is_some());
        let open: BTreeSet<PersonNumber> = open.map(|(person, _)| *person).collect();
        let reviews = reader.open(table::REVIEWS)?;
        for person in &open {
            if reviews.get(person.get()).map_err(Fault::from)?.is_none() {
                report.add(differs("reviews", *person));
            }
        }
        count(report, "reviews", length(open.len()), &reviews)?;
        count(report, "erased_opt_outs", self.erased, &reader.open(table::ERASED_OPT_OUTS)?)?;
        Ok(())
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
