//! The rows of an import file, one at a time: JSON lines, or CSV with a header.

use std::io::{self, BufRead as _, BufReader, Read};

use serde_json::{Map, Value};
use strsim::damerau_levenshtein;

use crate::cli::templates::plain_value;

/// Longest line read, in bytes. A body and its notes fit many times over.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Columns that a CSV header may have; the fields of a message in the API.
const COLUMNS: [&str; 13] = [
    "to",
    "body",
    "template",
    "vars",
    "locale",
    "id",
    "kind",
    "priority",
    "scheduled_for",
    "expires_at",
    "on_unknown",
    "user_id",
    "metadata",
];

/// What the names of columns with one value of a template begin with, such as `vars.task_name`.
const VAR: &str = "vars.";

/// One row.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What it asks for, or why it can't be read.
    pub request: Result<Map<String, Value>, String>,
}

/// In which form rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// Reads rows in order. Holds one row at a time, whatever the size of the file.
#[derive(Debug)]
pub struct Rows<F>(Reader<F>);

#[derive(Debug)]
enum Reader<F> {
    Jsonl { reader: BufReader<F>, line: u64 },
    Csv { reader: Box<csv::Reader<BufReader<F>>>, columns: Vec<String> },
}

impl<F: Read> Rows<F> {
    /// Starts at the beginning of `file`; a byte order mark there is skipped.
    ///
    /// # Errors
    /// When the file can't be read, or its CSV header names a column that we do not know.
    pub fn start(file: F, format: Format) -> Result<Self, String> {
        let mut reader = BufReader::new(file);
        if reader.fill_buf().map_err(|error| error.to_string())?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        match format {
            Format::Jsonl => Ok(Self(Reader::Jsonl { reader, line: 0 })),
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
                let header = reader.headers().map_err(|error| error.to_string())?;
                let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
                check_columns(&columns)?;
                Ok(Self(Reader::Csv { reader: Box::new(reader), columns }))
            }
        }
    }
}

/// Refuses a header that would lose data: a misspelled column would be left out of every text.
fn check_columns(columns: &[String]) -> Result<(), String> {
    for wanted in [&["to", "user_id"][..], &["body", "template", "kind"]] {
        if !columns.iter().any(|column| wanted.contains(&column.as_str())) {
            let wanted = wanted.join("\" or \"");
            return Err(format!("the header has no column \"{wanted}\"; it has {}", columns.join(", ")));
        }
    }
    let is_repeated =
        |(at, column): &(usize, &String)| columns.iter().take(*at).any(|before| before == *column);
    if let Some((_, twice)) = columns.iter().enumerate().find(is_repeated) {
        return Err(format!("the header names the column \"{twice}\" twice"));
    }
    let of_template = |column: &str| column.strip_prefix(VAR).is_some_and(|name| !name.is_empty());
    match columns.iter().find(|column| !COLUMNS.contains(&column.as_str()) && !of_template(column)) {
        None => Ok(()),
        Some(unknown) => {
            let closest =
                COLUMNS.iter().min_by_key(|known| damerau_levenshtein(known, unknown)).unwrap_or(&"");
            Err(format!(
                "\"{unknown}\" is not a column; did you mean {closest}? known are {}",
                COLUMNS.join(", ")
            ))
        }
    }
}

impl<F: Read> Iterator for Rows<F> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Reader::Jsonl { reader, line } => next_json(reader, line).transpose(),
            Reader::Csv { reader, columns } => next_csv(reader, columns),
        }
    }
}

/// The next line that is not blank.
fn next_json<F: Read>(reader: &mut BufReader<F>, line: &mut u64) -> io::Result<Option<Row>> {
    loop {
        let mut bytes = Vec::new();
        reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        *line = line.saturating_add(1);
        let cut = !bytes.ends_with(b"\n") && !reader.fill_buf()?.is_empty();
        if cut {
            reader.skip_until(b'\n')?;
            let request = Err(format!("the line is longer than {LINE_BYTES_MAX} bytes"));
            return Ok(Some(Row { line: *line, request }));
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let request = match serde_json::from_slice::<Value>(&bytes) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err("the line is JSON, but not an object".to_owned()),
            Err(error) => Err(format!("the line is not JSON: {error}")),
        };
        return Ok(Some(Row { line: *line, request }));
    }
}

