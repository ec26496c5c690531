//! What a person may do in an organization: by their role there.

/// What a person is in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrgRole {
    /// Whose it is: may do everything, and nobody else names owners.
    Owner,
    /// May do everything.
    Admin,
    /// Connects systems: API keys, webhooks and their deliveries, and what platforms sent.
    Developer,
    /// Works with calls.
    Member,
    /// Looks and changes nothing.
    Viewer,
}

/// One kind of thing that a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Read calls and what came of them.
    ReadRecords,
    /// Say that a call was looked at, or is spam.
    ReviewCalls,
    /// Change contacts, leads and appointments, and the block list.
    WriteRecords,
    /// Erase a person for good.
    ErasePeople,
    /// Give out addresses at which calendars read the appointments.
    ShareCalendar,
    /// Read webhooks' deliveries, with what was sent and answered.
    ReadDeliveries,
    /// Send a delivery once more.
    ResendDeliveries,
    /// Read platforms' messages as they came.
    ReadMessages,
    /// See, make, change and delete webhook endpoints, and send them tests.
    ManageWebhooks,
    /// See, make, change and delete sources, and read their messages again.
    ManageSources,
    /// See, make and revoke API keys. A key may do what its scopes say, so who has this has them all.
    ManageKeys,
}

impl OrgRole {
    /// Every role, the one that may most first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Developer, Self::Member, Self::Viewer];

    /// The word that people and the database have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether a person with this role may do it.
    pub const fn permits(self, permission: Permission) -> bool {
        use Permission::{
            ErasePeople, ManageKeys, ManageSources, ManageWebhooks, ReadDeliveries, ReadMessages,
            ReadRecords, ResendDeliveries, ReviewCalls, ShareCalendar, WriteRecords,
        };
        match (self, permission) {
            (Self::Owner | Self::Admin | Self::Developer, _)
            | (_, ReadRecords)
            | (Self::Member, ReviewCalls | WriteRecords) => true,
            (
                Self::Member | Self::Viewer,
                ErasePeople | ManageKeys | ManageSources | ManageWebhooks | ReadDeliveries | ReadMessages
                | ResendDeliveries | ShareCalendar,
            )
            | (Self::Viewer, ReviewCalls | WriteRecords) => false,
        }
    }
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 11] = [
        Self::ReadRecords,
        Self::ReviewCalls,
        Self::WriteRecords,
        Self::ErasePeople,
        Self::ShareCalendar,
        Self::ReadDeliveries,
        Self::ResendDeliveries,
        Self::ReadMessages,
        Self::ManageWebhooks,
        Self::ManageSources,
        Self::ManageKeys,
    ];

    /// What it permits, in words that follow "may".
    pub const fn about(self) -> &'static str {
        match self {
            Self::ReadRecords => "read calls",
            Self::ReviewCalls => "review calls",
            Self::WriteRecords => "change contacts, leads and appointments",
            Self::ErasePeople => "erase people",
            Self::ShareCalendar => "share the calendar",
            Self::ReadDeliveries => "read deliveries",
            Self::ResendDeliveries => "resend deliveries",
            Self::ReadMessages => "read platforms' raw events",
            Self::ManageWebhooks => "manage integrations",
            Self::ManageSources => "manage voice platforms",
            Self::ManageKeys => "manage API keys",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_looks_changes_nothing_and_sees_no_secret_of_others() {
        let permitted = |role: OrgRole| Permission::ALL.into_iter().filter(move |it| role.permits(*it));
        assert_eq!(permitted(OrgRole::Viewer).collect::<Vec<_>>(), [Permission::ReadRecords]);
        assert_eq!(
            permitted(OrgRole::Member).collect::<Vec<_>>(),
            [Permission::ReadRecords, Permission::ReviewCalls, Permission::WriteRecords]
        );
        assert_eq!(permitted(OrgRole::Owner).count(), Permission::ALL.len());
    }

    #[test]
    fn roles_read_back() {
        assert!(OrgRole::ALL.into_iter().all(|role| OrgRole::parse(role.as_str()) == Some(role)));
        assert_eq!(OrgRole::parse("Owner"), None);
    }
}
