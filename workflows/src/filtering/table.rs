//! The table: what carriers, providers, and companies that send through them say gets texts filtered.
//!
//! Carriers keep their filters to themselves, so none of this is sure, and nothing is here but what a source names. The word
//! "now", which one provider names beside "free", is left out: nearly every honest text has it.

use crate::filtering::Risk::{self, ForbiddenTopic, PromotionalWords};

/// By the provider; read 2026-11-29, as are all pages below.
const TWILIO: &str = "https://support.twilio.com/hc/en-us/articles/1260803966670";
const TWILIO_FORBIDDEN: &str = "https://support.twilio.com/hc/en-us/articles/360045004974";
const TWILIO_SUBSTANCES: &str = "https://www.twilio.com/docs/api/errors/30861";
const TWILIO_TOBACCO: &str = "https://www.twilio.com/docs/api/errors/30878";
/// By other providers.
const PLIVO: &str = "https://support.plivo.com/support/solutions/articles/17000087271";
const TELNYX: &str = "https://support.telnyx.com/en/articles/14286763";
const TELNYX_USE: &str = "https://support.telnyx.com/en/articles/1310359";
/// By companies that send through the provider and tell their customers what was filtered.
const VAGARO: &str = "https://support.vagaro.com/hc/en-us/articles/15282860216475";
const VETSPIRE: &str = "https://manual.vetspire.com/vetspire-user-manual/ok/Commercial/tips-to-prevent-sms-message-blocking-by-carriers";

/// Who says that capitals, and punctuation said over and over, are taken for spam.
pub const ON_SHOUTING: &str = VAGARO;

/// Hosts of shorteners that anybody may use, sorted, with who names them.
pub const SHORTENERS: [(&str, &str); 10] = [
    ("bc.vc", VETSPIRE),
    ("bit.ly", TWILIO),
    ("budurl.com", VETSPIRE),
    ("clicky.me", VETSPIRE),
    ("goo.gl", VETSPIRE),
    ("is.gd", VETSPIRE),
    ("s2r.co", VETSPIRE),
    ("soo.gd", VETSPIRE),
    ("tiny.cc", VETSPIRE),
    ("tinyurl.com", TWILIO),
];

/// Words, [folded](crate::folded) and sorted, with what they are about and who names them.
pub const TERMS: [(&str, Risk, &str); 52] = [
    ("adult content", ForbiddenTopic, TELNYX),
    ("alcohol", ForbiddenTopic, TELNYX_USE),
    ("auto loan", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("auto loans", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("betting tips", ForbiddenTopic, TELNYX),
    ("cannabis", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("casino", ForbiddenTopic, TELNYX),
    ("casinos", ForbiddenTopic, TELNYX),
    ("cbd", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("credit repair", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("cryptocurrency", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("debt collection", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("debt consolidation", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("debt forgiveness", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("debt reduction", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("delta 8", ForbiddenTopic, VAGARO),
    ("delta 9", ForbiddenTopic, VAGARO),
    ("e cig", ForbiddenTopic, TWILIO_SUBSTANCES),
    ("e cigarette", ForbiddenTopic, TWILIO_TOBACCO),
    ("e cigarettes", ForbiddenTopic, TWILIO_TOBACCO),
    ("extra cash", PromotionalWords, VAGARO),
    ("firearm", ForbiddenTopic, TELNYX),
    ("firearms", ForbiddenTopic, TELNYX),
    ("fireworks", ForbiddenTopic, TWILIO_SUBSTANCES),
    ("free", PromotionalWords, PLIVO),
    ("gambling", ForbiddenTopic, TELNYX),
    ("ganja", ForbiddenTopic, VAGARO),
    ("get rich quick", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("hemp", ForbiddenTopic, VAGARO),
    ("high interest loan", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("high interest loans", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("kratom", ForbiddenTopic, TWILIO_SUBSTANCES),
    ("loan forgiveness", ForbiddenTopic, TELNYX_USE),
    ("mortgage loan", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("mortgage loans", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("no credit check", PromotionalWords, VAGARO),
    ("offer", PromotionalWords, PLIVO),
    ("payday loan", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("payday loans", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("pornographic", ForbiddenTopic, TELNYX_USE),
    ("prescription drugs", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("pyramid scheme", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("sexual", ForbiddenTopic, TELNYX_USE),
    ("sports betting", ForbiddenTopic, TELNYX),
    ("student loan", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("student loans", ForbiddenTopic, TWILIO_FORBIDDEN),
    ("thc", ForbiddenTopic, VAGARO),
    ("tobacco", ForbiddenTopic, TELNYX),
    ("vape", ForbiddenTopic, TWILIO_TOBACCO),
    ("vaping", ForbiddenTopic, TELNYX),
    ("winner", PromotionalWords, PLIVO),
    ("work from home", ForbiddenTopic, TWILIO_FORBIDDEN),
];
