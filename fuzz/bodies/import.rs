//! Files of texts to send: JSON lines, and CSV.
//!
//! Input: one file, which is read both ways.

use std::io::{Cursor, Result};

use dunlin::cli::import::rows::{Format, Row, Rows};
use serde_json::{Map, Value};

/// Columns that a CSV file may have.
const COLUMNS: [&str; 9] =
    ["to", "body", "id", "priority", "scheduled_for", "expires_at", "on_unknown", "user_id", "metadata"];

/// Every line is a row or blank, no row is lost or made up, and what a row says is what stands there.
pub fn import(input: &[u8]) {
    judge_lines(input, |file| Rows::start(Cursor::new(file), Format::Jsonl).map(Iterator::collect));
    judge_csv(input, |file| Rows::start(Cursor::new(file), Format::Csv).map(Iterator::collect));
}

/// What a reader makes of a file, or why it does not start.
pub type Read = std::result::Result<Vec<Result<Row>>, String>;

/// Judges a reader of JSON lines by one file.
pub fn judge_lines(file: &[u8], read: impl Fn(&[u8]) -> Read) {
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    let mut rows = read(file).expect("lines need no header").into_iter();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let row = rows.next().expect("a line is lost").expect("it is in memory");
        assert_eq!(row.line, number);
        match (row.request, serde_json::from_slice::<Value>(line)) {
            (Ok(said), Ok(Value::Object(there))) => assert_eq!(said, there),
            (Err(_), Ok(Value::Object(_))) => panic!("line {number} is an object and was refused"),
            (said, _) => assert!(said.is_err(), "line {number} is no object and was read"),
        }
    }
    assert!(rows.next().is_none(), "a row was made up");
}

/// Judges a reader of CSV by one file.
pub fn judge_csv(file: &[u8], read: impl Fn(&[u8]) -> Read) {
    let Ok(rows) = read(file) else { return };
    let lines = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    assert!(rows.len() <= lines, "{} rows of {lines} lines", rows.len());
    let mut before = 0;
    let mut written = format!("{}\n", COLUMNS.join(","));
    let mut said = Vec::new();
    for row in rows {
        let row = row.expect("it is in memory");
        // A carriage return alone ends a row and, for counting, no line.
        assert!(row.line >= before, "line {} after line {before}", row.line);
        before = row.line;
        let Ok(request) = row.request else { continue };
        for (column, value) in &request {
            assert!(COLUMNS.contains(&column.as_str()), "{column} is no column");
            assert!(column == "metadata" || !value.as_str().unwrap_or_default().trim().is_empty());
        }
        written.push_str(&line(&request));
        said.push(request);
    }
    let again: Vec<_> = read(written.as_bytes())
        .expect("every column is known")
        .into_iter()
        .map(|row| row.expect("it is in memory").request.expect("it was read before"))
        .collect();
    assert_eq!(again, said, "{written}");
}

/// A row with every column, each in quotes. One without any value would be a blank line.
fn line(request: &Map<String, Value>) -> String {
    let cell = |column: &&str| match request.get(*column) {
        Some(Value::String(text)) if *column != "metadata" => format!("\"{}\"", text.replace('"', "\"\"")),
        Some(value) => format!("\"{}\"", value.to_string().replace('"', "\"\"")),
        None => "\"\"".to_owned(),
    };
    format!("{}\n", COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","))
}
