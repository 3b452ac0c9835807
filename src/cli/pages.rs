//! Lists that come page by page.

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::Output;

/// Most entries asked for at once.
const PAGE: usize = 250;

/// Shows at most `limit` of the entries at `path` that fit `filters`, newest first.
pub(super) async fn show(
    output: Output,
    path: &str,
    filters: &[(&str, Option<&str>)],
    limit: usize,
    row: impl Fn(Output, &Value) -> Result<(), Failure>,
) -> Ended {
    let client = Client::from_environment()?;
    let mut left = limit;
    let mut cursor = None::<String>;
    while left > 0 {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in filters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.append_pair("limit", &left.min(PAGE).to_string());
        if let Some(cursor) = &cursor {
            query.append_pair("cursor", cursor);
        }
        let page = client.get(&format!("{path}?{}", query.finish())).await?;
        let data = page.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        for value in data.iter().take(left) {
            row(output, value)?;
        }
        left = left.saturating_sub(data.len());
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(Exit::Success);
        }
    }
    output.talk(format_args!("more than {limit} fit; --limit shows more"));
    Ok(Exit::Success)
}
