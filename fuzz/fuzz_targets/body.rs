//! No text panics the segment counter, and the segments of a body put together are the body.
#![no_main]

use dunlin_workflows::body::Body;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(body) = Body::parse(text) {
        assert_eq!(body.segments().concat(), body.as_str());
        assert_eq!(body.segments().len(), usize::from(body.segment_count()));
    }
});
