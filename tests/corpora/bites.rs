//! Every oracle catches code that is wrong, by a file of its corpus and no luck.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dunlin::cli::import::rows::{Format, Rows};
use dunlin::engine::provider::SubmitOutcome;
use dunlin::http::wish;
use dunlin::twilio::callback::StatusCallback;
use dunlin::twilio::inbound::InboundText;
use dunlin::twilio::messages::created;
use dunlin::twilio::signature::{SignatureError, Verifier};
use dunlin_storage::{Keyring, Record};
use dunlin_workflows::consent::{Meaning, read};
use dunlin_workflows::message::{Context, Event, Lease, Message, Next, decide, next};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::segment::segments;
use secrecy::SecretString;

use crate::bodies::signature::{KEY, signed};
use crate::bodies::slow_form::pairs;
use crate::bodies::slow_hash::{base64, crc32c, hmac_sha1, sha1};
use crate::bodies::{
    answer, body, callback, fold, import, inbound, keyring, life, phone_number, record, settings,
};
use crate::bodies::{signature, wish as wishes};
use crate::corpus;

/// Checks that a file of the corpus catches what `judge` judges, and that most files are not about it.
fn bites(target: &str, what: &str, judge: impl Fn(&[u8])) {
    let files = corpus::of(target);
    let count = files.len();
    let caught = files.iter().filter(|(_, bytes)| catch_unwind(AssertUnwindSafe(|| judge(bytes))).is_err());
    let caught = caught.count();
    assert!(caught > 0, "{target} lets {what} pass");
    assert!(caught < count, "{target} takes every file for {what}");
}

fn text_of(pairs: &[(String, String)]) -> Vec<u8> {
    pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]).flatten().copied().collect()
}

/// A signature of an address and of pairs that `order` puts in some order.
fn signing(order: fn(&mut Vec<(String, String)>)) -> impl Fn(&str, &[u8]) -> String {
    move |url, form| {
        let mut pairs = pairs(form);
        order(&mut pairs);
        base64(&hmac_sha1(KEY.as_bytes(), &[url.as_bytes(), &text_of(&pairs)].concat()))
    }
}

fn right(url: &str, form: &[u8], header: &str) -> Result<(), SignatureError> {
    Verifier::new(&[SecretString::from(KEY)]).verify(url, form, true, Some(header))
}

#[test]
fn a_signer_that_sorts_or_counts_otherwise_is_caught() {
    let judge = |sign: fn(&mut Vec<(String, String)>)| {
        move |input: &[u8]| signature::judge(input, signing(sign), right)
    };
    bites("signature", "a signer that does not sort", judge(|_pairs| {}));
    bites(
        "signature",
        "a signer that does not sort values",
        judge(|pairs| {
            pairs.sort_by(|one, other| one.0.cmp(&other.0));
            pairs.dedup();
        }),
    );
    bites("signature", "a signer that repeats what repeats", judge(|pairs| pairs.sort()));
    bites(
        "signature",
        "a signer that keeps one value of a name",
        judge(|pairs| {
            pairs.sort();
            pairs.dedup_by(|one, other| one.0 == other.0);
        }),
    );
    bites(
        "signature",
        "a signer that sorts what it concatenates",
        judge(|pairs| {
            pairs.sort_by_key(|(name, value)| format!("{name}{value}"));
            pairs.dedup_by_key(|(name, value)| format!("{name}{value}"));
        }),
    );
}

#[test]
fn a_verifier_that_is_strict_or_lenient_is_caught() {
    let exactly = |url: &str, form: &[u8], header: &str| match right(url, form, header) {
        Ok(()) if header != signed(url, form) => Err(SignatureError::Mismatch),
        verdict => verdict,
    };
    bites("signature", "a verifier of one spelling", |input| signature::judge(input, signed, exactly));
    let any_port = |url: &str, form: &[u8], header: &str| {
        right(url, form, header)
            .or_else(|no| right(&url.replace(".com", ".com:8443"), form, header).or(Err(no)))
    };
    bites("signature", "a verifier of any port", |input| signature::judge(input, signed, any_port));
    let small = |url: &str, form: &[u8], header: &str| {
        let verdict = right(url, form, header);
        verdict.or_else(|no| right(&url.replace("myapp", "mYapp"), form, header).or(Err(no)))
    };
    bites("signature", "a verifier of any case", |input| signature::judge(input, signed, small));
}

