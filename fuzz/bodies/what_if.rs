//! Files of other rules, for a replay: lines of `name = value`.

use dunlin::replay::what_if_file::{NAMES, WhatIf};
use dunlin_workflows::rules::Rules;

/// A file that is read reads the same when it is written anew, and names nothing twice.
pub fn what_if(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let recorded = Rules::default();
    match WhatIf::read(text, &recorded) {
        Ok(read) => {
            let known = |name: &str| NAMES.iter().any(|(known, _)| *known == name);
            assert!(!read.set.is_empty() && read.set.iter().all(|(name, _)| known(name)));
            assert!(read.set.len() <= NAMES.len(), "a name is set twice");
            let line = |(name, value): &(String, String)| format!("# as written\n{name} = \"{value}\"\n");
            let written: String = read.set.iter().map(line).collect();
            assert_eq!(WhatIf::read(&written, &recorded), Ok(read), "{written}");
        }
        Err(error) => assert!(error.to_string().starts_with("line "), "{error}"),
    }
}
