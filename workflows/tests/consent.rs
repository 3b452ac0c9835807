//! Laws of consent: an opt-out is never lost, and an older opt-in never undoes a newer opt-out.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may end by panicking")]

use dunlin_workflows::actor::Reason;
use dunlin_workflows::consent::{
    Command, Consent, Event, Finding, How, Inbound, Line, Meaning, OptOutType, Rejection, Reply, Standing,
    decide, read, reply,
};
use dunlin_workflows::id::ProviderSid;
use dunlin_workflows::rules::Sending;
use dunlin_workflows::timestamp::Timestamp;
use proptest::prelude::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + minute * 60_000)
}

fn sid(n: u32) -> ProviderSid {
    format!("SM{n:032x}").parse().unwrap()
}

fn text(n: u32, words: &str) -> Inbound {
    Inbound { sid: sid(n), words: words.into(), line: Line::LongCode, opt_out_type: None }
}

fn reason() -> Reason {
    "told us by phone".parse().unwrap()
}

/// Somebody's consent, as the engine keeps it: a text is heard once.
#[derive(Debug, Clone, Default)]
struct Person {
    consent: Consent,
    heard: Vec<ProviderSid>,
    events: Vec<Event>,
}

impl Person {
    fn tell(&mut self, command: &Command, now: Timestamp) -> Result<(), Rejection> {
        if let Command::Hear(inbound) = command
            && self.heard.contains(&inbound.sid)
        {
            return Ok(());
        }
        for event in decide(&self.consent, command, Some(&reason()), now)? {
            self.consent.apply(&event);
            self.heard.extend(event.heard());
            self.events.push(event);
        }
        Ok(())
    }

    fn hears(words: &[&str]) -> Self {
        let mut person = Self::default();
        for (n, words) in (1..).zip(words) {
            person.tell(&Command::Hear(text(n, words)), at(n.into())).unwrap();
        }
        person
    }
}

#[test]
fn keywords_mean_what_the_law_and_the_provider_say() {
    use Meaning::{Help, In, MaybeOut, Nothing, Out};
    let (out, back) = (Out(How::Keyword), In(How::Keyword));
    let table = [
        ("STOP", out),
        ("stop", out),
        (" Stop.\n", out),
        ("\"STOP\"", out),
        ("Stop!!! \u{1f6d1}", out),
        ("\u{ff33}\u{ff34}\u{ff2f}\u{ff30}", out),
        ("S\u{200b}TOP", out),
        ("Quit", out),
        ("END", out),
        ("revoke", out),
        ("opt out", out),
        ("Opt-Out", out),
        ("OPTOUT", out),
        ("opt  out", out),
        ("cancel", out),
        ("Unsubscribe", out),
        ("StopAll", out),
        ("START", back),
        ("unstop", back),
        ("Yes", back),
        ("yes!", back),
        ("HELP", Help),
        ("info?", Help),
        ("STOP please", MaybeOut),
        ("please stop texting me", MaybeOut),
        ("Stop all", MaybeOut),
        ("Don\u{2019}t text me again", MaybeOut),
        ("do not contact me", MaybeOut),
        ("take me off your list", MaybeOut),
        ("unsubscribe me", MaybeOut),
        ("cancel my texts", MaybeOut),
        ("I want to opt out", MaybeOut),
        ("I revoke my consent", MaybeOut),
        ("don't stop", MaybeOut),
        ("", Nothing),
        ("?", Nothing),
        ("Thanks", Nothing),
        ("start over", Nothing),
        ("yes please", Nothing),
        ("see you at the weekend", Nothing),
        ("can you cancel my order", Nothing),
        ("nonstop", Nothing),
    ];
    for (words, meaning) in table {
        assert_eq!(read(&text(1, words)), meaning, "{words:?}");
    }
}

#[test]
fn yes_is_only_an_answer_where_the_provider_takes_it_for_one() {
    for (to, meaning) in [
        ("+15005550006", Meaning::In(How::Keyword)),
        ("+18005550100", Meaning::Nothing),
        ("12345", Meaning::Nothing),
    ] {
        let inbound = Inbound { line: Line::of(to), ..text(1, "YES") };
        assert_eq!(read(&inbound), meaning, "{to}");
    }
}

