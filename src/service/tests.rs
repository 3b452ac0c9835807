//! What a program may count on that has a daemon inside.

use std::path::Path;

use dunlin_workflows::consent;

use super::*;
use crate::config::environment::Environment;
use crate::engine::ask::Whom;

fn config(data: &Path, more: &[(&str, &str)]) -> Config {
    let own = [("DUNLIN_DATA", data.to_str().unwrap()), ("DUNLIN_LISTEN", "127.0.0.1:0")];
    let variables = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::of(&variables.collect::<Environment>()).unwrap()
}

fn reminder(due: Due) -> TaskReminder {
    TaskReminder {
        user_id: "ada".to_owned(),
        phone_number: Some("+15551234567".to_owned()),
        task_name: "Complete report".to_owned(),
        due,
        context: None,
    }
}

#[tokio::test]
async fn text_is_accepted_once_whatever_stops_in_between_and_a_stopped_daemon_lets_go() {
    let directory = tempfile::tempdir().unwrap();
    let later = Timestamp::from_millis(4_000_000_000_000);
    let message = Message::from(reminder(Due::Words("in 1 hour".to_owned())))
        .scheduled_for(later)
        .expires_at(Timestamp::from_millis(4_000_000_060_000))
        .idempotency_key("task-42");
    let service = SmsService::start(config(directory.path(), &[])).await.unwrap();
    let sent = service.send_message(message.clone()).await.unwrap();
    assert_eq!(sent.standing.state, State::Held { hold: Hold::Scheduled, until: later });
    assert_eq!(sent.standing.to_string(), "scheduled: its time has not come");
    let second = SmsService::start(config(directory.path(), &[])).await;
    assert!(matches!(second, Err(DaemonError::InUse { .. })), "{second:?}");
    service.stop().await.unwrap();
    let service = SmsService::start(config(directory.path(), &[])).await.unwrap();
    let again = service.send_message(message).await.unwrap();
    assert_eq!((again.id, again.is_repeat), (sent.id, true));
    assert_eq!(service.standing(sent.id).unwrap(), sent.standing);
    assert!(!service.has_ended());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn whoever_opted_out_is_not_texted_by_the_library_either() {
    let directory = tempfile::tempdir().unwrap();
    let service = SmsService::start(config(directory.path(), &[])).await.unwrap();
    let on_duty = service.app.on_duty().unwrap();
    let to = dunlin_workflows::phone_number::PhoneNumber::parse("+15551234567", None).unwrap();
    let out = consent::Command::OptOut { said_at: Timestamp::from_millis(1_700_000_000_000) };
    on_duty.engine.consent(Whom::Number(to), out, Source::Api).await.unwrap();
    drop(on_duty);
    let alert = UrgentAlert {
        user_id: "ada".to_owned(),
        phone_number: Some("+15551234567".to_owned()),
        alert: "The house is on fire".to_owned(),
    };
    let sent = service.send_urgent_alert(alert).await.unwrap();
    assert!(matches!(sent.standing.state, State::Suppressed { ban: Ban::OptedOut { .. } }), "{sent:?}");
    assert!(sent.standing.is_over() && sent.standing.why.is_some(), "{sent:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_told_by_field_and_no_clock_is_guessed() {
    let directory = tempfile::tempdir().unwrap();
    let service = SmsService::start(config(directory.path(), &[])).await.unwrap();
    let pointers = |error: SmsError| {
        let SmsError::Wrong { fields, .. } = error else { panic!("{error:?}") };
        fields.into_iter().map(|field| field.pointer).collect::<Vec<_>>()
    };
    let wrong = Message::to_number("12").template("task_reminder").var("task_name", "x");
    let wrong = service.send_message(wrong).await.unwrap_err();
    assert_eq!(pointers(wrong), ["/to", "/vars/due_time"]);
    let due = Due::At(Timestamp::from_millis(1_798_120_800_000));
    let nowhere = service.send_task_reminder(reminder(due.clone())).await.unwrap_err();
    assert_eq!(pointers(nowhere), ["/vars/due_time"]);
    let unknown = service.standing(MessageId::from_bytes([7; 16])).unwrap_err();
    assert!(matches!(unknown, SmsError::Refused { code: Code::MessageNotFound, .. }), "{unknown:?}");
    service.stop().await.unwrap();

    let zone = [("DUNLIN_DEFAULT_TIME_ZONE", "America/New_York")];
    let service = SmsService::start(config(directory.path(), &zone)).await.unwrap();
    let sent = service.send_task_reminder(reminder(due)).await.unwrap();
    let shown = service.app.reader().unwrap();
    let number = shown.number_of_id(sent.id).unwrap().unwrap();
    let Some((_, dunlin_storage::Content::Open(text))) = shown.content(number).unwrap() else {
        panic!("the text can be read")
    };
    assert_eq!(text.body.as_str(), "Reminder: Complete report is due 24 Dec 09:00.");
    service.stop().await.unwrap();
}
