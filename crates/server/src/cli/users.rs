//! The commands for people who sign in.

use std::path::PathBuf;

use clap::Subcommand;
use model::OrgRole;

/// People who sign in to the dashboard.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make a person of an organization
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// What they are there: owner, admin, developer, member or viewer
        #[arg(long, value_parser = role)]
        role: OrgRole,
        /// A file with their password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// List an organization's people
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Give a person another password, and sign them out everywhere
    ResetPassword {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// A file with the new password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
}

fn role(word: &str) -> Result<OrgRole, String> {
    let names = || OrgRole::ALL.map(OrgRole::as_str).join(", ");
    OrgRole::parse(word).ok_or_else(|| format!("there are {}", names()))
}