#[test]
fn of_two_readings_the_one_that_sends_less_counts() {
    let said = |words, kind| read(&Inbound { opt_out_type: Some(kind), ..text(1, words) });
    assert_eq!(said("STOP", OptOutType::Start), Meaning::Out(How::Keyword));
    assert_eq!(said("ARRET", OptOutType::Stop), Meaning::Out(How::Provider));
    assert_eq!(said("JOIN", OptOutType::Start), Meaning::In(How::Provider));
    assert_eq!(said("please stop", OptOutType::Other), Meaning::MaybeOut);
}

#[test]
fn older_start_replayed_does_not_undo_a_newer_stop() {
    let mut person = Person::hears(&["START", "STOP"]);
    person.tell(&Command::Hear(text(1, "START")), at(9)).unwrap();
    assert!(person.consent.standing.is_out());
    let before = person.events.len();
    let refused = person.tell(&Command::OptIn { said_at: at(1) }, at(10));
    assert_eq!(refused, Err(Rejection::NewerOptOut { since: at(2) }));
    assert_eq!(person.events.len(), before);
    person.tell(&Command::Hear(text(3, "START")), at(11)).unwrap();
    assert!(!person.consent.standing.is_out(), "a new START of theirs lifts it");
}

#[test]
fn opt_out_that_comes_while_the_clock_is_wrong_still_counts() {
    let mut person = Person::default();
    person.tell(&Command::Hear(text(1, "START")), at(100)).unwrap();
    person.tell(&Command::Hear(text(2, "STOP")), at(5)).unwrap();
    assert!(person.consent.standing.is_out());
}

#[test]
fn refusal_of_a_text_from_before_their_start_is_old_news() {
    let mut person = Person::hears(&["STOP", "START"]);
    person.tell(&Command::Refuse { tried_at: at(1) }, at(3)).unwrap();
    assert!(!person.consent.standing.is_out());
    person.tell(&Command::Refuse { tried_at: at(3) }, at(4)).unwrap();
    assert_eq!(person.consent.standing, Standing::OptedOut { since: at(4), how: How::Refusal });
    let before = person.events.len();
    person.tell(&Command::Refuse { tried_at: at(4) }, at(5)).unwrap();
    assert_eq!(person.events.len(), before, "the same again says nothing new");
}

#[test]
fn words_that_sound_like_an_opt_out_count_until_somebody_read_them() {
    let mut person = Person::hears(&["START", "please stop", "stop it now"]);
    assert_eq!(person.consent.standing.how(), Some(How::Words));
    let resolve = |n, finding| Command::Resolve { text: sid(n), finding };
    assert_eq!(
        person.tell(&resolve(2, Finding::NotOne), at(5)),
        Err(Rejection::NewerText { text: sid(3) }),
        "who decides has read the newest"
    );
    let mut dismissed = person.clone();
    dismissed.tell(&resolve(3, Finding::NotOne), at(5)).unwrap();
    assert_eq!(dismissed.consent.standing, Standing::OptedIn { since: at(1), how: How::Keyword });
    person.tell(&resolve(3, Finding::OptOut), at(5)).unwrap();
    assert!(person.consent.standing.is_out() && person.consent.review.is_none());
    assert_eq!(person.tell(&resolve(3, Finding::NotOne), at(6)), Err(Rejection::NoReview));
}

#[test]
fn stop_during_a_review_can_t_be_dismissed_with_it() {
    let mut person = Person::hears(&["please stop", "STOP"]);
    let dismissed = person.tell(&Command::Resolve { text: sid(1), finding: Finding::NotOne }, at(5));
    assert_eq!(dismissed, Err(Rejection::NoReview));
    assert!(person.consent.standing.is_out());
}

#[test]
fn link_opts_out_once_ends_a_review_and_counts_again_after_their_start() {
    let mut person = Person::hears(&["please stop"]);
    person.tell(&Command::UseLink, at(5)).unwrap();
    assert_eq!(person.consent.standing, Standing::OptedOut { since: at(5), how: How::Link });
    assert!(person.consent.is_firmly_out(), "nobody need read what they wrote");
    let before = person.events.len();
    person.tell(&Command::UseLink, at(6)).unwrap();
    assert_eq!(person.events.len(), before, "once more says nothing new");
    person.tell(&Command::Hear(text(2, "START")), at(7)).unwrap();
    person.tell(&Command::UseLink, at(8)).unwrap();
    assert_eq!(person.consent.standing, Standing::OptedOut { since: at(8), how: How::Link });
}

