//! Callers: ask again with the same key until they are answered, whatever happens to the daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::DateTime;
use dunlin::clock::{Clock, SystemClock};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::timestamp::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::workload::{Then, Wish};

/// Longest time that a caller asks for one answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest time for one request.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// A caller's product: it knows where the daemon is.
#[derive(Debug)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: String,
    clock: SystemClock,
}

/// What a caller was told about its wish.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) wish: Wish,
    /// The message's name; `None` when the wish was refused.
    pub(crate) id: Option<MessageId>,
    /// Whether it was acknowledged that nothing will be sent.
    pub(crate) canceled: bool,
    /// The instant before which nothing may be sent.
    pub(crate) not_before: Option<Timestamp>,
    /// The instant from which on nothing may be sent.
    pub(crate) expires_at: Option<Timestamp>,
    /// Answers that should not have been.
    pub(crate) wrong: Vec<String>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    replayed: bool,
    body: Value,
}

impl Answer {
    fn id(&self) -> anyhow::Result<MessageId> {
        let id = self.body.get("id").and_then(Value::as_str).context("the answer has no id")?;
        Ok(id.parse()?)
    }

    fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Caller {
    pub(crate) fn new(daemon: SocketAddr) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?;
        Ok(Self { http, base: format!("http://{daemon}"), clock: SystemClock::start() })
    }

    /// Brings all wishes, each at its time.
    pub(crate) async fn bring(self: Arc<Self>, wishes: Vec<Wish>) -> anyhow::Result<Vec<Told>> {
        let started = tokio::time::Instant::now();
        let mut callers = JoinSet::new();
        for wish in wishes {
            let caller = Arc::clone(&self);
            callers.spawn(async move {
                tokio::time::sleep_until(started + wish.asked_after).await;
                let key = wish.key.clone();
                caller.one(wish).await.with_context(|| format!("the wish with key {key}"))
            });
        }
        callers.join_all().await.into_iter().collect()
    }

    async fn one(&self, wish: Wish) -> anyhow::Result<Told> {
        let now = self.clock.wall();
        let not_before = wish.scheduled_after.map(|after| now.plus(after));
        let expires_at = wish.expires_after.map(|after| now.plus(after));
        let mut told = Told { wish, id: None, canceled: false, not_before, expires_at, wrong: Vec::new() };
        let body = request(&told);
        let answer = self.ask(|| self.post("/v1/messages", &told.wish.key, &body)).await?;
        match answer.status {
            202 => told.id = Some(answer.id()?),
            // It came too late to be sent.
            422 if answer.code() == "never_sendable" => return Ok(told),
            status => bail!("answered {status}: {}", answer.body),
        }
        if told.wish.repeated {
            self.repeat(&mut told, body).await?;
        }
        match told.wish.then {
            Then::Nothing => {}
            Then::Cancel { after } => self.cancel(&mut told, after).await?,
            Then::Reschedule { after, ahead } => self.reschedule(&mut told, after, ahead).await?,
        }
        Ok(told)
    }

    /// The same key again: first with the same body, then with another.
    async fn repeat(&self, told: &mut Told, mut body: Value) -> anyhow::Result<()> {
        let again = self.ask(|| self.post("/v1/messages", &told.wish.key, &body)).await?;
        if again.status != 202 || again.id().ok() != told.id || !again.replayed {
            told.wrong.push(format!("the same request again was answered {again:?}"));
        }
        if let Some(fields) = body.as_object_mut() {
            fields.insert("body".to_owned(), json!("Something else."));
        }
        let other = self.ask(|| self.post("/v1/messages", &told.wish.key, &body)).await?;
        if other.status != 422 || other.code() != "idempotency_key_reused" {
            told.wrong.push(format!("another request with the same key was answered {other:?}"));
        }
        Ok(())
    }

    async fn cancel(&self, told: &mut Told, after: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(after).await;
        let path = path(told, "/cancel");
        let answer = self.ask(|| self.request(Method::POST, &path)).await?;
        match answer.status {
            200 | 202 => told.canceled = true,
            409 => {}
            status => told.wrong.push(format!("cancel was answered {status}: {}", answer.body)),
        }
        Ok(())
    }

    async fn reschedule(&self, told: &mut Told, after: Duration, ahead: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(after).await;
        let at = self.clock.wall().plus(ahead);
        let (path, body) = (path(told, ""), json!({"scheduled_for": written(at)}));
        let answer = self.ask(|| self.request(Method::PATCH, &path).json(&body)).await?;
        match (answer.status, answer.code()) {
            (200 | 202, _) => told.not_before = Some(at),
            // It may have been refused, or done and then sent, when an answer got lost: both instants will do.
            (409, _) => told.not_before = told.not_before.map(|before| before.min(at)),
            (422, "never_sendable") => {}
            (status, _) => told.wrong.push(format!("reschedule was answered {status}: {}", answer.body)),
        }
        Ok(())
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).header("Idempotency-Key", key).json(body)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Every message as the API lists them.
    pub(crate) async fn list(&self) -> anyhow::Result<Vec<Value>> {
        let mut messages = Vec::new();
        let mut path = "/v1/messages?limit=250".to_owned();
        loop {
            let mut page = self.ask(|| self.request(Method::GET, &path)).await?.body;
            let data = page.get_mut("data").and_then(Value::as_array_mut).context("the page has no data")?;
            messages.append(data);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => path = format!("/v1/messages?limit=250&cursor={cursor}"),
                None => return Ok(messages),
            }
        }
    }

    /// Asks until there is an answer that is more than "not now".
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let mut last = String::new();
        while started.elapsed() < PATIENCE {
            match self.once(request()).await {
                Ok(answer) if answer.status >= 500 || answer.code() == "idempotency_in_progress" => {
                    last = format!("{answer:?}");
                }
                Ok(answer) => return Ok(answer),
                Err(error) => last = format!("{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(20..120))).await;
        }
        bail!("no answer within {} s, at last {last}", PATIENCE.as_secs())
    }

    async fn once(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let body = response.bytes().await?;
        Ok(Answer { status, replayed, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

fn request(told: &Told) -> Value {
    let wish = &told.wish;
    let mut request = json!({
        "to": wish.to,
        "body": wish.body,
        "priority": wish.priority.as_str(),
        "on_unknown": wish.on_unknown.as_str(),
    });
    let instants = [("scheduled_for", told.not_before), ("expires_at", told.expires_at)];
    for (name, at) in instants {
        if let (Some(at), Some(fields)) = (at, request.as_object_mut()) {
            fields.insert(name.to_owned(), json!(written(at)));
        }
    }
    request
}

/// RFC 3339, as the API takes it.
fn written(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.as_millis()).map(|at| at.to_rfc3339()).unwrap_or_default()
}

fn path(told: &Told, action: &str) -> String {
    let id = told.id.map(|id| id.to_string()).unwrap_or_default();
    format!("/v1/messages/{id}{action}")
}
