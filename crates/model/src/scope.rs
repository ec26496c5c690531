//! What an API key may do: everything, or what its scopes name.

use std::fmt;

/// One thing that a restricted key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read calls, contacts, leads, appointments, blocked numbers, assistants and events.
    Read,
    /// Create, update and review calls.
    CallsWrite,
    /// Create, change, merge and delete contacts, leads and appointments, and block numbers.
    RecordsWrite,
    /// Read sources and the messages that arrived at them.
    SourcesRead,
    /// Create, change, delete, preview and reprocess sources, and read them.
    SourcesWrite,
    /// Read webhook endpoints and deliveries.
    WebhooksRead,
    /// Create, change, delete and test webhook endpoints, resend deliveries, and read both.
    WebhooksWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::CallsWrite,
        Self::RecordsWrite,
        Self::SourcesRead,
        Self::SourcesWrite,
        Self::WebhooksRead,
        Self::WebhooksWrite,
    ];

    /// The word that people and the database have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::CallsWrite => "calls:write",
            Self::RecordsWrite => "records:write",
            Self::SourcesRead => "sources:read",
            Self::SourcesWrite => "sources:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
        }
    }

    /// What it permits, in words that follow "may".
    pub const fn about(self) -> &'static str {
        match self {
            Self::Read => "read calls, contacts, leads, appointments, blocked numbers, assistants and events",
            Self::CallsWrite => "create, update and review calls",
            Self::RecordsWrite => {
                "create, change, merge and delete contacts, leads and appointments, and block numbers"
            }
            Self::SourcesRead => "read sources and the messages that arrived at them, bodies included",
            Self::SourcesWrite => "create, change, delete, preview and reprocess sources, and read them",
            Self::WebhooksRead => "read webhook endpoints and deliveries",
            Self::WebhooksWrite => {
                "create, change, delete and test webhook endpoints, resend deliveries, and read both"
            }
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether whoever has this one may do what the other one permits: to write a thing is to see it.
    fn includes(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::SourcesWrite, Self::SourcesRead) | (Self::WebhooksWrite, Self::WebhooksRead)
            )
    }
}

/// All that a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Everything, also what comes in later versions.
    All,
    /// What these permit and nothing else.
    Only(Vec<Scope>),
}

impl Scopes {
    /// Whether a key with these may do what the scope permits.
    pub fn allow(&self, scope: Scope) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.iter().any(|own| own.includes(scope)),
        }
    }

    /// The words, separated by commas: `all`, or a list such as `read,calls:write`. The error names the word.
    pub fn parse_list(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let mut scopes = Vec::new();
        for word in text.split(',').map(str::trim) {
            let names = || Scope::ALL.map(Scope::as_str).join(", ");
            let scope =
                Scope::parse(word).ok_or_else(|| format!("`{word}` is no scope: there are {}", names()))?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        Ok(Self::Only(scopes))
    }

    /// Reads what the database has. A word that this version does not know permits nothing here.
    pub fn from_stored(text: &str) -> Self {
        match text {
            "all" => Self::All,
            words => Self::Only(words.split(' ').filter_map(Scope::parse).collect()),
        }
    }

    /// The words, each once.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["all"],
            Self::Only(scopes) => scopes.iter().map(|scope| scope.as_str()).collect(),
        }
    }
}

/// As the database has it.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_stored_and_read_back() {
        for text in ["all", "read", "read,calls:write", "sources:write, read"] {
            let scopes = Scopes::parse_list(text).expect("scopes");
            assert_eq!(Scopes::from_stored(&scopes.to_string()), scopes);
        }
        assert_eq!(Scopes::parse_list("read,read"), Ok(Scopes::Only(vec![Scope::Read])));
    }

    #[test]
    fn a_word_that_is_no_scope_is_named_and_a_stored_one_permits_nothing() {
        for text in ["", "read,", "write", "all,read"] {
            assert!(Scopes::parse_list(text).is_err(), "{text:?}");
        }
        let of_a_later_version = Scopes::from_stored("read dreams:read");
        assert_eq!(of_a_later_version, Scopes::Only(vec![Scope::Read]));
        assert!(Scope::ALL.iter().all(|scope| !Scopes::from_stored("").allow(*scope)));
    }

    #[test]
    fn who_may_write_sources_or_webhooks_may_read_them_and_nothing_else() {
        let own = Scopes::Only(vec![Scope::SourcesWrite]);
        let allowed: Vec<_> = Scope::ALL.into_iter().filter(|scope| own.allow(*scope)).collect();
        assert_eq!(allowed, [Scope::SourcesRead, Scope::SourcesWrite]);
        assert!(!Scopes::Only(vec![Scope::RecordsWrite]).allow(Scope::Read));
    }
}
