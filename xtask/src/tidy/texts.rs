//! What holds for files as texts: how a source begins, how long it is, and what no file may contain.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// A source longer than this should be split soon, and longer than that at once.
const LONG: usize = 400;
const TOO_LONG: usize = 500;

/// One folder for each database.
const SQLITE_MIGRATIONS: &str = "crates/store/migrations/sqlite/";
const POSTGRES_MIGRATIONS: &str = "crates/store/migrations/postgres/";

/// Every source says first what it is for.
pub(super) fn headers(tree: &Tree) -> Vec<Finding> {
    let what = "begin with a `//!` comment that says what this file is for";
    let bare = tree.rust().filter(|file| !file.text.starts_with("//! "));
    bare.map(|file| Finding::new(&file.path, 1, what)).collect()
}

/// Sources that must be split.
pub(super) fn too_long(tree: &Tree) -> Vec<Finding> {
    lengths(tree, |lines| lines > TOO_LONG)
}

/// Sources that should be split before they grow further: a warning.
pub(super) fn nearly_too_long(tree: &Tree) -> Vec<Finding> {
    lengths(tree, |lines| lines > LONG && lines <= TOO_LONG)
}

fn lengths(tree: &Tree, is_found: impl Fn(usize) -> bool) -> Vec<Finding> {
    let long =
        tree.rust().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| is_found(*lines));
    let what = |lines| format!("{lines} lines; split it: about {LONG} is the limit, {TOO_LONG} the end");
    long.map(|(file, lines)| Finding::new(&file.path, lines, what(lines))).collect()
}

/// Paths that exist on one person's machine.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let what = "a path of somebody's machine: write it relative to the repository";
    in_lines(tree, has_machine_path, what)
}

fn has_machine_path(line: &str) -> bool {
    // Put together here, so that this file does not contain what it looks for.
    let homes = ["root", "home", "Users", "work"].map(|name| format!("/{name}/"));
    homes.iter().any(|home| {
        line.match_indices(home.as_str()).any(|(at, _)| {
            // Behind a letter or a dot it is the rest of a relative path or a web address.
            let before = line[..at].chars().next_back();
            !before.is_some_and(|char| char.is_alphanumeric() || "._-/}~*".contains(char))
        })
    })
}

/// Texts that look like another service's live key: a secret scanner would stop the push.
pub(super) fn secrets(tree: &Tree) -> Vec<Finding> {
    in_lines(
        tree,
        has_secret,
        "this looks like a live key of another service: shorten it, or make it at run time",
    )
}

fn has_secret(line: &str) -> bool {
    let prefix = "sk_live_";
    line.match_indices(prefix).any(|(at, _)| {
        let rest = line[at + prefix.len()..].bytes();
        rest.take_while(u8::is_ascii_alphanumeric).count() >= 24
    })
}

fn in_lines(tree: &Tree, is_found: impl Fn(&str) -> bool, what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.texts {
        let found = file.text.lines().enumerate().filter(|(_, line)| is_found(line));
        findings.extend(found.map(|(at, _)| Finding::new(&file.path, at + 1, what)));
    }
    findings
}

/// The migrations of the two databases are twins: the same names on both sides.
pub(super) fn twin_migrations(paths: &BTreeSet<String>) -> Vec<Finding> {
    let names = |folder: &str| {
        paths.iter().filter_map(|path| path.strip_prefix(folder)).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (sqlite, postgres) = (names(SQLITE_MIGRATIONS), names(POSTGRES_MIGRATIONS));
    if sqlite.is_empty() && postgres.is_empty() {
        return vec![Finding::new(
            SQLITE_MIGRATIONS,
            1,
            "no migrations here: if they moved, tell xtask/src/tidy/texts.rs",
        )];
    }
    let twin = |folder: &str, missing_in: &str, name: &String| {
        Finding::new(&format!("{folder}{name}"), 1, format!("has no twin: add {missing_in}{name}"))
    };
    let only_sqlite =
        sqlite.difference(&postgres).map(|name| twin(SQLITE_MIGRATIONS, POSTGRES_MIGRATIONS, name));
    let only_postgres =
        postgres.difference(&sqlite).map(|name| twin(POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS, name));
    only_sqlite.chain(only_postgres).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{places, tree};

    #[test]
    fn a_source_says_first_what_it_is_for() {
        let files = tree(&[("a.rs", "//! For this.\n"), ("b.rs", "fn b() {}\n"), ("c.md", "# C\n")]);
        assert_eq!(places(&headers(&files)), ["b.rs:1"]);
    }

    #[test]
    fn long_sources_are_warned_of_and_longer_ones_refused() {
        let [fine, long, longer] = [400, 401, 501].map(|lines| "\n".repeat(lines));
        let files = tree(&[("a.rs", &fine), ("b.rs", &long), ("c.rs", &longer)]);
        assert_eq!(places(&nearly_too_long(&files)), ["b.rs:401"]);
        assert_eq!(places(&too_long(&files)), ["c.rs:501"]);
    }

    #[test]
    fn no_file_names_a_folder_of_somebodys_machine() {
        let [root, home] = ["root", "home"].map(|name| format!("/{name}/"));
        for line in
            [format!("see {home}ann/x"), format!("\"{root}x\""), format!("A={root}.cargo"), root.clone()]
        {
            assert!(has_machine_path(&line), "{line}");
        }
        for line in [format!("https://example.com{home}x"), format!("docs{root}x"), "/rooted/x".to_owned()] {
            assert!(!has_machine_path(&line), "{line}");
        }
    }

    #[test]
    fn no_file_contains_what_a_secret_scanner_stops() {
        let digits = "a1".repeat(12);
        assert!(has_secret(&format!("key = \"sk_live_{digits}\"")));
        assert!(!has_secret(&format!("key = \"sk_live_{}_{digits}\"", &digits[..12])));
        assert!(!has_secret("sk_live_…"));
    }

    #[test]
    fn a_migration_has_a_twin() {
        let paths =
            |names: &[&str]| names.iter().map(|name| format!("crates/store/migrations/{name}")).collect();
        assert_eq!(twin_migrations(&paths(&["sqlite/V1__a.sql", "postgres/V1__a.sql"])), []);
        let found = twin_migrations(&paths(&["sqlite/V1__a.sql", "sqlite/V2__b.sql", "postgres/V1__a.sql"]));
        assert_eq!(places(&found), ["crates/store/migrations/sqlite/V2__b.sql:1"]);
        assert_eq!(twin_migrations(&paths(&[])).len(), 1);
    }
}
