//! Secrets of others, of which a person may see enough to tell them apart.

/// The last four characters, and of a short secret nothing.
pub fn last4(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= 12).then(|| secret.chars().skip(count - 4).collect())
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
