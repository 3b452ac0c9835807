//! The files of the corpora: there for every target, few and small.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bodies::TARGETS;

/// Most files of one corpus: it is kept for what it means, not for what it covers.
const FILES_MAX: usize = 96;
/// Largest file, in bytes.
const BYTES_MAX: usize = 4096;

/// The folder of everything about fuzzing.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The corpus of a target: names and contents, by name.
pub(crate) fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = names(&folder().join("corpus").join(target)).into_iter();
    let read = |name: String| {
        let bytes = fs::read(folder().join("corpus").join(target).join(&name)).unwrap();
        (name, bytes)
    };
    files.map(read).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_target_has_a_binary_and_a_corpus_and_nothing_else_has() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder().join("corpus")), targets, "fuzz/corpus");
    let binaries: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder().join("fuzz_targets")), binaries, "fuzz/fuzz_targets");
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in &targets {
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "fuzz/Cargo.toml does not build {target}");
        let source = fs::read_to_string(folder().join("fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(
            source.contains(&format!("dunlin_fuzz::{target}::{target}(")),
            "{target} runs something else"
        );
    }
    for dictionary in names(&folder().join("dictionaries")) {
        let target = dictionary.strip_suffix(".dict").unwrap_or_default();
        assert!(targets.contains(target), "fuzz/dictionaries/{dictionary} serves no target");
    }
}

#[test]
fn no_corpus_is_empty_or_large() {
    for (target, _) in TARGETS {
        let files = of(target);
        assert!((1..=FILES_MAX).contains(&files.len()), "{target} has {} files", files.len());
        for (name, bytes) in files {
            assert!(bytes.len() <= BYTES_MAX, "{target}/{name} has {} bytes", bytes.len());
        }
    }
}
