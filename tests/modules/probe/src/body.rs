//! Replacing bytes in bodies.

/// Returns `data` with every `old` replaced by `new`.
pub fn replaced(data: &[u8], old: &str, new: &str) -> Vec<u8> {
    let old = old.as_bytes();
    let mut result = Vec::with_capacity(data.len());
    let mut rest = data;
    while !rest.is_empty() {
        if !old.is_empty() && rest.starts_with(old) {
            result.extend_from_slice(new.as_bytes());
            rest = &rest[old.len()..];
        } else {
            result.push(rest[0]);
            rest = &rest[1..];
        }
    }
    result
}
