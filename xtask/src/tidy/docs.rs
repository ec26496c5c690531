//! The links of our documents: each that points into the repository finds something there.

use std::collections::BTreeSet;

use super::{Finding, Text, Tree};

/// Every link of every Markdown file to a local file.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    tree.markdown().flat_map(|file| links_of(file, &tree.paths)).collect()
}

fn links_of(file: &Text, paths: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line).into_iter().filter(|target| is_local(target)) {
            if !resolves(&file.path, target, paths) {
                let what = format!("the link to {target} leads nowhere: correct it");
                findings.push(Finding::new(&file.path, at + 1, what));
            }
        }
    }
    findings
}

/// The targets of `[text](target)`, `[text](target "title")` and `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let reference =
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    inline.chain(reference).map(|target| target.trim_matches(['<', '>'])).collect()
}

fn is_local(target: &str) -> bool {
    let has_scheme = target.contains("://") || target.starts_with("mailto:");
    !target.is_empty() && !target.starts_with('#') && !has_scheme
}

/// Whether `target`, as written in `file`, is a file or folder of the repository.
fn resolves(file: &str, target: &str, paths: &BTreeSet<String>) -> bool {
    let target = target.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { file.split('/').collect() };
    // What is left of the file's path is its folder.
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return false,
            ".." => {}
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    path.is_empty() || paths.contains(&path) || paths.iter().any(|known| known.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{places, tree};

    fn broken(text: &str) -> Vec<String> {
        places(&links(&tree(&[("docs/api/a.md", text), ("docs/b.md", ""), ("README.md", "")])))
    }

    #[test]
    fn a_link_to_a_file_of_ours_finds_it() {
        assert_eq!(broken("[b](../b.md#part) [r](../../README.md) [docs](..) [root](/README.md)"), [""; 0]);
        assert_eq!(broken("fine\n[b](b.md) and [c](../c.md \"C\")"), ["docs/api/a.md:2", "docs/api/a.md:2"]);
        assert_eq!(
            broken("[out](../../../README.md)\n\n[name]: nowhere.md"),
            ["docs/api/a.md:1", "docs/api/a.md:3"]
        );
    }

    #[test]
    fn links_to_elsewhere_are_left_alone() {
        assert_eq!(broken("[web](https://example.com) [part](#part) [mail](mailto:a@example.com)"), [""; 0]);
        assert_eq!(broken("```\n[code](nowhere.md)\n```"), [""; 0]);
    }
}
