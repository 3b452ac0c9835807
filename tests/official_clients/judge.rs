//! The Python side: installed once, then asked.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/official_clients");
/// Longest time for one claim.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks the judge, and stops the test when it is against us. Returns what it says.
pub(crate) async fn ask(arguments: &[&str], input: String) -> String {
    let python = install().await;
    let mut command = Command::new(python);
    // Nothing is written next to the sources, and text is UTF-8 whatever the locale.
    command.args(["-B", "-X", "utf8"]).arg(format!("{HERE}/judge.py")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let Ok(output) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
        panic!("the judge of {arguments:?} has no answer after {PATIENCE:?}");
    };
    let output = output.unwrap();
    assert!(output.status.success(), "the judge is against us:\n{}", words(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Installs the library where that was not done yet; returns its Python.
async fn install() -> PathBuf {
    let place = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/official_clients"));
    std::fs::create_dir_all(&place).unwrap();
    // Tests run in processes of their own; one of them installs while the others wait.
    let lock = File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let setup = Command::new("bash").arg(format!("{HERE}/setup")).stdin(Stdio::null()).output().await;
    let output = match setup {
        Ok(output) => output,
        Err(error) => panic!("the provider's library can't be installed: bash does not start: {error}"),
    };
    assert!(
        output.status.success(),
        "the provider's library can't be installed; tests/official_clients/setup needs python3 with venv and, \
         once, a way to the Python package index:\n{}",
        words(&output)
    );
    lock.unlock().unwrap();
    place.join("venv/bin/python")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
