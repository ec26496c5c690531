//! Views of an organization's calls: what people sort them into while they work.

/// A way to look at calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallView {
    /// Over, not blocked, not spam, and nobody said yet that they looked at it.
    NeedsReview,
    /// Ringing, being talked or being handed to a person.
    InProgress,
    /// Failed.
    Failed,
    /// Spam, or blocked.
    SetAside,
}

impl CallView {
    /// Where `?1` is the organization. The conditions within brackets are those of the indexes `calls_looked_at` and
    /// `calls_spam`, word for word.
    pub(crate) const fn condition(self) -> &'static str {
        match self {
            Self::NeedsReview => {
                "status IN ('completed', 'failed') AND seq NOT IN \
                 (SELECT seq FROM calls WHERE org_id = ?1 AND (reviewed_at IS NOT NULL OR spam))"
            }
            Self::InProgress => "status IN ('in-progress', 'forwarding')",
            Self::Failed => "status = 'failed'",
            Self::SetAside => {
                "seq IN (SELECT seq FROM calls WHERE org_id = ?1 AND status = 'blocked' \
                         UNION SELECT seq FROM calls WHERE org_id = ?1 AND spam)"
            }
        }
    }
}
