//! What migrations will find in a database that is not empty, and what becomes of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::contract::{FUNCTIONS, TABLES, WORDS};

/// What stands in the schema `public` already, of what the contract names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Found {
    /// Tables of the contract, by name.
    pub tables: BTreeMap<String, FoundTable>,
    /// Types of words, each with its words.
    pub words: BTreeMap<String, Vec<String>>,
    /// Functions that have a name of ours and are not ours, with their arguments.
    pub functions: Vec<String>,
}

/// A table that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct FoundTable {
    /// Rows, as the planner estimates them; `None` when nobody counted yet.
    pub rows: Option<i64>,
    /// Its columns.
    pub columns: Vec<String>,
    /// Its policies for people.
    pub policies: Vec<String>,
    /// Whether row level security is on.
    pub is_guarded: bool,
}

/// What becomes of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A table is made.
    Made(&'static str),
    /// A table stays, with its rows.
    Adopted {
        /// The table.
        table: &'static str,
        /// Rows, about.
        rows: Option<i64>,
        /// Columns that it gets.
        gets: Vec<&'static str>,
    },
    /// A table's row level security is switched on: what the web app reads as an anonymous visitor stops.
    Guarded(&'static str),
    /// A policy stays as it is, and decides in place of one of ours.
    Kept {
        /// The table.
        table: &'static str,
        /// The policy.
        policy: String,
    },
    /// A type gets words.
    Widened {
        /// The type.
        of: &'static str,
        /// The words.
        gets: Vec<&'static str>,
    },
    /// A function is replaced; its definition is kept in `dunlin.replaced`.
    Replaced(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(table) => write!(f, "{table} is made"),
            Self::Adopted { table, rows, gets } => {
                write!(f, "{table} is adopted")?;
                if let Some(rows) = rows {
                    write!(f, " with about {rows} rows")?;
                }
                if gets.is_empty() { Ok(()) } else { write!(f, "; it gets {}", gets.join(", ")) }
            }
            Self::Guarded(table) => {
                write!(f, "{table} gets row level security: who is not signed in sees nothing of it any more")
            }
            Self::Kept { table, policy } => {
                write!(f, "{table} keeps its policy \"{policy}\" in place of one of ours; look at it again")
            }
            Self::Widened { of, gets } => write!(f, "type {of} gets {}", gets.join(", ")),
            Self::Replaced(function) => {
                write!(f, "function {function} is replaced; what it was is kept in dunlin.replaced")
            }
        }
    }
}

/// What becomes of everything that was found.
pub fn remarks(found: &Found) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (of, words) in WORDS {
        if let Some(known) = found.words.get(of) {
            let gets = lacking(words.iter().copied(), known);
            if !gets.is_empty() {
                remarks.push(Remark::Widened { of, gets });
            }
        }
    }
    for table in TABLES {
        let Some(there) = found.tables.get(table.name) else {
            remarks.push(Remark::Made(table.name));
            continue;
        };
        let gets = lacking(table.columns.iter().map(|column| column.name), &there.columns);
        remarks.push(Remark::Adopted { table: table.name, rows: there.rows, gets });
        if !there.is_guarded {
            remarks.push(Remark::Guarded(table.name));
        }
        let kept = there.policies.iter().cloned();
        remarks.extend(kept.map(|policy| Remark::Kept { table: table.name, policy }));
    }
    let ours = |signature: &&String| FUNCTIONS.iter().any(|name| signature.starts_with(name));
    remarks.extend(found.functions.iter().filter(ours).cloned().map(Remark::Replaced));
    remarks
}

fn lacking(wanted: impl Iterator<Item = &'static str>, there: &[String]) -> Vec<&'static str> {
    wanted.filter(|name| !there.iter().any(|known| known == name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_database_gets_every_table_and_nothing_is_adopted() {
        let made: Vec<Remark> = TABLES.iter().map(|table| Remark::Made(table.name)).collect();
        assert_eq!(remarks(&Found::default()), made);
    }

    #[test]
    fn plan_names_what_an_older_database_gets_and_keeps() {
        let mut found = Found::default();
        let five = ["pending", "queued", "sent", "delivered", "failed"];
        found.words.insert("sms_status".to_owned(), five.map(str::to_owned).to_vec());
        found.functions.push("queue_sms_message(uuid,text,text)".to_owned());
        let mut columns: Vec<String> =
            TABLES[1].columns.iter().map(|column| column.name.to_owned()).collect();
        columns.retain(|name| name != "dedup_key");
        let jobs =
            FoundTable { rows: Some(220), columns, policies: vec!["own".to_owned()], is_guarded: false };
        found.tables.insert("queue_jobs".to_owned(), jobs);
        let told: Vec<String> = remarks(&found).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "type sms_status gets sending, undelivered, scheduled, cancelled",
                "sms_templates is made",
                "queue_jobs is adopted with about 220 rows; it gets dedup_key",
                "queue_jobs gets row level security: who is not signed in sees nothing of it any more",
                "queue_jobs keeps its policy \"own\" in place of one of ours; look at it again",
                "sms_messages is made",
                "user_sms_preferences is made",
                "sms_metrics is made",
                "function queue_sms_message(uuid,text,text) is replaced; what it was is kept in dunlin.replaced",
            ]
        );
    }
}
