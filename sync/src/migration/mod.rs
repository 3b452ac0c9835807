//! The migrations that teach a database the contract: the files, which of them a database still needs, and what
//! they find there.
//!
//! The files lie in `sync/supabase/migrations/`, as the Supabase CLI wants them, and in this binary. Each can run
//! again without changing anything, so it does not matter which of the two applied it.

mod adoption;
mod plan;

pub use adoption::{Found, FoundTable, Remark, remarks};
pub use plan::{Plan, Recorded, Standing, Step};

/// One file of SQL, run in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// When it was written, UTC, `YYYYMMDDhhmmss`: the order in which migrations run.
    pub version: &'static str,
    /// What the file is called after its version.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

impl Migration {
    /// The first sentences of the file: what it is for.
    pub fn purpose(&self) -> String {
        let comment = self.sql.lines().map_while(|line| line.strip_prefix("-- "));
        comment.collect::<Vec<_>>().join(" ")
    }

    /// BLAKE3 of the file in 64 hexadecimal digits: a file that was applied must not change.
    pub fn checksum(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../supabase/migrations/", $version, "_", $name, ".sql")),
        }
    };
}

/// Every migration, in the order in which they run.
pub const MIGRATIONS: [Migration; 11] = [
    migration!("20261129020100", "dunlin_words"),
    migration!("20261129020200", "dunlin_tables"),
    migration!("20261129020300", "dunlin_ledger"),
    migration!("20261129020400", "dunlin_notice"),
    migration!("20261129020500", "dunlin_requests"),
    migration!("20261129020600", "dunlin_pull"),
    migration!("20261129020700", "dunlin_push"),
    migration!("20261129020750", "dunlin_repair"),
    migration!("20261129020800", "dunlin_metrics"),
    migration!("20261129020900", "dunlin_access"),
    migration!("20261129021000", "dunlin_adoption"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_in_order_and_says_what_it_is_for() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/supabase/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let embedded = MIGRATIONS.map(|migration| format!("{}_{}.sql", migration.version, migration.name));
        assert_eq!(files, embedded);
        for migration in &MIGRATIONS {
            assert_eq!(migration.version.len(), 14);
            assert!(migration.purpose().ends_with('.'), "{}: {:?}", migration.name, migration.purpose());
        }
    }
}
