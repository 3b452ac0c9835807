//! The house inspector: which part may know which, how long a file may be, which names and words stay out.
//!
//! A rule looks at one file, its path from the root and its text, and says what is wrong with it. Each
//! rule proves on a bad sample that it bites before the tree is judged by it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a rule has to say about one file: nothing, or one line per finding.
type Rule = fn(&str, &str) -> Vec<String>;

const RULES: [Rule; 14] = [
    crates_know_only_what_they_may,
    modules_know_only_what_they_may,
    file_is_short,
    file_says_what_it_is,
    name_is_a_noun_of_the_trade,
    source_is_ascii,
    nothing_is_left_for_later,
    no_test_is_skipped,
    no_lint_is_silenced,
    decisions_spell_out_every_case,
    grandparents_are_named,
    root_is_small,
    no_snapshot_is_pending,
    readme_names_its_commands,
];

/// Most lines in a source file, tests included.
const LINES_MAX: usize = 500;

/// Files that stand at the root, dotfiles aside.
const ROOT_FILES: [&str; 10] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "deny.toml",
    "rust-toolchain.toml",
    "test",
];

/// Folders that stand at the root, dotfiles aside.
const ROOT_FOLDERS: [&str; 8] = ["benches", "docs", "fuzz", "src", "storage", "sync", "tests", "workflows"];

/// Folders that are made, not written.
const MADE_FOLDERS: [&str; 6] = [".git", "artifacts", "dunlin-data", "found", "node_modules", "target"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "types"];

/// Words that promise work instead of doing it. In two halves, so that this file passes its own rule.
const LATER_WORDS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// The files that decide: a new variant must be thought through there, not swallowed.
const DECISIONS: [&str; 12] = [
    "workflows/src/allowance/decide.rs",
    "workflows/src/consent/apply.rs",
    "workflows/src/consent/decide.rs",
    "workflows/src/message/apply.rs",
    "workflows/src/message/conclude.rs",
    "workflows/src/message/decide.rs",
    "workflows/src/message/report.rs",
    "workflows/src/policy/mod.rs",
    "workflows/src/recurrence/apply.rs",
    "workflows/src/recurrence/decide.rs",
    "workflows/src/verification/apply.rs",
    "workflows/src/verification/decide.rs",
];

/// Root-relative files that may hold characters beyond ASCII and drawings in `//!` lines.
const BEYOND_ASCII: [&str; 0] = [];

/// Commands the README promises to work from a fresh clone.
const README_COMMANDS: [&str; 2] = ["cargo run --release -- demo", "./test"];

/// What the code below `folder` must never name.
struct Edge {
    /// Ends in a slash.
    folder: &'static str,
    /// Crates, by their names in source.
    crates: &'static [&'static str],
    /// Modules of the daemon.
    modules: &'static [&'static str],
    /// The one submodule of a forbidden module that may be named, when there is one.
    except: Option<&'static str>,
}

const EDGES: [Edge; 9] = [
    Edge {
        folder: "workflows/",
        crates: &["serde", "serde_json", "tokio", "redb", "dunlin", "dunlin_storage", "dunlin_sync"],
        modules: &[],
        except: None,
    },
    Edge {
        folder: "storage/",
        crates: &["dunlin", "dunlin_sync", "tokio", "reqwest", "axum"],
        modules: &[],
        except: None,
    },
    Edge { folder: "sync/", crates: &["dunlin"], modules: &[], except: None },
    Edge {
        folder: "src/engine/",
        crates: &["dunlin_sync", "reqwest", "axum"],
        modules: &["cli", "config", "daemon", "http", "sandbox", "service", "sync", "twilio"],
        except: None,
    },
    Edge {
        folder: "src/twilio/",
        crates: &[],
        modules: &["cli", "daemon", "http", "sandbox", "service"],
        except: None,
    },
    Edge {
        folder: "src/sandbox/",
        crates: &[],
        modules: &["cli", "daemon", "engine", "http", "service"],
        except: Some("engine::provider"),
    },
    Edge {
        folder: "src/supabase/",
        crates: &["axum", "reqwest"],
        modules: &["cli", "daemon", "http", "sandbox", "service", "twilio"],
        except: None,
    },
    Edge {
        folder: "src/events/",
        crates: &["axum"],
        modules: &["cli", "daemon", "http", "sandbox", "service", "supabase", "twilio"],
        except: None,
    },
    Edge {
        folder: "src/http/",
        crates: &[],
        modules: &["cli", "daemon", "sandbox", "service"],
        except: None,
    },
];

