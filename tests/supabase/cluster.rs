//! A PostgreSQL server for one test process: copied from one that is made once, on a port of its own, gone with the test.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dunlin_sync::migration::MIGRATIONS;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::database::{Database, PEOPLE};

/// Where Debian's `postgresql-15` puts the server; another place may be named by `POSTGRES_BIN`.
const BIN: &str = "/usr/lib/postgresql/15/bin";
/// How a server is made: small, and not careful about crashes.
const INITDB: [&str; 9] =
    ["-U", "supabase_admin", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"];
/// What a Supabase project has before anybody made anything in it.
const ROLES: &str = include_str!("sql/roles.sql");
const BASE: &str = include_str!("sql/base.sql");

/// What `openssl` is asked to certify.
const CERTIFICATE_REQUEST: &str = "[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = Dunlin, for a test
[extensions]
subjectAltName = DNS:localhost
basicConstraints = critical, CA:FALSE
";

/// A running server; ended when dropped, and by the kernel when the test is.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Child,
    port: u16,
    projects: AtomicU32,
    place: TempDir,
}

impl Cluster {
    /// Starts a server that has the roles of Supabase, and two projects to copy: an empty one and a migrated one.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other settings, as arguments of the server.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        serve(copied().await, settings)
    }

    /// The same with TLS, for the name `localhost`, and the certificate that vouches for it.
    pub(crate) async fn start_with_tls() -> (Self, PathBuf) {
        let place = copied().await;
        let [request, key, certificate] =
            ["request.conf", "data/server.key", "data/server.crt"].map(|name| place.path().join(name));
        fs::write(&request, CERTIFICATE_REQUEST).unwrap();
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .arg("-config")
            .arg(&request)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_server(&key);
        give_to_server(&certificate);
        (serve(place, &["-c", "ssl=on"]), certificate)
    }

    /// A new project in which `shape` was run by its owner.
    pub(crate) async fn project(&self, shape: &str) -> Database {
        let database = self.copy_of("supabase").await;
        database.owner().await.batch_execute(shape).await.unwrap();
        database
    }

    /// A new project with every migration, Ada and Bob.
    pub(crate) async fn migrated(&self) -> Database {
        self.copy_of("migrated").await
    }

    /// Stops the server, as somebody does who upgrades it: whoever is connected is thrown out.
    pub(crate) fn stop(&mut self) {
        stop(&mut self.server);
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        self.server = run(self.place.path(), self.port, &[]);
    }

    /// From now on this user is asked for a password.
    pub(crate) async fn ask_password_of(&self, user: &str) {
        let rules = self.place.path().join("data/pg_hba.conf");
        let rest = fs::read_to_string(&rules).unwrap();
        fs::write(&rules, format!("host all {user} 127.0.0.1/32 scram-sha-256\n{rest}")).unwrap();
        let admin = self.client("supabase_admin", "postgres").await;
        admin.execute("select pg_reload_conf()", &[]).await.unwrap();
    }

    async fn copy_of(&self, template: &str) -> Database {
        let name = format!("project_{}", self.projects.fetch_add(1, Ordering::Relaxed));
        let admin = self.client("supabase_admin", "postgres").await;
        let create = format!("create database {name} template {template} owner postgres");
        admin.batch_execute(&create).await.unwrap();
        Database::new(self.port, name)
    }

    async fn client(&self, user: &str, database: &str) -> tokio_postgres::Client {
        client(self.port, user, database).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        stop(&mut self.server);
    }
}

/// Connects without a password, which loopback does not ask for.
pub(crate) async fn client(port: u16, user: &str, database: &str) -> tokio_postgres::Client {
    let address = format!("postgresql://{user}@127.0.0.1:{port}/{database}");
    let (client, driver) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    drop(tokio::spawn(driver));
    client
}

/// A place with a copy of the server that was made once.
async fn copied() -> TempDir {
    let place = new_place();
    let made = made_once().await;
    let copied = Command::new("cp").arg("-a").arg(&made).arg(place.path().join("data")).status().unwrap();
    assert!(copied.success(), "{} can't be copied", made.display());
    place
}

