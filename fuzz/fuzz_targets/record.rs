//! No bytes panic the record reader, and a record that it takes is written back as the same record.
#![no_main]

use dunlin_storage::{JournalSeq, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (seq, bytes) = input;
    if let Ok(record) = Record::decode(JournalSeq::new(seq), bytes) {
        let written = record.encode().expect("what was read can be written");
        assert_eq!(Record::decode(record.seq, &written).as_ref(), Ok(&record));
    }
});
