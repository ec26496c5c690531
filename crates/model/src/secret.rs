//! Secrets of others, of which a person may see enough to tell them apart.

/// The last four characters, and of a short secret nothing.
pub fn last4(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= 12).then(|| secret.chars().skip(count - 4).collect())
}

/// Whether a text can be a secret: 1 to 1000 characters, not all of them blank.
pub fn is_usable_secret(text: &str) -> bool {
    text.chars().count() <= 1000 && text.bytes().any(|byte| byte.is_ascii_graphic()) && !text.contains('\0')
}

/// A text as one segment of a path (RFC 3986 section 2).
pub fn path_segment(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_short_secret_nothing_is_shown() {
        assert_eq!(last4("eleven long"), None);
        assert_eq!(last4("twelve läng€").as_deref(), Some("äng€"));
    }
}