fn crates_know_only_what_they_may(path: &str, text: &str) -> Vec<String> {
    let Some(folder) = path.strip_suffix("Cargo.toml") else { return Vec::new() };
    let banned = EDGES.iter().filter(|edge| edge.folder == folder).flat_map(|edge| edge.crates);
    let known = dependencies(text);
    banned
        .filter(|name| known.iter().any(|known| known == *name))
        .map(|name| format!("{path}: depends on {name}"))
        .collect()
}

fn modules_know_only_what_they_may(path: &str, text: &str) -> Vec<String> {
    if !is_rust(path) {
        return Vec::new();
    }
    let named = named_paths(text);
    let mut findings = Vec::new();
    for edge in EDGES.iter().filter(|edge| path.starts_with(edge.folder)) {
        for found in &named {
            let excepted = edge.except.is_some_and(|except| reaches(found, &format!("crate::{except}")));
            let crate_banned = edge.crates.iter().any(|name| reaches(found, name));
            let module_banned = edge.modules.iter().any(|name| reaches(found, &format!("crate::{name}")));
            if crate_banned || (module_banned && !excepted) {
                findings.push(format!("{path}: must not know {found}"));
            }
        }
    }
    findings
}

fn file_is_short(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    finding(is_rust(path) && lines > LINES_MAX, || {
        format!("{path}: {lines} lines; at most {LINES_MAX} are read with care")
    })
}

fn file_says_what_it_is(path: &str, text: &str) -> Vec<String> {
    finding(is_rust(path) && !text.starts_with("//! "), || {
        format!("{path}: the first line is not a `//!` sentence")
    })
}

fn name_is_a_noun_of_the_trade(path: &str, _text: &str) -> Vec<String> {
    let empty = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part));
    finding(path.split('/').any(empty), || format!("{path}: the name says nothing about what is inside"))
}

fn source_is_ascii(path: &str, text: &str) -> Vec<String> {
    if !is_rust(path) || BEYOND_ASCII.contains(&path) {
        return Vec::new();
    }
    let drawing = |c: char| ('\u{2190}'..='\u{21ff}').contains(&c) || ('\u{2500}'..='\u{25ff}').contains(&c);
    findings_by_line(path, text, "a character beyond ASCII; write it as an escape", |line| {
        let picture = line.starts_with("//!");
        line.chars().any(|c| !(c.is_ascii() || picture && drawing(c)))
    })
}

fn nothing_is_left_for_later(path: &str, text: &str) -> Vec<String> {
    findings_by_line(path, text, "work left for later", |line| {
        LATER_WORDS.iter().any(|later| words(line).any(|word| word == *later))
    })
}

fn no_test_is_skipped(path: &str, text: &str) -> Vec<String> {
    findings_in_rust(path, text, "a skipped test proves nothing", concat!("#[", "ignore"))
}

fn no_lint_is_silenced(path: &str, text: &str) -> Vec<String> {
    let mut findings = findings_in_rust(path, text, "say expect, with a reason", concat!("#[", "allow("));
    findings.extend(findings_in_rust(path, text, "say expect, with a reason", concat!("#![", "allow(")));
    findings
}

fn decisions_spell_out_every_case(path: &str, text: &str) -> Vec<String> {
    if !DECISIONS.contains(&path) {
        return Vec::new();
    }
    findings_by_line(path, text, "a catch-all arm swallows the next variant", |line| {
        let code = line.trim_start();
        code.starts_with("_ =>")
            || code.starts_with("_ if ")
            || code.contains("| _ =>")
            || code.contains("{ _ =>")
    })
}

