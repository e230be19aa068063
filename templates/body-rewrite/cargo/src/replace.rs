//! Replacing text in bytes that are not all there yet.

/// Bytes in which every text that is complete has been replaced.
#[derive(Debug, PartialEq)]
pub struct Replaced {
    pub bytes: Vec<u8>,
    /// How many bytes at the end may be the beginning of another one.
    pub open: usize,
}

/// Replaces every `find` in `data`. `more` says whether further bytes are to come.
pub fn replace(data: &[u8], find: &[u8], with: &[u8], more: bool) -> Replaced {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.windows(find.len()).position(|window| window == find) {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(with);
        rest = &rest[at + find.len()..];
    }
    bytes.extend_from_slice(rest);
    let longest = rest.len().min(find.len() - 1);
    let open = (1..=longest)
        .rev()
        .find(|length| rest.ends_with(&find[..*length]));
    Replaced {
        bytes,
        open: open.filter(|_| more).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{replace, Replaced};

    /// Returns what comes of chunks, each passed on but for its open end.
    fn in_chunks(chunks: &[&str], find: &str, with: &str) -> String {
        let mut held = Vec::new();
        let mut passed = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            held.extend_from_slice(chunk.as_bytes());
            let more = index + 1 < chunks.len();
            let Replaced { bytes, open } = replace(&held, find.as_bytes(), with.as_bytes(), more);
            let (done, end) = bytes.split_at(bytes.len() - open);
            passed.extend_from_slice(done);
            held = end.to_vec();
        }
        passed.extend(held);
        String::from_utf8(passed).unwrap()
    }

    #[test]
    fn chunks_come_to_the_same_as_the_whole() {
        for (text, find) in [
            ("my secret plan, a secret", "secret"),
            ("aaaaab", "aab"),
            ("ababababc", "ababc"),
            ("secsecret", "secret"),
            ("aaaa", "aa"),
            ("x", "x"),
            ("nothing here", "secret"),
            ("my secre", "secret"),
            ("", "secret"),
        ] {
            for with in ["", "******", "sec"] {
                let whole = text.replace(find, with);
                assert_eq!(in_chunks(&[text], find, with), whole);
                for first in 0..=text.len() {
                    for second in first..=text.len() {
                        let chunks = [&text[..first], &text[first..second], &text[second..]];
                        assert_eq!(in_chunks(&chunks, find, with), whole, "{chunks:?} {find}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_what_may_go_on_is_open() {
        let open = |data: &str, more| replace(data.as_bytes(), b"secret", b"", more).open;
        assert_eq!(open("my sec", true), 3);
        assert_eq!(open("my sec", false), 0);
        assert_eq!(open("my secrets", true), 1);
        assert_eq!(open("my secret", true), 0);
        assert_eq!(open("my plan", true), 0);
    }

    #[test]
    fn bytes_need_not_be_text() {
        let replaced = replace(b"\xff\x00\xfe\xff", b"\x00\xfe", b"-", true);
        assert_eq!(replaced.bytes, b"\xff-\xff");
    }
}
