//! One database of a Supabase project, and who talks to it.

use std::collections::BTreeSet;

use dunlin_sync::migration::MIGRATIONS;
use dunlin_sync::postgres::{Address, apply, connect};
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::cluster::client;

/// Two users and two daemons, by name.
pub(crate) const ADA: &str = "a0000000-0000-4000-8000-000000000001";
pub(crate) const BOB: &str = "a0000000-0000-4000-8000-000000000002";
pub(crate) const FIRST: &str = "dddddddd-0000-4000-8000-000000000001";
pub(crate) const SECOND: &str = "dddddddd-0000-4000-8000-000000000002";

/// Ada has a proven number, Bob one that is not proven, and neither has quiet hours: tests run at any hour. For projects
/// that are fresh.
pub(crate) const PEOPLE: &str = "
insert into auth.users (id, email) values
  ('a0000000-0000-4000-8000-000000000001', 'ada@example.com'), ('a0000000-0000-4000-8000-000000000002', 'bob@example.com');
insert into public.user_sms_preferences (user_id, phone_number, phone_verified, quiet_hours_start, quiet_hours_end) values
  ('a0000000-0000-4000-8000-000000000001', '+15551230001', true, null, null),
  ('a0000000-0000-4000-8000-000000000002', '+15551230002', false, null, null);";

/// One database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    port: u16,
    name: String,
}

impl Database {
    pub(crate) fn new(port: u16, name: String) -> Self {
        Self { port, name }
    }

    /// Its address for its owner, with a password that nobody asks for.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres:s3cret@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Its address for this user, through this port of this machine; without one, the server's own.
    pub(crate) fn url_of(&self, user: &str, port: Option<u16>) -> String {
        format!("postgresql://{user}:s3cret@127.0.0.1:{}/{}", port.unwrap_or(self.port), self.name)
    }

    /// The port of its server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address over TLS under this name, with more parameters.
    pub(crate) fn guarded_url(&self, host: &str, parameters: &str) -> String {
        format!("postgresql://postgres:s3cret@{host}:{}/{}?sslmode=require{parameters}", self.port, self.name)
    }

    /// The owner of everything that migrations make; no superuser, as in Supabase.
    pub(crate) async fn owner(&self) -> Client {
        client(self.port, "postgres", &self.name).await
    }

    /// The superuser, for what only tests do.
    pub(crate) async fn admin(&self) -> Client {
        client(self.port, "supabase_admin", &self.name).await
    }

    /// Whoever has this role, such as `anon`, `service_role` or `dunlin_worker`.
    pub(crate) async fn role(&self, role: &str) -> Client {
        let client = self.admin().await;
        client.batch_execute(&format!("set role {role}")).await.unwrap();
        client
    }

    /// Somebody who is signed in, as the Data API says it.
    pub(crate) async fn person(&self, user: &str) -> Client {
        let client = self.admin().await;
        client.batch_execute(&signed_in(user)).await.unwrap();
        client
    }

    /// Every migration, as `dunlin migrate apply` runs them.
    pub(crate) async fn migrate(&self) {
        let mut connection = connect(&Address::parse(&self.url()).unwrap()).await.unwrap();
        for migration in &MIGRATIONS {
            let ran = apply(&mut connection.client, migration).await;
            assert!(ran.unwrap_or_else(|error| panic!("{}: {error}", migration.name)));
        }
    }

    /// A worker that said that it is there.
    pub(crate) async fn daemon(&self, id: &str) -> Daemon {
        let client = self.role("dunlin_worker").await;
        client.execute(&format!("select dunlin_heartbeat('{id}')"), &[]).await.unwrap();
        Daemon { client, id: id.to_owned() }
    }
}

/// What makes a session that of a signed-in user.
pub(crate) fn signed_in(user: &str) -> String {
    format!(
        "set role authenticated; select set_config('request.jwt.claims', '{{\"sub\": \"{user}\", \"role\": \"authenticated\"}}', false)"
    )
}

/// A daemon, as far as the database sees one.
pub(crate) struct Daemon {
    pub(crate) client: Client,
    pub(crate) id: String,
}

impl Daemon {
    /// Calls a function of the transport with these arguments after the daemon's id.
    pub(crate) async fn call(&self, function: &str, arguments: &str) -> Value {
        let comma = if arguments.is_empty() { "" } else { ", " };
        one(&self.client, &format!("select dunlin_{function}('{}'{comma}{arguments})", self.id)).await
    }

    /// Claims texts, and passes over changes.
    pub(crate) async fn claim(&self, limit: usize) -> Vec<Value> {
        self.call("pull", &format!("p_claims := {limit}")).await["requests"].as_array().unwrap().clone()
    }

    /// Everything that changed since `cursor`, in pages of `page`, and the next cursor.
    pub(crate) async fn changes(&self, cursor: Option<&str>, page: usize) -> (Vec<Value>, String) {
        let mut cursor = cursor.map(str::to_owned);
        let mut all = Vec::new();
        loop {
            let from = cursor.as_ref().map_or("null".to_owned(), |cursor| format!("'{cursor}'"));
            let answer = self.call("pull", &format!("{from}, p_claims := 0, p_changes := {page}")).await;
            all.extend(answer["changes"].as_array().unwrap().iter().cloned());
            let next = answer["cursor"].as_str().unwrap().to_owned();
            if answer["more"] == false {
                return (all, next);
            }
            cursor = Some(next);
        }
    }

    /// Acknowledges these claims.
    pub(crate) async fn acknowledge(&self, requests: &[Value]) -> Value {
        self.call("acknowledge", &literal(&Value::from(requests))).await
    }

    /// Pushes states of texts.
    pub(crate) async fn push(&self, messages: Value) -> Value {
        self.call("push", &literal(&serde_json::json!({"messages": columns(&messages)}))).await
    }
}

/// Rows as the contract wants them: an array for each field.
pub(crate) fn columns(rows: &Value) -> Value {
    let rows = rows.as_array().unwrap();
    let names: BTreeSet<_> = rows.iter().flat_map(|row| row.as_object().unwrap().keys()).collect();
    names
        .into_iter()
        .map(|name| (name.clone(), rows.iter().map(|row| row[name].clone()).collect::<Value>()))
        .collect()
}

/// A JSON value as an SQL literal.
pub(crate) fn literal(value: &Value) -> String {
    format!("'{}'", value.to_string().replace('\'', "''"))
}

/// The one value that a query answers, as JSON.
pub(crate) async fn one(client: &Client, query: &str) -> Value {
    let row = client.query_one(&format!("select to_jsonb(q.answer) from ({query}) q (answer)"), &[]).await;
    row.unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

/// Every row that a query answers, as JSON.
pub(crate) async fn rows(client: &Client, query: &str) -> Vec<Value> {
    let rows = client.query(&format!("select to_jsonb(q) from ({query}) q"), &[]).await;
    rows.unwrap_or_else(|error| panic!("{query}: {error:?}")).iter().map(|row| row.get(0)).collect()
}

/// Runs a statement that must be refused, and tells the code of the refusal.
pub(crate) async fn refusal(client: &Client, statement: &str) -> SqlState {
    match client.execute(statement, &[]).await {
        Ok(_) => panic!("{statement}: was not refused"),
        Err(error) => error.code().cloned().unwrap_or_else(|| panic!("{statement}: {error:?}")),
    }
}

/// Runs a statement that must work.
pub(crate) async fn done(client: &Client, statement: &str) -> u64 {
    let done = client.execute(statement, &[]).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error:?}"))
}