fn grandparents_are_named(path: &str, text: &str) -> Vec<String> {
    findings_in_rust(path, text, "name the module from the crate", concat!("super::", "super::"))
}

fn root_is_small(path: &str, _text: &str) -> Vec<String> {
    let known = match path.split_once('/') {
        Some((folder, _)) => folder.starts_with('.') || ROOT_FOLDERS.contains(&folder),
        None => path.starts_with('.') || ROOT_FILES.contains(&path),
    };
    finding(!known, || format!("{path}: has no place at the root"))
}

fn no_snapshot_is_pending(path: &str, _text: &str) -> Vec<String> {
    let pending = path.ends_with(".snap.new") || path.ends_with(".pending-snap");
    finding(pending, || format!("{path}: accept or reject the snapshot"))
}

fn readme_names_its_commands(path: &str, text: &str) -> Vec<String> {
    if path != "README.md" {
        return Vec::new();
    }
    let missing = README_COMMANDS.iter().filter(|command| !text.contains(**command));
    missing.map(|command| format!("{path}: does not show `{command}`")).collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn finding(found: bool, say: impl FnOnce() -> String) -> Vec<String> {
    if found { vec![say()] } else { Vec::new() }
}

fn findings_by_line(path: &str, text: &str, why: &str, is_bad: impl Fn(&str) -> bool) -> Vec<String> {
    let bad = (1_usize..).zip(text.lines()).filter(|(_, line)| is_bad(line));
    bad.map(|(number, _)| format!("{path}:{number}: {why}")).collect()
}

fn findings_in_rust(path: &str, text: &str, why: &str, needle: &str) -> Vec<String> {
    if is_rust(path) { findings_by_line(path, text, why, |line| line.contains(needle)) } else { Vec::new() }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Whether `path` is `root` or something inside it.
fn reaches(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Names in every dependency table of a manifest, as source writes them.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.contains("dependencies]") && !table.starts_with("workspace");
        } else if inside && let Some((key, _)) = line.split_once('=') {
            names.push(key.split('.').next().unwrap_or(key).trim().replace('-', "_"));
        }
    }
    names
}

/// Every path named in code, brace groups written out; `super::x` counts as `crate::x`.
fn named_paths(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join(" ");
    let mut paths = Vec::new();
    // What stands in front of the brace groups that are open here; a block of code has nothing in front.
    let mut open: Vec<String> = Vec::new();
    let mut path = String::new();
    for c in code.chars().chain([' ']) {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == ':' => path.push(c),
            '{' if path.ends_with("::") => {
                let outer = open.last().map_or("", String::as_str);
                let prefix = format!("{outer}{path}");
                open.push(prefix);
                path.clear();
            }
            _ => {
                let prefix = open.last().map_or("", String::as_str);
                if path.contains("::") || !prefix.is_empty() && !path.is_empty() {
                    let whole = format!("{prefix}{path}");
                    paths.push(match whole.strip_prefix("super::") {
                        Some(rest) => format!("crate::{rest}"),
                        None => whole,
                    });
                }
                path.clear();
                match c {
                    '{' => open.push(String::new()),
                    '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
    }
    paths
}

/// Every file below `folder` that somebody wrote.
fn written_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let made = entry.file_name().to_str().is_some_and(|name| MADE_FOLDERS.contains(&name));
        match entry.file_type()? {
            _ if made => {}
            kind if kind.is_dir() => written_files(&entry.path(), files)?,
            _ => files.push(entry.path()),
        }
    }
    Ok(())
}

#[test]
fn tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    written_files(root, &mut files).unwrap();
    files.sort();
    let missing = ROOT_FILES.iter().filter(|name| !files.contains(&root.join(name)));
    let mut findings: Vec<String> = missing.map(|name| format!("{name}: missing")).collect();
    for file in &files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        // Bytes that are not text, a store for instance, are judged by their name only.
        let text = fs::read_to_string(file).unwrap_or_default();
        findings.extend(RULES.iter().flat_map(|rule| rule(&path, &text)));
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// A rule finds something in the bad text and nothing in the good one.
fn check(rule: Rule, path: &str, bad: &str, good: &str) {
    assert_ne!(rule(path, bad), Vec::<String>::new(), "the rule lets {bad:?} in {path} pass");
    assert_eq!(rule(path, good), Vec::<String>::new(), "the rule refuses {good:?} in {path}");
}

