//! `cargo xtask tidy`: what the house promises and no compiler checks.
//!
//! A check is a function from what it looks at to its findings, so that it can be tested on a few lines.

mod crates;
mod docs;
mod sources;
mod texts;
mod tokens;

use std::{collections::BTreeSet, fmt, fs, path::Path, process::Command, process::ExitCode};

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// Something that is not as it should be: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A text file of the repository.
struct Text {
    /// Relative to the workspace, with `/`.
    path: String,
    text: String,
}

/// The repository's files: those that Git tracks, and those that it would if they were added.
struct Tree {
    paths: BTreeSet<String>,
    texts: Vec<Text>,
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
        // Git also lists what it tracks and somebody has just deleted.
        let exists = |path: &&str| !path.is_empty() && root.join(path).is_file();
        let paths: BTreeSet<String> = listed.split('\0').filter(exists).map(str::to_owned).collect();
        let texts = paths.iter().filter_map(|path| {
            Some(Text { path: path.clone(), text: fs::read_to_string(root.join(path)).ok()? })
        });
        Ok(Self { texts: texts.collect(), paths })
    }

    fn rust(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|it| it.path.ends_with(".rs"))
    }

    fn markdown(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|it| it.path.ends_with(".md"))
    }
}

/// Runs every check and prints what they find; fails if that is anything.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    let tree = Tree::read(&workspace.root)?;
    for warning in texts::nearly_too_long(&tree) {
        println!("warning: {warning}");
    }
    let mut findings = [
        crates::layers(&workspace),
        crates::confined_dependencies(&workspace),
        crates::fuzzer_lock(&workspace.root)?,
        texts::headers(&tree),
        texts::too_long(&tree),
        texts::machine_paths(&tree),
        texts::secrets(&tree),
        texts::twin_migrations(&tree.paths),
        docs::links(&tree),
        sources::check(&tree),
    ]
    .concat();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let files = tree.texts.len();
    if findings.is_empty() {
        println!("tidy: {files} files are as they should be");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {} findings in {files} files", findings.len());
    Ok(ExitCode::FAILURE)
}

/// Files for the checks' own tests.
#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Tree {
    let text = |(path, text): &(&str, &str)| Text { path: (*path).to_owned(), text: (*text).to_owned() };
    Tree {
        paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        texts: files.iter().map(text).collect(),
    }
}

/// Where the findings are, for the checks' own tests.
#[cfg(test)]
fn places(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|it| format!("{}:{}", it.file, it.line)).collect()
}
