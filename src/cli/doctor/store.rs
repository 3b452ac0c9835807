//! Whether the data directory and the store in it can be used.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dunlin_storage::{OpenError, ReadOnlyStore};
use secrecy::SecretString;

use crate::cli::client::Client;
use crate::cli::doctor::Check;
use crate::config::Config;
use crate::daemon::STORE_FILE;

/// Less free space than this is worth a word, in bytes.
const FREE_MIN: u64 = 1 << 30;

/// Whether the directory is there, ours alone, and has room.
pub(super) fn directory(data: &Path) -> Check {
    let about = "directory";
    let shown = data.display();
    let metadata = match std::fs::metadata(data) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return Check::bad(about, format!("{shown} is not a directory"), "choose another DUNLIN_DATA");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::good(about, format!("{shown} will be made by the first start"));
        }
        Err(error) => {
            return Check::bad(
                about,
                format!("{shown}: {error}"),
                "let this user read it, or choose another DUNLIN_DATA",
            );
        }
    };
    if rustix::fs::access(data, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        return Check::bad(
            about,
            format!("{shown} can't be written by this user"),
            format!("chown it to the daemon's user: {shown}"),
        );
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Check::note(
            about,
            format!("{shown} can be read by other users of this machine"),
            format!("chmod 700 {shown}"),
        );
    }
    let free = rustix::fs::statvfs(data).map(|space| space.f_bavail.saturating_mul(space.f_frsize));
    match free {
        Ok(free) if free < FREE_MIN => Check::note(
            about,
            format!("{shown} has {} MiB left", free >> 20),
            "free some space; a full disk stops the daemon",
        ),
        Ok(_) | Err(_) => Check::good(about, format!("{shown} is ours alone and has room")),
    }
}

/// Whether the store can be read, or the daemon that has it is well.
pub(super) async fn store(config: &Config) -> Check {
    let about = "store";
    let path = config.data.join(STORE_FILE);
    if matches!(path.try_exists(), Ok(false)) {
        return Check::good(about, "will be made by the first start");
    }
    let opened = ReadOnlyStore::open(&path, config.cache_bytes, None).and_then(|store| store.check());
    match opened {
        Ok(report) => Check::good(
            about,
            format!(
                "sound: {} messages, {} journal records, format {}",
                report.messages,
                report.last_seq.get(),
                report.format
            ),
        ),
        Err(OpenError::InUse { .. }) => daemon(config).await,
        Err(OpenError::NeedsRepair { .. }) => Check::note(
            about,
            "was not closed in order",
            "nothing to do: the next start repairs it, without loss",
        ),
        Err(error) => {
            Check::bad(about, error.to_string(), "restore a backup, or move the file away to start empty")
        }
    }
}

/// Whether the daemon that has the store says it is ready.
async fn daemon(config: &Config) -> Check {
    let about = "daemon";
    let url = format!("http://{}", config.listen);
    let remedy = format!("look at the daemon's log; does it listen on {} (DUNLIN_LISTEN)?", config.listen);
    let token: Option<SecretString> = config.api_token.clone();
    let answer = match Client::new(url.clone(), token) {
        Ok(client) => client.fetch("/readyz?verbose").await,
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(answer) if answer.status == 200 => Check::good(about, format!("runs at {url} and is ready")),
        Ok(answer) => Check::bad(about, format!("runs at {url} but is not ready: {}", answer.body), remedy),
        Err(failure) => Check::bad(about, format!("has the store, but {}", failure.words), remedy),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn directory_open_to_others_gets_a_note_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let check = directory(dir.path());
        assert_eq!(
            (check.verdict, check.remedy),
            (Verdict::Note, format!("chmod 700 {}", dir.path().display()))
        );
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_ne!(directory(dir.path()).verdict, Verdict::Bad);
        assert_eq!(directory(&dir.path().join("absent")).verdict, Verdict::Good);
        fs::write(dir.path().join("file"), "").unwrap();
        assert_eq!(directory(&dir.path().join("file")).verdict, Verdict::Bad);
    }
}