fn next_csv<F: Read>(reader: &mut csv::Reader<BufReader<F>>, columns: &[String]) -> Option<io::Result<Row>> {
    let mut record = csv::StringRecord::new();
    let read = reader.read_record(&mut record);
    let line = record.position().map_or_else(|| reader.position().line(), csv::Position::line);
    match read {
        Ok(false) => None,
        Ok(true) if record.len() != columns.len() => {
            let words = format!("the row has {} cells; the header has {}", record.len(), columns.len());
            Some(Ok(Row { line, request: Err(words) }))
        }
        Ok(true) => Some(Ok(Row { line, request: fields(columns, &record) })),
        Err(error) if error.is_io_error() => Some(Err(error.into())),
        Err(error) => Some(Ok(Row { line, request: Err(format!("the row can't be read: {error}")) })),
    }
}

/// Cells by column; blank cells are left out.
fn fields(columns: &[String], record: &csv::StringRecord) -> Result<Map<String, Value>, String> {
    let (mut fields, mut vars) = (Map::new(), Map::new());
    for (column, cell) in columns.iter().zip(record.iter()) {
        if cell.trim().is_empty() {
            continue;
        }
        if let Some(name) = column.strip_prefix(VAR) {
            vars.insert(name.to_owned(), plain_value(cell.trim()));
            continue;
        }
        let value = match column.as_str() {
            "metadata" | "vars" => {
                serde_json::from_str(cell).map_err(|error| format!("{column} is not JSON: {error}"))?
            }
            "body" => Value::from(cell),
            _ => Value::from(cell.trim()),
        };
        fields.insert(column.clone(), value);
    }
    if vars.is_empty() {
        return Ok(fields);
    }
    match fields.entry("vars").or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(given) => given.extend(vars),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err("vars is not a JSON object".to_owned());
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use serde_json::json;

    use super::*;

    type Read = (u64, Result<Value, String>);

    fn rows(text: &str, format: Format) -> Result<Vec<Read>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let rows = Rows::start(file, format)?;
        Ok(rows.map(|row| row.unwrap()).map(|row| (row.line, row.request.map(Value::Object))).collect())
    }

    #[test]
    fn json_lines_keep_their_line_numbers_past_blank_and_broken_ones() {
        let long = "x".repeat(70_000);
        let text = format!("\u{feff}{{\"to\":\"+1\"}}\n\n{{oops\n[1]\n{long}\n{{\"to\":\"+2\"}}");
        let rows = rows(&text, Format::Jsonl).unwrap();
        let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6]);
        assert_eq!(rows[0].1, Ok(json!({"to": "+1"})));
        assert_eq!(rows[4].1, Ok(json!({"to": "+2"})));
        assert!(rows[1..4].iter().all(|(_, request)| request.is_err()));
    }

    #[test]
    fn csv_cells_become_fields_and_blank_cells_are_left_out() {
        let text = "to,body,metadata,priority\n+1,\"a, b\n c\",\"{\"\"n\"\":1}\",\n +2 ,x,,high\n+3\n";
        let rows = rows(text, Format::Csv).unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"to": "+1", "body": "a, b\n c", "metadata": {"n": 1}}))));
        assert_eq!(rows[1], (4, Ok(json!({"to": "+2", "body": "x", "priority": "high"}))));
        assert_eq!(rows[2], (5, Err("the row has 1 cells; the header has 4".to_owned())));
    }

    #[test]
    fn values_of_a_template_have_a_column_each_or_one_for_all() {
        let text = "user_id,template,vars,vars.task_name,vars.count\nada,task,\"{\"\"due\"\":\"\"5\"\"}\",Report,3\nbob,task,,,\neve,task,[],Report,\n";
        let rows = rows(text, Format::Csv).unwrap();
        let vars = json!({"due": "5", "task_name": "Report", "count": 3});
        assert_eq!(rows[0].1, Ok(json!({"user_id": "ada", "template": "task", "vars": vars})));
        assert_eq!(rows[1].1, Ok(json!({"user_id": "bob", "template": "task"})));
        assert_eq!(rows[2].1, Err("vars is not a JSON object".to_owned()));
    }

    #[test]
    fn misspelled_column_stops_the_import_before_it_starts() {
        let why = rows("to,body,schedled_for\n", Format::Csv).unwrap_err();
        assert!(why.starts_with("\"schedled_for\" is not a column; did you mean scheduled_for?"), "{why}");
        let why = rows("to,body,vars.\n", Format::Csv).unwrap_err();
        assert!(why.starts_with("\"vars.\" is not a column; did you mean vars?"), "{why}");
        let why = rows("to,body,to\n", Format::Csv).unwrap_err();
        assert_eq!(why, "the header names the column \"to\" twice");
        assert_eq!(
            rows("phone,body\n", Format::Csv).unwrap_err(),
            "the header has no column \"to\" or \"user_id\"; it has phone, body"
        );
    }
}