#[test]
fn a_counter_of_other_parts_is_caught() {
    let judge =
        |cut: fn(&str) -> Vec<&str>| move |input: &[u8]| body::judge(&String::from_utf8_lossy(input), cut);
    bites(
        "body",
        "a counter by letters",
        judge(|text| {
            let at = text.char_indices().nth(160).map(|(at, _)| at);
            let (first, rest) = text.split_at(at.unwrap_or(text.len()));
            [first, rest].into_iter().filter(|part| !part.is_empty()).collect()
        }),
    );
    bites(
        "body",
        "a counter that loses a part",
        judge(|text| {
            let mut parts = segments(text);
            parts.truncate(10);
            parts
        }),
    );
    bites(
        "body",
        "a counter that cuts one too many",
        judge(|text| {
            let mut parts = segments(text);
            if let Some(last) = parts.pop().filter(|_| text.len() > 300) {
                let (one, other) = last.split_at(last.char_indices().nth(1).map_or(last.len(), |(at, _)| at));
                parts.extend([one, other].into_iter().filter(|part| !part.is_empty()));
            } else {
                return segments(text);
            }
            parts
        }),
    );
}

#[test]
fn a_reader_of_callbacks_that_takes_the_last_word_is_caught() {
    bites("callback", "a reader that takes the last word", |input| {
        callback::judge(input, |form| {
            let fields: Vec<&[u8]> = form.split(|byte| *byte == b'&').rev().collect();
            StatusCallback::parse(&fields.join(&b'&'))
        });
    });
    bites("callback", "a reader that drops codes", |input| {
        callback::judge(input, |form| {
            let mut callback = StatusCallback::parse(form)?;
            callback.report.code = None;
            Ok(callback)
        });
    });
}

#[test]
fn a_reader_of_texts_that_overhears_a_stop_is_caught() {
    bites("inbound", "a reader that wants capitals", |input| {
        inbound::judge(input, InboundText::parse, |text| {
            let shouts = text.words.chars().any(|letter| letter.is_ascii_uppercase());
            if shouts { read(text) } else { Meaning::Nothing }
        });
    });
    bites("inbound", "a reader that believes the provider over the words", |input| {
        inbound::judge(input, InboundText::parse, |text| match text.opt_out_type {
            Some(_) => Meaning::Help,
            None => read(text),
        });
    });
}

#[test]
fn a_reader_of_numbers_that_cuts_them_is_caught() {
    bites("phone_number", "a reader that cuts", |input| {
        phone_number::judge(input, |text, region| {
            PhoneNumber::parse(text, region)
                .map(|number| PhoneNumber::from_digits(number.digits() / 10).unwrap_or(number))
        });
    });
}

#[test]
fn a_record_that_changes_on_its_way_is_caught() {
    bites("record", "a writer that forgets the source", |input| {
        record::judge(input, Record::decode, |read| {
            let source = dunlin_workflows::source::Source::Api;
            Record { source, ..read.clone() }.encode()
        });
    });
    assert_eq!(record::sound(b"too short"), None);
}

#[test]
fn keys_that_are_lost_are_caught() {
    bites("keyring", "a reader that drops retired keys", |input| {
        let text = keyring::sound(&String::from_utf8_lossy(input));
        keyring::judge(&text, |text| text.parse().map(|keys: Keyring| keys.without_retired()));
    });
}

#[test]
fn a_fold_that_forgets_is_caught() {
    let judge = |spoil: fn(&mut Message, &Event, &Message)| {
        move |input: &[u8]| {
            fold::judge(input, Message::begin, |message, event, at| {
                let before = message.clone();
                let folded = message.apply(event, at);
                spoil(message, event, &before);
                folded
            });
        }
    };
    bites(
        "fold",
        "a fold that leaves an end",
        judge(|message, _, before| {
            if before.state.name().is_final() {
                message.state = dunlin_workflows::message::State::Accepted;
            }
        }),
    );
    bites(
        "fold",
        "a fold that changes at what can't happen",
        judge(|message, event, before| {
            if matches!(event, Event::Canceled) && message == before {
                message.counted += 1;
            }
        }),
    );
}

