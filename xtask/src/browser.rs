//! The test in a real browser: Node.js drives Debian's Chromium through the pages of the binary that the tests built.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{
    tools::{BrowserTools, run},
    workspace::Workspace,
};

/// Where the test and its lock file are.
const FOLDER: &str = "crates/server/tests/browser";

/// Runs the test, which fails at the first thing that is not as it should be.
pub(crate) fn test(workspace: &Workspace, tools: &BrowserTools) -> Result<()> {
    let folder = workspace.root.join(FOLDER);
    run(Command::new(&tools.npm)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"])
        .current_dir(&folder))
    .context("cannot fetch the browser test's packages from the npm registry")?;
    let screenshots = workspace.target.join("screenshots");
    let status = Command::new(&tools.node)
        .arg("test.mjs")
        .args([&workspace.target.join("debug/inboundflow"), &tools.chromium, &screenshots])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .status()
        .context("cannot run node")?;
    let where_it_stopped = screenshots.display();
    ensure!(status.success(), "the test in the browser failed ({status}); {where_it_stopped} shows where");
    Ok(())
}
