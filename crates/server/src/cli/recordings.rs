//! The commands on recordings.

use clap::Subcommand;

/// Recordings of calls.
#[derive(Subcommand)]
pub enum RecordingsCommand {
    /// List an organization's newest recordings: how far each has come, and why one could not be fetched
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// Only those of this call
        #[arg(long, value_name = "ID")]
        call: Option<model::CallId>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Fetch a call's recordings that could not be fetched: now, and as often as if they were new
    Fetch {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The call's id
        #[arg(long, value_name = "ID")]
        call: model::CallId,
    },
    /// Delete a call's recordings for good: they are not fetched again
    Delete {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The call's id
        #[arg(long, value_name = "ID")]
        call: model::CallId,
    },
}
