//! SHA-1, HMAC, base64 and CRC-32C from their papers, bit by bit: judges of the fast ones.
//!
//! Sources: RFC 3174 section 6.1, RFC 2104 section 2, RFC 4648 section 4, RFC 3720 appendix B.4.

/// SHA-1 of `bytes`.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((bytes.len() as u64).wrapping_mul(8).to_be_bytes());
    let mut hash: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    for block in padded.chunks(64) {
        let mut words: Vec<u32> = block
            .chunks(4)
            .map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect();
        for t in 16..80 {
            words.push((words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut last] = hash;
        for (t, word) in words.into_iter().enumerate() {
            let (mixed, constant) = match t / 20 {
                0 => ((b & c) | (!b & d), 0x5A82_7999),
                1 => (b ^ c ^ d, 0x6ED9_EBA1),
                2 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6),
            };
            let next = [a.rotate_left(5), mixed, last, word, constant].into_iter().fold(0, u32::wrapping_add);
            (last, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in hash.iter_mut().zip([a, b, c, d, last]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut bytes = [0; 20];
    for (to, word) in bytes.chunks_mut(4).zip(hash) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// HMAC-SHA1 of `text` under a key of at most 64 bytes.
pub fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    assert!(key.len() <= 64, "longer keys would be hashed first");
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = sha1(&[pad(0x36).as_slice(), text].concat());
    sha1(&[pad(0x5c).as_slice(), inner.as_slice()].concat())
}

/// `bytes` in base64, padded.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let sum = (0..3).fold(0_u32, |sum, at| sum << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4_usize {
            let six = usize::try_from((sum >> (18 - 6 * at)) & 63).unwrap_or(0);
            text.push(if at <= group.len() { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    text
}

/// CRC-32C of `bytes`, one bit at a time.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _bit| if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
