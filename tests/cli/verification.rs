//! Proving a number: over a crash, codes still count, and nothing that was counted is forgotten; from the command line, with
//! exit codes that scripts can tell apart.

use dunlin_storage::{Entropy, Keyring};
use serde_json::{Value, json};

use crate::stage::{Stage, get, until_delivered};
use crate::world::run;

const SERVICE: (&str, &str) = ("TWILIO_VERIFY_SERVICE_SID", "VA0123456789abcdef0123456789abcdef");

async fn ask(url: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{url}{path}")).header("dunlin-user-id", "ada");
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_daemon_forgets_neither_the_code_nor_how_many_were_asked_for() {
    let stage = Stage::new();
    let daemon = stage.daemon_with(&[SERVICE]);
    let number = |last: u8| format!("+1555123456{last}");
    for last in 0..5 {
        let (status, body) = ask(&daemon.url, "/api/sms/verify", &json!({"phoneNumber": number(last)})).await;
        assert_eq!(status, 200, "{body}");
    }
    // Killed, not stopped.
    drop(daemon);
    let daemon = stage.daemon_with(&[SERVICE]);
    let (status, body) = ask(&daemon.url, "/api/sms/verify", &json!({"phoneNumber": number(5)})).await;
    assert_eq!((status, &body["code"]), (429, &json!("too_many_codes")));
    let codes = reqwest::get(format!("{}/sandbox/codes", stage.carrier.url)).await.unwrap();
    let codes: Vec<Value> = codes.json().await.unwrap();
    let sent = codes.iter().find(|sent| sent["to"] == number(0).as_str()).unwrap();
    let confirm = json!({"phoneNumber": number(0), "code": sent["code"]});
    let (status, body) = ask(&daemon.url, "/api/sms/verify/confirm", &confirm).await;
    assert_eq!((status, &body["verified"]), (200, &json!(true)), "{body}");
    assert_eq!(daemon.stop().0, 0);
    let data = stage.data();
    let keys = Keyring::generate(&Entropy::seeded(1)).unwrap();
    let (code, out, talk) =
        run(&["verify", data.to_str().unwrap()], &[("DUNLIN_KEYS", keys.to_text().as_str())]);
    assert_eq!(code, 0, "{out}{talk}");
}

#[test]
fn number_is_proven_from_the_command_line_and_texts_to_its_user_go_there() {
    const NUMBER: &str = "+15551234567";
    let stage = Stage::new();
    let daemon = stage.daemon_with(&[SERVICE, ("DUNLIN_VERIFIED_NUMBERS", "required")]);
    let (code, _, talk) = daemon.ask(&["send", "--user", "ada", "Your code worked"]);
    assert_eq!(code, 4, "nobody knows a number of hers: {talk}");
    let proving = ["verify-number", NUMBER, "--user", "ada", "--json"];
    let (code, out, talk) = daemon.ask(&proving);
    let started: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &started["status"]), (0, &json!("pending")), "{out}{talk}");
    let (code, out, _) = daemon.ask(&proving);
    assert_eq!((code, out.as_str()), (69, ""), "the next code comes after a while");
    let sent: Vec<Value> =
        serde_json::from_str(&get(&format!("{}/sandbox/codes", stage.carrier.url)).1).unwrap();
    let right = sent[0]["code"].as_str().unwrap();
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let (code, out, talk) = daemon.ask(&[&proving[..], &["--code", wrong]].concat());
    assert_eq!((code, out.as_str()), (4, ""), "{talk}");
    assert_eq!(serde_json::from_str::<Value>(&talk).unwrap()["code"], "code_incorrect");
    let (code, out, talk) = daemon.ask(&[&proving[..], &["--code", right]].concat());
    assert_eq!(code, 0, "{talk}");
    let proven = json!({"to": NUMBER, "user_id": "ada", "verified": true});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), proven);
    let (code, out, talk) = daemon.ask(&["send", "--user", "ada", "Your code worked", "--json"]);
    assert_eq!(code, 0, "{talk}");
    let accepted: Value = serde_json::from_str(&out).unwrap();
    until_delivered(&daemon, accepted["id"].as_str().unwrap());
    assert_eq!(stage.taken().get("Your code worked"), Some(&1));
}