#[test]
fn a_life_that_nobody_wakes_or_that_sends_twice_is_caught() {
    bites("life", "a message that nobody wakes", |input| {
        life::judge(input, decide, |message, rules| match next(message, rules) {
            Next::LookUp { .. } => Next::Nothing,
            other => other,
        });
    });
    bites("life", "a timer that finds nothing to do", |input| {
        life::judge(
            input,
            |message, command, context| {
                let decided = decide(message, command, context)?;
                Ok(decided.into_iter().filter(|event| *event != Event::GivenUp).collect())
            },
            next,
        );
    });
    bites("life", "a claimed text that leaves without a lease", |input| {
        life::judge(
            input,
            |message, command, context| {
                decide(message, command, &Context { lease: Lease::InForce, ..*context })
            },
            next,
        );
    });
    bites("life", "a claimed text that leaves before it is confirmed", |input| {
        life::judge(
            input,
            |message, command, context| {
                let mut decided = decide(message, command, context)?;
                if decided.last() == Some(&Event::Reclaimed) {
                    decided.push(Event::BecameDue);
                }
                Ok(decided)
            },
            next,
        );
    });
    bites("life", "a lost answer that is sent again", |input| {
        life::judge(
            input,
            |message, command, context| {
                let decided = decide(message, command, context)?;
                let again = |event| match event {
                    Event::Held { hold: dunlin_workflows::message::Hold::OutcomeUnknown, .. } => {
                        Event::BecameDue
                    }
                    other => other,
                };
                Ok(decided.into_iter().map(again).collect())
            },
            next,
        );
    });
}

#[test]
fn an_address_in_clear_is_caught() {
    bites("settings", "an address in clear", |input| {
        for value in String::from_utf8_lossy(input).lines().filter_map(|line| line.split_once('=')) {
            settings::judge_url(value.1, dunlin::config::value::base_url);
        }
    });
}

#[test]
fn rows_that_are_lost_or_counted_otherwise_are_caught() {
    let read = |format| {
        move |file: &[u8]| -> import::Read {
            Rows::start(std::io::Cursor::new(file), format).map(Iterator::collect)
        }
    };
    bites("import", "a reader that stops at the first bad line", |input| {
        import::judge_lines(input, |file| {
            let mut rows = read(Format::Jsonl)(file)?;
            let bad = rows.iter().position(|row| row.as_ref().is_ok_and(|row| row.request.is_err()));
            rows.truncate(bad.map_or(rows.len(), |bad| bad + 1));
            Ok(rows)
        });
    });
    bites("import", "a reader that drops the notes", |input| {
        import::judge_csv(input, |file| {
            let mut rows = read(Format::Csv)(file)?;
            for row in rows.iter_mut().skip(1).filter_map(|row| row.as_mut().ok()) {
                row.request = row.request.clone().map(|_fields| serde_json::Map::new());
                row.line = 1;
            }
            Ok(rows)
        });
    });
}

#[test]
fn a_wish_that_is_not_what_was_wished_is_caught() {
    bites("wish", "a reader that knows better", |input| {
        wishes::judge(input, |json, reading, prefix| {
            let mut request = wish::read(json, reading, prefix)?;
            request.priority = dunlin_workflows::message::Priority::Low;
            Ok(request)
        });
    });
    bites("wish", "a reader that names nothing", |input| {
        wishes::judge(input, |json, reading, _prefix| wish::read(json, reading, ""));
    });
}

#[test]
fn an_answer_that_is_guessed_is_caught() {
    bites("answer", "a reader that guesses", |input| {
        answer::judge(input, |body| match created(body) {
            SubmitOutcome::Unknown { .. } => SubmitOutcome::NotSent { detail: String::new() },
            taken => taken,
        });
    });
}

#[test]
fn slow_hashes_are_those_of_their_papers() {
    let digits = |number: u128| number.to_be_bytes();
    assert_eq!(sha1(b"abc")[..16], digits(0xa999_3e36_4706_816a_ba3e_2571_7850_c26c));
    assert_eq!(sha1(&[b'a'; 56])[..16], digits(0xc2db_330f_6083_854c_99d4_b5bf_b6e8_f29f));
    // RFC 2202, section 3, case 2.
    let mac = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(mac[..16], digits(0xeffc_df6a_e5eb_2fa2_d274_16d5_f184_df9c));
    assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(pairs(b"a=%2B+b&&c"), [("a".into(), "+ b".into()), ("c".into(), String::new())]);
}
