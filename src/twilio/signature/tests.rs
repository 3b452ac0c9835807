//! The provider's published vectors, and those of its client libraries.

use super::*;

const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const P: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

fn tokens(token: &str) -> Verifier {
    Verifier::new(&[SecretString::from("another"), SecretString::from(token)])
}

fn form(url: &str, body: &str, signature: &str) -> Result<(), SignatureError> {
    tokens("12345").verify(url, body.as_bytes(), true, Some(signature))
}

fn json(url: &str, body: &str, signature: &str) -> Result<(), SignatureError> {
    tokens("12345").verify(url, body.as_bytes(), false, Some(signature))
}

#[test]
fn published_form_vectors_verify() {
    let port = |port: &str, scheme: &str| format!("{scheme}://mycompany.com{port}/myapp.php?foo=1&bar=2");
    let reason = format!("{P}&ReasonConferenceEnded=test&Reason=Participant");
    let vectors = [
        (U.to_owned(), P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (port(":1234", "https"), P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (port(":1234", "http"), P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (U.to_owned(), P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (port(":443", "https"), P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (port("", "http"), P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (port(":80", "http"), P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (
            U.to_owned(),
            "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
        (
            U.to_owned(),
            "MessagingBinding.Address=%2B1325xxxxxxx&MessagingBinding.Address=%2B1415xxxxxxx",
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
        (
            U.to_owned(),
            "MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx",
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
        (
            "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
            P,
            "CukzLTc1tT5dXEDIHm/tKBanW10=",
        ),
        (
            "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
            P,
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        ("https://user@mycompany.com/myapp.php?foo=1&bar=2".to_owned(), P, "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        (
            "https://user:pass@mycompany.com:443/myapp.php?foo=1&bar=2".to_owned(),
            P,
            "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=",
        ),
        (format!("{U}&Body=It's+amazing"), P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (format!("{U}&Body=It%27s+amazing"), P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (U.to_owned(), reason.as_str(), "vOEb5UThFn24KEfnOFLQY2AE5FY="),
        (port("", "http"), reason.as_str(), "n2xBNyzSW7rfYStDtOFiFMv7qNo="),
        (U.to_owned(), "property=value&boolean=true", "NBdBDr/T/lgjI+tlgpXjKZQZs/k="),
    ];
    for (url, body, signature) in vectors {
        assert_eq!(form(&url, body, signature), Ok(()), "{url} {signature}");
    }
    let docs = "https://example.com/myapp.php?foo=1&bar=2";
    let docs_form = P.replace("14158675309", "14158675310");
    assert_eq!(form(docs, &docs_form, "L/OH5YylLD5NRKLltdqwSvS0BnU="), Ok(()));
}

#[test]
fn a_wrongly_sorted_signature_fails() {
    let reason = format!("{P}&ReasonConferenceEnded=test&Reason=Participant");
    assert_eq!(form(U, &reason, "95+Bu0JVPi0r/SsESZCVf0dWAjw="), Err(SignatureError::Mismatch));
}

#[test]
fn json_bodies_are_bound_by_their_hash() {
    let body = r#"{"property": "value", "boolean": true}"#;
    let hash = "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    assert_eq!(json(&format!("{U}&{hash}"), body, "a9nBmqA0ju/hNViExpshrM61xv4="), Ok(()));
    assert_eq!(
        json(&format!("https://mycompany.com/myapp.php?{hash}"), body, "y77kIzt2vzLz71DgmJGsen2scGs="),
        Ok(())
    );
    let empty = format!("{U}&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_eq!(json(&empty, "{}", "rw/jVviOgicj2+kHZULvebnA4ag="), Ok(()));
    assert_eq!(json(&empty, "{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="), Ok(()));
    assert_eq!(json(&empty, "{ }", "rw/jVviOgicj2+kHZULvebnA4ag="), Err(SignatureError::BodyHash));
    assert_eq!(json(U, "{}", "rw/jVviOgicj2+kHZULvebnA4ag="), Err(SignatureError::BodyHash));
}

#[test]
fn text_message_vectors_verify() {
    let verifier = tokens("0123456789abcdef0123456789abcdef");
    let account = format!("AC{}", "0".repeat(32));
    let status = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", &account)
        .append_pair("ApiVersion", "2010-04-01")
        .append_pair("ErrorCode", "30003")
        .append_pair("From", "+15005550006")
        .append_pair("MessageSid", &format!("SM{}", "a".repeat(32)))
        .append_pair("SmsSid", &format!("SM{}", "a".repeat(32)))
        .append_pair("MessageStatus", "undelivered")
        .append_pair("SmsStatus", "undelivered")
        .append_pair("RawDlrDoneDate", "2611230601")
        .append_pair("To", "+15558675310")
        .finish();
    let url = "https://sms.example.test/v1/twilio/status?attempt=01JABC&x=%2B1%20a";
    assert_eq!(verifier.verify(url, status.as_bytes(), true, Some("7MB7CqiSYN1INPj6XYP+Ra3jWuo=")), Ok(()));
    let sid = format!("SM{}", "b".repeat(32));
    let inbound = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", &account)
        .append_pair("ApiVersion", "2010-04-01")
        .append_pair("Body", " H\u{e9}llo \u{1f44b} a+b&c=d \n")
        .append_pair("From", "+15558675310")
        .append_pair("FromCity", "")
        .append_pair("MessageSid", &sid)
        .append_pair("SmsMessageSid", &sid)
        .append_pair("SmsSid", &sid)
        .append_pair("NumMedia", "0")
        .append_pair("NumSegments", "1")
        .append_pair("SmsStatus", "received")
        .append_pair("To", "+15005550006")
        .append_pair("ToCountry", "US")
        .finish();
    let url = "https://sms.example.test/v1/twilio/inbound";
    assert_eq!(verifier.verify(url, inbound.as_bytes(), true, Some("vNtjaZmOFjjAlhYDNgtK9XiM5xM=")), Ok(()));
}

#[test]
fn missing_foreign_and_broken_signatures_fail() {
    let verifier = tokens("12345");
    for header in [None, Some(""), Some("RSOY"), Some("not base64!"), Some("RSOYDt4T1cUTdK1PDd93/VVr8B8=AA")]
    {
        assert_eq!(verifier.verify(U, P.as_bytes(), true, header), Err(SignatureError::Malformed));
    }
    let signature = Signer::new(&SecretString::from("54321")).unwrap().sign(U, P.as_bytes());
    assert_eq!(form(U, P, &signature), Err(SignatureError::Mismatch));
    assert_eq!(
        Verifier::new(&[]).verify(U, P.as_bytes(), true, Some(&signature)),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn what_the_signer_signs_verifies() {
    let signature = Signer::new(&SecretString::from("12345")).unwrap().sign(U, P.as_bytes());
    assert_eq!(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
}

#[test]
fn an_apostrophe_may_have_been_signed_either_way() {
    let signer = Signer::new(&SecretString::from("12345")).unwrap();
    let (plain, quoted) = (format!("{U}&Body=It's"), format!("{U}&Body=It%27s"));
    assert_eq!(form(&quoted, P, &signer.sign(&plain, P.as_bytes())), Ok(()));
    assert_eq!(form(&plain, P, &signer.sign(&quoted, P.as_bytes())), Ok(()));
}

#[test]
fn another_path_host_query_or_body_is_another_request() {
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    assert_eq!(form(U, P, signature), Ok(()));
    for url in [
        "https://mycompany.com/myapp.php?bar=2&foo=1",
        "https://mycompany.com/myapp.php/?foo=1&bar=2",
        "https://mycompany.co/myapp.php?foo=1&bar=2",
        "http://mycompany.com/myapp.php?foo=1&bar=2",
        "not an address",
    ] {
        assert_eq!(form(url, P, signature), Err(SignatureError::Mismatch), "{url}");
    }
    for body in [format!("{P}&To=%2B1"), format!("{P}&Extra="), P.replace("1234", "1235"), String::new()] {
        assert_eq!(form(U, &body, signature), Err(SignatureError::Mismatch), "{body}");
    }
}
