//! The provider's error codes that concern messages, verification and webhooks.
//!
//! Source: the provider's error dictionary, <https://www.twilio.com/docs/api/errors> (2026-11-23). Cause
//! and remedy are ours. Delays are ours too, unless the provider names one.

use std::time::Duration;

use super::FailureClass::{
    Ambiguous, Configuration, Content, OptedOut, Rate, Recipient, Transient, Verification, Webhook,
};
use super::Retry::{Lookup, Never};
use super::{FailureClass, ProviderError, Retry};

/// Concurrency refusals end with the requests in flight.
pub(super) const LANE_1_S: Retry = lane(1);
const LANE_1_MIN: Retry = lane(60);
/// Somebody has to change a setting: often enough to notice, seldom enough to be harmless.
pub(super) const LANE_5_MIN: Retry = lane(5 * 60);
const LANE_10_MIN: Retry = lane(10 * 60);
/// Somebody has to deal with the provider or a carrier first.
const LANE_1_H: Retry = lane(60 * 60);
const LANE_3_H: Retry = lane(3 * 60 * 60);

const UNSENT_1_MIN: Retry = unsent(60, 3);
const UNSENT_10_MIN: Retry = unsent(10 * 60, 3);
/// Somebody has to allow a country or a number; other messages of the lane go on.
const UNSENT_1_H: Retry = unsent(60 * 60, 5);
/// Five waits outlast the longest quiet hours, 20:00 to 9:00.
const UNSENT_3_H: Retry = unsent(3 * 60 * 60, 6);
/// Daily caps reset at a carrier's local midnight. A fixed wait needs no time zone, and four of them
/// pass any midnight.
const UNSENT_6_H: Retry = unsent(6 * 60 * 60, 5);

const MAYBE_10_MIN: Retry = maybe_later(10 * 60, 2);
/// Unreachable handset: at least half an hour, three times at most, says the provider.
const MAYBE_30_MIN: Retry = maybe_later(30 * 60, 3);
const MAYBE_1_H: Retry = maybe_later(60 * 60, 2);
const MAYBE_6_H: Retry = maybe_later(6 * 60 * 60, 2);

const fn lane(seconds: u64) -> Retry {
    Retry::LaneCooldown { after: Duration::from_secs(seconds) }
}

const fn unsent(seconds: u64, max_tries: u32) -> Retry {
    Retry::Unsent { after: Duration::from_secs(seconds), max_tries }
}

const fn maybe_later(seconds: u64, max_tries: u32) -> Retry {
    Retry::MaybeLater { after: Duration::from_secs(seconds), max_tries }
}

const fn entry(
    code: u32,
    class: FailureClass,
    retry: Retry,
    cause: &'static str,
    remedy: &'static str,
) -> ProviderError {
    ProviderError { code, class, retry, cause, remedy }
}

