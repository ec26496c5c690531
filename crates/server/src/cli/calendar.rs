//! The commands on addresses at which calendars read the appointments.

use clap::Subcommand;

/// Addresses at which calendars read the appointments.
#[derive(Subcommand)]
pub enum CalendarFeedCommand {
    /// Make an address; it is shown once, and whoever knows it reads the appointments
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// Whose calendar it is for
        #[arg(long)]
        name: String,
    },
    /// List an organization's addresses, the latest first
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Revoke an address for good
    Revoke {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The address's id, as `list` shows it
        id: model::CalendarFeedId,
    },
}
