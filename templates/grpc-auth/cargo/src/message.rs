//! The message of proto/auth.proto, serialized by hand: with four fields that is less than what a
//! library would bring. For larger messages take `prost`, whose derive needs no compiler of protos.

/// What is asked about a request; empty is what is not there.
#[derive(Default)]
pub struct CheckRequest {
    pub method: Vec<u8>,
    pub authority: Vec<u8>,
    pub path: Vec<u8>,
    pub authorization: Vec<u8>,
}

impl CheckRequest {
    pub fn serialized(&self) -> Vec<u8> {
        let fields = [
            (1, &self.method),
            (2, &self.authority),
            (3, &self.path),
            (4, &self.authorization),
        ];
        let mut message = Vec::new();
        for (number, value) in fields {
            // In proto3 a field that is empty is left out.
            if !value.is_empty() {
                put(&mut message, number, value);
            }
        }
        message
    }
}

/// Appends a field that holds bytes: https://protobuf.dev/programming-guides/encoding
fn put(message: &mut Vec<u8>, number: u8, value: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    message.push(number << 3 | LENGTH_DELIMITED);
    // Seven bits at a time, the lowest first; the eighth says that more come.
    let mut length = value.len();
    while length > 0x7f {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::CheckRequest;

    #[test]
    fn fields_have_a_tag_a_length_and_their_bytes() {
        let request = CheckRequest {
            method: b"GET".to_vec(),
            path: b"/\xff".to_vec(),
            ..CheckRequest::default()
        };
        assert_eq!(request.serialized(), b"\x0a\x03GET\x1a\x02/\xff");
        assert_eq!(CheckRequest::default().serialized(), b"");
    }

    #[test]
    fn a_length_takes_as_many_bytes_as_it_needs() {
        for (length, head) in [
            (127, &b"\x22\x7f"[..]),
            (128, b"\x22\x80\x01"),
            (300, b"\x22\xac\x02"),
            (16_384, b"\x22\x80\x80\x01"),
        ] {
            let request = CheckRequest {
                authorization: vec![b'x'; length],
                ..CheckRequest::default()
            };
            let message = request.serialized();
            assert!(message.starts_with(head), "{length}");
            assert_eq!(message.len(), head.len() + length);
        }
    }
}