/// Every code we explain, in ascending order.
#[rustfmt::skip] // One code a line: a table is read down.
pub const PROVIDER_ERRORS: &[ProviderError] = &[
    entry(11200, Webhook, Never, "The provider called our webhook and got no usable answer", "Check that the public URL reaches this server and that it answers within 15 seconds"),
    entry(11205, Webhook, Never, "The provider could not connect to our webhook", "Check DNS, firewall and that the public URL is not a private address"),
    entry(11206, Webhook, Never, "Our webhook answered with broken HTTP", "Check the proxy in front of this server, and that https goes to an https port"),
    entry(11210, Webhook, Never, "The host name of our webhook does not resolve", "Correct the public URL or its DNS record"),
    entry(11237, Webhook, Never, "The provider does not trust the certificate of our webhook", "Serve the full certificate chain of a public authority"),
    entry(11750, Webhook, Never, "Our webhook answered with more than 64 kB", "Find out what answers at the public URL; this server sends a short or empty answer"),
    entry(11751, Content, Never, "The media is larger than the channel takes", "Send smaller media"),
    entry(12100, Webhook, Never, "Our webhook answered with XML that cannot be read", "Find out what answers at the public URL; an error page of a proxy is the usual cause"),
    entry(12200, Webhook, Never, "Our webhook answered with XML the provider does not know", "Find out what answers at the public URL; this server sends only an empty response"),
    entry(12300, Content, Never, "The media has a content type the provider does not take", "Serve the media with its true Content-Type, or send another format"),
    entry(14107, Rate, UNSENT_1_MIN, "Two numbers answer each other in a loop, or too fast", "Find the automatic reply that answers itself, and stop it"),
    entry(15003, Webhook, Never, "Our webhook answered a status report with an error", "Read this server's log at that time; the report is fetched later anyway"),
    entry(20003, Configuration, LANE_5_MIN, "The provider does not accept our credentials", "Check the account SID and the key or token, and that test credentials are not mixed with live ones"),
    entry(20005, Configuration, LANE_5_MIN, "The account is not active", "Open the provider's console and reactivate the account"),
    entry(20006, Configuration, LANE_5_MIN, "Our credentials may not do this", "Use a key with permission to send messages"),
    entry(20008, Configuration, LANE_5_MIN, "Test credentials cannot do this", "Configure the live account SID and key"),
    entry(20010, Configuration, LANE_5_MIN, "The provider switched this off for the account", "Ask the provider's support to enable it"),
    entry(20403, Configuration, LANE_5_MIN, "The provider forbids this to the account", "Check the permissions of the key and the state of the account"),
    entry(20404, Configuration, LANE_5_MIN, "The provider does not know the account, service or sender we named", "Check each configured SID; for a code check it means the code expired: start again"),
    entry(20429, Rate, LANE_1_S, "Too many requests at once; this one was not processed", "Nothing to do; lower the concurrency if it keeps happening"),
    entry(20500, Ambiguous, Lookup, "The provider broke while it handled the request", "Wait for the lookup; do not send again by hand before it ends"),
    entry(20503, Ambiguous, Lookup, "The provider was unavailable while it handled the request", "Wait for the lookup; do not send again by hand before it ends"),
    entry(21211, Recipient, Never, "The recipient's number is not valid", "Correct the number"),
    entry(21212, Configuration, LANE_5_MIN, "The sender is not a valid number", "Correct the configured sender; write it in E.164"),
    entry(21214, Recipient, Never, "The recipient's number cannot be reached", "Check the number, and whether its carrier takes messages at all"),
    entry(21217, Recipient, Never, "The recipient's number does not look like a number", "Correct the number"),
    entry(21265, Recipient, Never, "The recipient is a short code, which takes no messages", "Use the person's own number"),
    entry(21266, Recipient, Never, "Recipient and sender are the same number", "Correct the recipient, or send from another number"),
    entry(21401, Recipient, Never, "The recipient's number is not valid", "Correct the number"),
    entry(21408, Configuration, UNSENT_1_H, "The account may not send to the recipient's country", "Enable that country under geo permissions in the provider's console"),
    entry(21601, Configuration, LANE_5_MIN, "The sender is not a number of ours that can send messages", "Configure a number that the account owns and that can send SMS"),
    entry(21602, Content, Never, "The message has neither text nor media", "Give it a body"),
    entry(21603, Configuration, LANE_5_MIN, "Neither a sender nor a messaging service was named", "Configure a sender number or a messaging service"),
    entry(21604, Recipient, Never, "No recipient was named", "Give the recipient's number"),
    entry(21605, Content, Never, "The text is longer than the old interface takes", "Shorten the text, or check that the base URL is the current interface"),
    entry(21606, Configuration, LANE_5_MIN, "The sender cannot send messages to this destination", "Configure a sender that can send SMS there, or a messaging service that has one"),
    entry(21607, Configuration, LANE_5_MIN, "A trial account can only send from its own trial number", "Configure the trial number, or upgrade the account"),
    entry(21608, Configuration, UNSENT_1_H, "A trial account can only send to numbers verified in it", "Verify this number in the provider's console, or upgrade the account"),
    entry(21609, Configuration, LANE_5_MIN, "The provider does not take our status callback URL", "Correct the public URL; its host name must be public and without underscores"),
    entry(21610, OptedOut, Never, "The person told this sender to stop", "Do not write to them; only their own START lifts it"),
    entry(21611, Rate, LANE_10_MIN, "The sender's queue at the provider is full", "Lower this sender's rate, or add senders"),
    entry(21612, Recipient, Never, "No route from this sender to the recipient", "Try another sender for this country"),
    entry(21614, Recipient, Never, "The recipient's number is not a mobile number", "Ask for a mobile number"),
    entry(21617, Content, Never, "The text is longer than 1600 characters", "Shorten the text"),
    entry(21618, Content, Never, "The provider cannot send this text", "Look for unusual characters, and shorten the text"),
    entry(21619, Content, Never, "The provider could not create the message from what we gave", "Check every field of the message; ask the provider's support if it looks right"),
    entry(21620, Content, Never, "A media URL is not valid", "Give a full public URL with https://"),
    entry(21623, Content, Never, "More than ten media files", "Send ten at most"),
    entry(21635, Recipient, Never, "The recipient's number is a landline", "Ask for a mobile number"),
    entry(21654, Configuration, Never, "Template variables were given without a template", "Name the template, or drop the variables"),
    entry(21655, Configuration, Never, "The template's SID is not valid", "Correct the template's SID"),
    entry(21656, Configuration, Never, "The template's variables are not valid", "Give them as one JSON object of strings"),
    entry(21657, Configuration, UNSENT_1_H, "The sender's name is not supported in the recipient's country", "Use a number, or register the name for that country"),
    entry(21659, Configuration, LANE_5_MIN, "The sender is not a number at this provider", "Configure a number that the account owns"),
    entry(21701, Configuration, LANE_5_MIN, "The messaging service does not exist", "Correct the messaging service's SID"),
    entry(21703, Configuration, LANE_5_MIN, "The messaging service has no number that can send this", "Add a number for the recipient's country to the service"),
    entry(21704, Configuration, LANE_5_MIN, "The messaging service has no senders", "Add a sender to the service"),
    entry(21705, Configuration, LANE_5_MIN, "The messaging service is not valid", "Correct the messaging service's SID"),
    entry(21712, Configuration, LANE_5_MIN, "The sender belongs to another messaging service", "Name that service, or move the sender"),
    entry(30001, Rate, UNSENT_10_MIN, "The sender's queue overflowed before this message was sent", "Lower this sender's rate, or add senders"),
    entry(30002, Configuration, LANE_1_H, "The account was suspended before this message was sent", "Open the provider's console: pay, or answer their notice"),
    entry(30003, Transient, MAYBE_30_MIN, "The handset is off or out of reach", "Try later if it still matters"),
    entry(30004, Recipient, Never, "The carrier or the handset blocks this message", "Do not write again until the person contacts you"),
    entry(30005, Recipient, Never, "The carrier does not know this number", "Ask the person for their current number"),
    entry(30006, Recipient, Never, "A landline, or a carrier that cannot be reached", "Ask for a mobile number"),
    entry(30007, Content, Never, "A filter of the provider or carrier took this for spam", "Stop this text everywhere, reword it, and check the sender's registration"),
    entry(30008, Transient, MAYBE_1_H, "The carrier did not deliver it and gave no reason", "Try once more later; if many fail, ask the provider's support"),
    entry(30009, Webhook, Never, "Part of a message to us was lost on the way", "Ask the person to send it again"),
    entry(30011, Recipient, Never, "The recipient's carrier takes no media", "Send text only"),
    entry(30017, Rate, MAYBE_10_MIN, "The carrier is congested", "Try later; slow down if it keeps happening"),
    entry(30018, Configuration, UNSENT_1_H, "The recipient's carrier wants the sender's name registered first", "Register the sender's name for that country"),
    entry(30019, Content, Never, "The carrier does not take content of this size", "Send smaller media"),
    entry(30020, Transient, MAYBE_10_MIN, "The provider's scheduler broke", "Try later; ask the provider's support if it keeps happening"),
    entry(30021, Transient, MAYBE_10_MIN, "The provider's messaging service broke", "Try later; ask the provider's support if it keeps happening"),
    entry(30022, Rate, UNSENT_1_MIN, "Faster than the carriers allow for this campaign", "Lower this sender's rate to what the campaign is registered for"),
    entry(30023, Rate, UNSENT_6_H, "The brand's daily cap is used up; it resets at midnight in Los Angeles", "Spread the messages over days, or raise the brand's trust score"),
    entry(30024, Configuration, LANE_1_H, "The carrier has not set up this sender yet", "Wait, or ask the provider's support about the sender"),
    entry(30027, Rate, UNSENT_6_H, "T-Mobile's daily limit is used up; it resets at midnight in Los Angeles", "Spread the messages over days, or raise the brand's trust score"),
    entry(30032, Configuration, LANE_1_H, "The toll-free sender is not verified", "Finish toll-free verification in the provider's console"),
    entry(30033, Configuration, LANE_1_H, "The sender's campaign is suspended", "Read the notice in the provider's console and answer it"),
    entry(30034, Configuration, LANE_1_H, "The sender is not registered for US messages", "Register a brand and a campaign, and add this number to it"),
    entry(30035, Configuration, LANE_3_H, "The sender's registration is still being set up", "Wait some hours; ask the provider's support after a day"),
    entry(30036, Transient, MAYBE_30_MIN, "It could not be delivered within its validity period", "Try later if it still matters; a longer validity helps busy senders"),
    entry(30037, Configuration, LANE_1_H, "The provider switched off outgoing messages for the account", "Read the notice in the provider's console and answer it"),
    entry(30038, Webhook, Never, "A one-time code sent to our number was filtered", "Nothing to do; numbers of ours cannot receive codes of other services"),
    entry(30039, Webhook, Never, "A message to us was filtered because it looked like a loop", "Find the automatic reply that answers itself, and stop it"),
    entry(30410, Ambiguous, Lookup, "The carrier did not answer in time; the provider gave up so as not to send twice", "Ask the person whether it came before sending again"),
    entry(30450, Transient, MAYBE_6_H, "Blocked as likely fraud: many messages to unusual numbers", "Find who causes these messages; then ask the provider to lift the block"),
    entry(30453, Transient, MAYBE_6_H, "Blocked as likely fraud that inflates traffic", "Find who causes these messages; then ask the provider to lift the block"),
    entry(30500, Transient, MAYBE_10_MIN, "The provider failed inside", "Try later; ask the provider's support if it keeps happening"),
    entry(30610, Transient, UNSENT_3_H, "The provider holds it back: quiet hours where the recipient lives", "Set quiet hours here too, so that it is sent at a permitted time"),
    entry(30640, OptedOut, Never, "The number is on a list of people who sue over messages", "Do not write to them"),
    entry(35111, Content, Never, "A scheduled message has no time", "Leave scheduling to this server, or give the time"),
    entry(35114, Content, Never, "The provider cannot schedule for that time", "Leave scheduling to this server; the provider takes minutes to 35 days ahead"),
    entry(35115, Content, Never, "The time is outside what the provider can schedule", "Leave scheduling to this server; the provider takes minutes to 35 days ahead"),
    entry(35117, Content, Never, "The time is too near or too far for the provider to schedule", "Leave scheduling to this server; the provider takes minutes to 35 days ahead"),
    entry(35118, Content, Never, "The provider schedules only through a messaging service", "Leave scheduling to this server, or configure a messaging service"),
    entry(35125, Rate, UNSENT_1_H, "The account has too many messages scheduled at the provider", "Leave scheduling to this server, or cancel some there"),
    entry(60200, Verification, Never, "A field of the verification request is not valid", "Check the number and the channel"),
    entry(60201, Verification, Never, "The template's translation is not approved", "Choose another language, or wait for the approval"),
    entry(60202, Verification, Never, "Too many wrong codes", "Let the person start again after ten minutes"),
    entry(60203, Verification, Never, "Too many codes sent to this number", "Let the person start again after ten minutes"),
    entry(60204, Verification, Never, "The verification service lacks this feature", "Enable it in the provider's console, or do without"),
    entry(60205, Recipient, Never, "A landline cannot get a code by message", "Ask for a mobile number, or call instead"),
    entry(60206, Verification, Never, "Payment verification needs an amount and a payee", "Give both, or switch that rule off in the service"),
    entry(60207, Verification, Never, "The verification service has too many rate limits", "Delete unused rate limits of the service"),
    entry(60208, Verification, Never, "A rate limit with that name exists", "Choose another name"),
    entry(60209, Verification, Never, "The rate limit's name has characters that are not allowed", "Use letters, digits, dash, underscore and dot"),
    entry(60210, Verification, Never, "The rate limit has too many buckets", "Delete unused buckets"),
    entry(60211, Verification, Never, "A bucket with that interval exists", "Change the existing bucket"),
    entry(60212, Verification, Never, "Several verifications of one number started at once", "Let the person try again in a moment; look for doubled requests"),
    entry(60217, Verification, Never, "The verification service is not set up for this channel", "Finish its setup in the provider's console"),
    entry(60220, Verification, Never, "Codes to China need an approved use", "Ask the provider's support for the approval"),
    entry(60221, Verification, Never, "Neither a number nor a verification was named", "Name one of them"),
    entry(60223, Verification, Never, "This channel is switched off in the verification service", "Enable it in the provider's console, or use another"),
    entry(60228, Verification, Never, "The verification template does not exist", "Correct the template's SID"),
    entry(60238, Verification, Never, "The provider blocked this verification", "Wait for a pending account review; some countries are never served"),
    entry(60410, Verification, Never, "Blocked as likely fraud for about 12 hours, all numbers with this prefix", "Wait; if these people are real, put the prefix on the safe list"),
    entry(60413, Verification, Never, "The device looks suspicious to the provider", "Let the person use another way; review the device rules if it is wrong"),
    entry(60605, Verification, Never, "Verification is switched off for the recipient's country", "Enable the country under verification geo permissions"),
    entry(63001, Configuration, LANE_5_MIN, "The channel does not accept our credentials", "Connect the channel again in the provider's console"),
    entry(63003, Recipient, Never, "The channel does not know the recipient", "Check that the person uses this channel, or send an SMS"),
    entry(63005, Content, Never, "The channel does not take this content", "Simplify the message"),
    entry(63006, Content, Never, "This content cannot be put into the channel's form", "Simplify the message"),
    entry(63007, Configuration, LANE_5_MIN, "The sender is not set up on this channel", "Configure a sender that exists on the channel"),
    entry(63008, Configuration, LANE_5_MIN, "The channel is set up wrongly at the provider", "Correct the channel in the provider's console"),
    entry(63009, Transient, MAYBE_10_MIN, "The channel's own service broke", "Try later"),
    entry(63010, Transient, MAYBE_10_MIN, "The provider broke while it handled this message", "Try later; ask the provider's support if it keeps happening"),
    entry(63012, Transient, MAYBE_10_MIN, "The channel's own service broke", "Try later"),
    entry(63013, Content, Never, "The message breaks the channel's rules", "Read the channel's rules and reword the message"),
    entry(63014, OptedOut, Never, "The person blocked this sender on the channel", "Do not write to them on this channel"),
    entry(63016, Content, Never, "Free text is allowed only within 24 hours of the person's last message", "Send an approved template"),
    entry(63017, Rate, LANE_1_MIN, "Too many messages in this second", "Lower the rate"),
    entry(63018, Rate, LANE_1_MIN, "Too many messages on this channel", "Lower the rate of this channel"),
    entry(63019, Content, Never, "The provider could not fetch the media", "Check that the media URL is public and not empty"),
    entry(63020, Configuration, LANE_5_MIN, "The business account at the channel has a problem", "Open the business account and resolve what it shows"),
    entry(63021, Content, Never, "The channel finds the content invalid", "Check template, variables and media"),
    entry(63024, Recipient, Never, "The recipient is not valid on this channel", "Check the number, or send an SMS"),
    entry(63027, Content, Never, "The template does not exist in this language", "Choose a language the template has"),
    entry(63028, Content, Never, "The number of variables does not match the template", "Give exactly the variables the template has"),
    entry(63030, Content, Never, "The channel does not take one of the options", "Drop the option; templates take no media"),
    entry(63033, OptedOut, Never, "The recipient may not be written to by this sender", "Do not write to them on this channel"),
    entry(63034, Content, Never, "The media is larger than the channel takes", "Send smaller media"),
    entry(63036, Transient, MAYBE_30_MIN, "The phone cannot be reached on this channel now", "Try later, or send an SMS"),
    entry(63038, Rate, UNSENT_6_H, "The account's daily limit on messages is used up", "Spread the messages over days, or ask for a higher limit"),
    entry(63040, Content, Never, "The template was rejected", "Correct the template and submit it for approval again"),
    entry(63041, Content, Never, "The template is paused because people complained", "Improve it or use another; it resumes by itself"),
    entry(63042, Content, Never, "The template is disabled because people complained", "Make another template"),
    entry(63049, Content, Never, "The channel's owner chose not to deliver this marketing message", "Do not repeat it; send fewer marketing messages"),
    entry(63112, Configuration, LANE_1_H, "The business account at the channel is disabled", "Open the business account and appeal"),
];