#[test]
fn opt_out_is_lifted_on_record_only_with_a_reason() {
    let person = Person::hears(&["STOP"]);
    let lifted = decide(&person.consent, &Command::OptIn { said_at: at(5) }, None, at(5));
    assert_eq!(lifted, Err(Rejection::ReasonNeeded));
}

#[test]
fn who_opts_out_is_told_so_once_and_never_beside_the_provider() {
    let confirmed = |before: &[&str], inbound: &Inbound| {
        let before = Person::hears(before);
        let mut after = before.clone();
        after.tell(&Command::Hear(inbound.clone()), at(9)).unwrap();
        let off = reply(&before.consent, &after.consent, inbound, Sending::Disabled);
        assert_eq!(off, Reply::Nothing, "a confirmation is a text too");
        reply(&before.consent, &after.consent, inbound, Sending::Enabled) == Reply::Confirmation
    };
    assert!(!confirmed(&[], &text(7, " stop ")), "the provider answers its own keywords");
    assert!(!confirmed(&[], &Inbound { opt_out_type: Some(OptOutType::Stop), ..text(7, "opt out") }));
    assert!(confirmed(&[], &text(7, "opt out")) && confirmed(&[], &text(7, "please stop")));
    assert!(confirmed(&[], &Inbound { line: Line::ShortCode, ..text(7, "STOP") }));
    assert!(!confirmed(&["STOP"], &text(7, "opt out")), "known already");
    assert!(!confirmed(&[], &text(7, "START")));
}

/// Everything that can be told, from few texts and times.
fn told() -> Vec<Command> {
    let hear = |n, words| Command::Hear(text(n, words));
    vec![
        hear(1, "STOP"),
        hear(2, "START"),
        hear(3, "please stop"),
        hear(4, "HELP"),
        Command::OptOut { said_at: at(1) },
        Command::OptIn { said_at: at(2) },
        Command::Refuse { tried_at: at(1) },
        Command::Resolve { text: sid(3), finding: Finding::NotOne },
        Command::Remember { since: at(0) },
        Command::UseLink,
    ]
}

fn lifts(command: &Command) -> bool {
    matches!(command, Command::OptIn { .. } | Command::Resolve { .. })
        || matches!(command, Command::Hear(inbound) if &*inbound.words == "START")
}

fn check(person: &Person, command: &Command, now: Timestamp) -> Person {
    let mut after = person.clone();
    let refused = after.tell(command, now).is_err();
    assert!(!refused || after.consent == person.consent, "who is refused changes nothing");
    if person.consent.standing.is_out() && !after.consent.standing.is_out() {
        assert!(lifts(command), "{command:?} undid an opt-out");
        let again = matches!(command, Command::Hear(inbound) if person.heard.contains(&inbound.sid));
        assert!(!again, "a text that was heard before undid an opt-out");
    }
    if matches!(command, Command::OptOut { .. } | Command::UseLink) {
        assert!(after.consent.standing.is_out(), "an opt-out always counts");
    }
    if after.consent.review.is_some() {
        assert!(after.consent.standing.is_out(), "what waits to be read counts meanwhile");
    }
    let mut folded = Consent::default();
    after.events.iter().for_each(|event| folded.apply(event));
    assert_eq!(folded, after.consent, "the fold of the events is what is known");
    after
}

#[test]
fn no_four_things_that_are_told_lose_an_opt_out() {
    let mut persons = vec![Person::default()];
    for round in 0..4 {
        let next = persons
            .iter()
            .flat_map(|person| told().into_iter().map(move |command| check(person, &command, at(round + 2))));
        persons = next.collect();
    }
    assert_eq!(persons.len(), 10_usize.pow(4));
}

proptest! {
    #[test]
    fn no_order_clock_or_repetition_loses_an_opt_out(
        steps in prop::collection::vec((0_usize..10, 0_i64..20), 0..40),
    ) {
        let mut person = Person::default();
        for (n, minute) in steps {
            if let Some(command) = told().get(n) {
                person = check(&person, command, at(minute));
            }
        }
    }

    #[test]
    fn any_words_are_read_without_harm(words in "\\PC{0,60}") {
        let meaning = read(&text(1, &words));
        let shouted = read(&text(1, &format!("  {}!! ", words.trim())));
        prop_assert!(meaning == shouted || words.trim().ends_with(|c: char| c.is_ascii_punctuation() || !c.is_ascii()));
    }
}
