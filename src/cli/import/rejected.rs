//! Rows that were refused, each with its line and the reason, so that they can be mended and imported.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::import::rejected_path;

/// `FILE.rejected.jsonl`: made with the first rejected row.
#[derive(Debug)]
pub(super) struct Rejected {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejected {
    /// Starts anew beside `path`: what an earlier run rejected is read again and judged again.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let path = rejected_path(path);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { path, file: None })
    }

    /// Writes down one row.
    pub(super) fn write(
        &mut self,
        line: u64,
        error: &Value,
        request: Option<&Map<String, Value>>,
    ) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => BufWriter::new(File::create_new(&self.path)?),
        };
        let file = self.file.insert(file);
        writeln!(file, "{}", json!({"line": line, "error": error, "request": request}))?;
        file.flush()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