/// The directory of a server that was made once for this version of its fixture.
async fn made_once() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(folder.join("postgres.lock")).unwrap();
    lock.lock().unwrap();
    let migrations = MIGRATIONS.map(|migration| migration.sql).concat();
    let fixture = format!("{}{INITDB:?}{ROLES}{BASE}{migrations}{PEOPLE}", bin("postgres").display());
    let made = folder.join(format!("postgres-{:016x}", fnv(fixture.as_bytes())));
    if made.exists() {
        return made;
    }
    let place = new_place();
    let data = place.path().join("data");
    let initdb = server_command("initdb").args(INITDB).arg("-D").arg(&data).output().unwrap();
    assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
    let mut cluster = serve(place, &[]);
    let admin = cluster.client("supabase_admin", "postgres").await;
    admin.batch_execute(ROLES).await.unwrap();
    admin.batch_execute("create database supabase").await.unwrap();
    cluster.client("supabase_admin", "supabase").await.batch_execute(BASE).await.unwrap();
    admin.batch_execute("create database migrated template supabase owner postgres").await.unwrap();
    let migrated = Database::new(cluster.port, "migrated".to_owned());
    migrated.migrate().await;
    migrated.owner().await.batch_execute(PEOPLE).await.unwrap();
    stop(&mut cluster.server);
    // In one step, so that a test that is ended here leaves nothing half made.
    let half = made.with_extension("half");
    drop(fs::remove_dir_all(&half));
    assert!(Command::new("cp").arg("-a").args([&data, &half]).status().unwrap().success());
    fs::rename(&half, &made).unwrap();
    made
}

/// Starts a server on `place`.
fn serve(place: TempDir, settings: &[&str]) -> Cluster {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = run(place.path(), port, settings);
    Cluster { server, port, projects: AtomicU32::new(1), place }
}

/// Runs a server and waits until it says that it is ready.
fn run(place: &Path, port: u16, settings: &[&str]) -> Child {
    let mut server = server_command("postgres")
        .arg("-D")
        .arg(place.join("data"))
        .arg("-k")
        .arg(place)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "timezone=UTC"])
        .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"])
        .args(["-c", "wal_level=logical", "-c", "min_wal_size=2MB", "-c", "max_wal_size=32MB"])
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut seen = String::new();
    loop {
        match log.next() {
            Some(Ok(line)) if line.ends_with("database system is ready to accept connections") => break,
            Some(Ok(line)) => seen.push_str(&(line + "\n")),
            Some(Err(_)) | None => panic!("the server did not start:\n{seen}"),
        }
    }
    // Whatever it says afterwards is heard too: a pipe that is full would stop it.
    drop(thread::spawn(move || log.for_each(drop)));
    server
}

fn stop(server: &mut Child) {
    if !matches!(server.try_wait(), Ok(None)) {
        return;
    }
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    // A quick shutdown.
    let _may_have_ended = kill_process(pid, Signal::INT);
    drop(server.wait());
}

fn bin(name: &str) -> PathBuf {
    let folder = std::env::var_os("POSTGRES_BIN").unwrap_or_else(|| BIN.into());
    let program = Path::new(&folder).join(name);
    assert!(program.exists(), "{} is missing; install postgresql-15, or set POSTGRES_BIN", program.display());
    program
}

/// A program of the server. It refuses to be root, so root runs it as the user that Debian's package makes.
pub(crate) fn server_command(name: &str) -> Command {
    if !geteuid().is_root() {
        return Command::new(bin(name));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"])
        .arg(bin(name));
    command
}

/// A directory that the server may use.
fn new_place() -> TempDir {
    let place = tempfile::Builder::new().prefix("dunlin-postgres").tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    give_to_server(place.path());
    place
}

/// Makes a file the server's own, where it runs as another user.
fn give_to_server(path: &Path) {
    if geteuid().is_root() {
        assert!(Command::new("chown").arg("postgres:postgres").arg(path).status().unwrap().success());
    }
}

/// FNV-1a: a name for a fixture. Source: <http://www.isthe.com/chongo/tech/comp/fnv/> (read 2026-11-29).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