#[test]
fn wrong_way_dependency_is_caught() {
    let manifest = crates_know_only_what_they_may;
    check(manifest, "workflows/Cargo.toml", "[dependencies]\nserde = \"1\"", "[dependencies]\nuuid = \"1\"");
    check(
        manifest,
        "storage/Cargo.toml",
        "[dev-dependencies]\ntokio.workspace = true",
        "[package]\ntokio = \"is not one\"",
    );
    check(
        manifest,
        "sync/Cargo.toml",
        "[dependencies]\ndunlin = { path = \"..\" }",
        "[dependencies]\ndunlin-storage = 1",
    );

    let source = modules_know_only_what_they_may;
    check(source, "workflows/src/x.rs", "use redb::Table;", "// redb::Table does not belong here");
    check(
        source,
        "src/engine/x.rs",
        "use crate::{clock::Clock, twilio::Client};",
        "use crate::{clock::Clock, engine};",
    );
    check(
        source,
        "src/engine/x.rs",
        "fn f() { crate::config::read() }",
        "fn f() { let config = crate::clock::now(); }",
    );
    check(source, "src/engine/mod.rs", "use super::http;", "use super::clock;");
    check(source, "src/twilio/x.rs", "use crate::sandbox;", "use crate::engine::provider::Provider;");
    check(source, "src/sandbox/x.rs", "use crate::engine::Engine;", "use crate::engine::provider::Provider;");
    check(source, "src/http/x.rs", "use crate::daemon::Daemon;", "use crate::engine::Engine;");
}

#[test]
fn untidy_file_is_caught() {
    check(file_is_short, "src/x.rs", &"x\n".repeat(501), &"x\n".repeat(500));
    check(file_says_what_it_is, "src/x.rs", "use std::fs;", "//! What it is.");
    check(source_is_ascii, "src/x.rs", "let dash = '\u{2014}';", "//! a \u{2500}\u{2500}> b");
    check(source_is_ascii, "src/x.rs", "//! dash \u{2014}", "let dash = '\\u{2014}';");
    check(nothing_is_left_for_later, "src/x.rs", concat!("// TO", "DO: later"), "// done");
    check(no_test_is_skipped, "src/x.rs", concat!("#[", "ignore]"), "#[test]");
    check(no_lint_is_silenced, "src/x.rs", concat!("#![", "allow(dead_code)]"), "#![expect(dead_code)]");
    check(no_lint_is_silenced, "src/x.rs", concat!("#[", "allow(dead_code)]"), "#[expect(dead_code)]");
    check(grandparents_are_named, "src/x.rs", concat!("use super::", "super::y;"), "use crate::y;");
    check(decisions_spell_out_every_case, DECISIONS[0], "    _ => None,", "    State::Held => None,");
    check(readme_names_its_commands, "README.md", "", "run cargo run --release -- demo, then ./test");
}

#[test]
fn untidy_name_is_caught() {
    for bad in ["src/utils.rs", "src/common/mod.rs", "storage/src/types.rs"] {
        assert_ne!(name_is_a_noun_of_the_trade(bad, ""), Vec::<String>::new(), "{bad} passes");
    }
    for bad in ["notes.txt", "scripts/run.sh"] {
        assert_ne!(root_is_small(bad, ""), Vec::<String>::new(), "{bad} passes");
    }
    assert_ne!(no_snapshot_is_pending("src/x.snap.new", ""), Vec::<String>::new());
    for good in ["src/clock.rs", ".config/nextest.toml", "test"] {
        let findings = RULES.iter().flat_map(|rule| rule(good, "//! What it is.\n")).count();
        assert_eq!(findings, 0, "{good} is refused");
    }
}
