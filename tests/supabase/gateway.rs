//! What stands in front of a project's database: PostgREST's part is played by a server that is compatible with it, and the
//! gateway's by a few lines which do with keys what Supabase's does.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::database::Database;

/// The version that `./test` installs.
const POSTRUST_VERSION: &str = "3.1.0";
/// The key that the gateway knows.
pub(crate) const SECRET_KEY: &str = "sb_secret_s3cret";
/// Most bytes of a request.
const BODY_MAX: usize = 64 * 1024 * 1024;
/// What signs tokens.
const JWT_SECRET: &str = "s3cret-of-the-project-that-signs-its-tokens";

/// Both, in front of one database. Gone when dropped.
pub(crate) struct Gateway {
    postgrest: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    place: TempDir,
}

impl Gateway {
    /// Starts both and waits until the database is served.
    pub(crate) async fn in_front_of(database: &Database) -> Self {
        let place = tempfile::Builder::new().prefix("dunlin-gateway").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(place.path().join("log")).unwrap();
        let mut command = Command::new(program());
        command
            .env_clear()
            .env("PGRST_DB_URI", database.url_of("authenticator", None))
            .env("PGRST_DB_SCHEMAS", "public")
            .env("PGRST_DB_ANON_ROLE", "anon")
            .env("PGRST_JWT_SECRET", JWT_SECRET)
            .env("PGRST_DB_ERRORS_VERBATIM", "*")
            .env("PGRST_COMPAT_MODE", "true")
            .env("PGRST_DB_CHANNEL_ENABLED", "true")
            .env("PGRST_DB_POOL", "4")
            .env("PGRST_DB_POOL_TIMEOUT", "2")
            .env("PGRST_MAX_BODY_SIZE", BODY_MAX.to_string())
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        let postgrest = command.spawn().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self { postgrest, address: listener.local_addr().unwrap(), place };
        gateway.wait(port).await;
        let behind = Behind { http: reqwest::Client::new(), origin: format!("http://127.0.0.1:{port}") };
        let app = Router::new().fallback(pass).layer(DefaultBodyLimit::max(BODY_MAX)).with_state(behind);
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));
        gateway
    }

    /// Until PostgREST's part listens; it reads the database's schema first.
    async fn wait(&self, port: u16) {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let log = || fs::read_to_string(self.place.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(30), "it does not listen:\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.postgrest.kill());
        drop(self.postgrest.wait());
    }
}

/// Where PostgREST's part is.
#[derive(Clone)]
struct Behind {
    http: reqwest::Client,
    origin: String,
}

/// Lets through what shows a key that is known, as the role that it stands for.
async fn pass(State(behind): State<Behind>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(path) = uri.path().strip_prefix("/rest/v1") else {
        return (StatusCode::NOT_FOUND, "no Route matched with those values").into_response();
    };
    let (key, bearer) = (text("apikey"), text("authorization"));
    let is_token = bearer.strip_prefix("Bearer ") == Some(key) && key.starts_with("eyJ");
    let authorization = match (key, bearer) {
        ("", _) => return refuse("No API key found in request"),
        (SECRET_KEY, "") => format!("Bearer {}", token("service_role")),
        _ if is_token => bearer.to_owned(),
        _ => return refuse("Invalid API key"),
    };
    let asked = behind.http.post(format!("{}{path}", behind.origin)).body(body);
    let asked = asked
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, text("content-type"))
        .header(header::ACCEPT, text("accept"))
        .send();
    let Ok(answer) = asked.await else {
        return (StatusCode::BAD_GATEWAY, "An invalid response was received").into_response();
    };
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    match answer.bytes().await {
        Ok(body) => {
            (as_postgrest(status, &body), [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(_cut) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// PostgREST says 403 of a missing grant to whoever it knows, and 503 while it has no connection; the server here says 401 and
/// 500. Source: <https://docs.postgrest.org/en/v14/references/errors.html> (read 2026-11-29).
fn as_postgrest(status: StatusCode, body: &[u8]) -> StatusCode {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    match (status.as_u16(), told["code"].as_str()) {
        (401, Some("42501")) => StatusCode::FORBIDDEN,
        (500, Some("PGRST500")) => StatusCode::SERVICE_UNAVAILABLE,
        _ => status,
    }
}

fn refuse(message: &str) -> Response {
    let told: Value = json!({"message": message, "hint": "Double check your API key."});
    (StatusCode::UNAUTHORIZED, axum::Json(told)).into_response()
}

/// A token of the project's that stands for a role.
pub(crate) fn token(role: &str) -> String {
    signed(role, JWT_SECRET)
}

/// A token that somebody else signed.
pub(crate) fn forged(role: &str) -> String {
    signed(role, "somebody else's secret, which is as long as the other")
}

fn signed(role: &str, secret: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "HS256", "typ": "JWT"}));
    let payload = part(json!({"role": role, "iss": "supabase", "exp": 4_102_444_800_u64}));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Where `./test` puts the server; another place may be named by `POSTRUST_BIN`.
fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    let installed = tools.join(format!("postrust-{POSTRUST_VERSION}/bin/postrust"));
    let program = std::env::var_os("POSTRUST_BIN").map_or(installed, PathBuf::from);
    assert!(
        program.exists(),
        "{} is missing; run ./test once, which installs it, or set POSTRUST_BIN",
        program.display()
    );
    program
}
