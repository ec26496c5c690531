//! What our Rust code does not do: global state, input and output where it doesn't belong, SQL outside store.

use super::{
    Finding, Tree,
    tokens::{Token, tokens},
};

/// Crates that neither read nor write nor ask for the time.
const PURE: &[&str] = &["model", "connectors"];

/// Statics that can change after the program's start, as (file, name, why there is no other way).
const ALLOWED_STATICS: &[(&str, &str, &str)] = &[(
    "crates/delivery/src/guard/noting.rs",
    "NOTEBOOK",
    "task-local: the resolver and the connector have no other way to tell the request they work for",
)];

/// Every check of the code itself, on every file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut files = Vec::new();
    for file in tree.rust() {
        match tokens(&file.text) {
            Ok(tokens) => files.push((file.path.as_str(), tokens)),
            Err(error) => findings.push(Finding::new(&file.path, 1, format!("this is not Rust: {error}"))),
        }
    }
    let tests: Vec<String> = files.iter().flat_map(|(path, tokens)| test_modules(path, tokens)).collect();
    for (path, tokens) in files {
        findings.extend(unfinished(path, &tokens));
        findings.extend(ignored_tests(path, &tokens));
        let is_test = tests.iter().any(|module| path.starts_with(module));
        if let Some(name) = product_crate(path).filter(|_| !is_test) {
            let product: Vec<Token> = tokens.into_iter().filter(|token| !token.in_test).collect();
            findings.extend(product_checks(path, name, &product));
        }
    }
    findings
}

fn product_checks(path: &str, name: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = [unwraps(path, tokens), global_state(path, tokens)].concat();
    if name != "store" {
        findings.extend(sql(path, tokens));
    }
    if PURE.contains(&name) {
        findings.extend(impurities(path, tokens));
    }
    findings
}

/// The crate whose product this file is part of; `None` for integration tests and chores.
fn product_crate(path: &str) -> Option<&str> {
    let (name, inside) = path.strip_prefix("crates/")?.split_once('/')?;
    inside.starts_with("src/").then_some(name)
}

/// How the paths begin of the modules that this file declares with `#[cfg(test)] mod name;`.
fn test_modules(path: &str, tokens: &[Token]) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        module => format!("{folder}/{}", module.trim_end_matches(".rs")),
    };
    let declared =
        tokens.windows(3).filter(|three| three[0].is("mod") && three[2].is(";") && three[1].in_test);
    let begin = |name: &str| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")];
    declared.flat_map(|three| begin(&three[1].text)).collect()
}

/// Placeholders and debugging left behind.
fn unfinished(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let is_placeholder = |token: &Token| ["todo", "unimplemented", "dbg"].contains(&token.text.as_str());
    let found = tokens.windows(2).filter(|pair| is_placeholder(&pair[0]) && pair[1].is("!"));
    found
        .map(|pair| Finding::new(path, pair[0].line, format!("{}! was left here: finish it", pair[0].text)))
        .collect()
}

/// Tests that don't run.
fn ignored_tests(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let found = tokens.windows(3).filter(|three| matches(three, &["#", "[", "ignore"]));
    let what = "an ignored test promises nothing: make it pass or delete it";
    found.map(|three| Finding::new(path, three[0].line, what)).collect()
}

/// Panics that carry no message.
fn unwraps(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let found = tokens.windows(4).filter(|four| matches(four, &[".", "unwrap", "(", ")"]));
    let what = "unwrap in product code: return the error, or expect with the reason why it cannot happen";
    found.map(|four| Finding::new(path, four[1].line, what)).collect()
}

/// Statics that can change: what is shared is built once, in server, and handed down.
fn global_state(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let what = |name: &str| format!("{name} is global state: build it in server and hand it down");
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is("lazy_static") {
            findings.push(Finding::new(path, token.line, what("lazy_static")));
        }
        // The tick of the lifetime `'static` is a token of its own.
        let is_lifetime = at > 0 && tokens[at - 1].is("'");
        if !token.is("static") || is_lifetime {
            continue;
        }
        let declaration: Vec<&Token> =
            tokens[at + 1..].iter().take_while(|it| !it.is("=") && !it.is(";") && !it.is("{")).collect();
        let is_mut = declaration.first().is_some_and(|it| it.is("mut"));
        let name = declaration.get(usize::from(is_mut)).map_or("static", |it| it.text.as_str());
        let is_allowed =
            ALLOWED_STATICS.iter().any(|(file, allowed, _why)| *file == path && *allowed == name);
        if (is_mut || declaration.iter().any(|it| can_change(&it.text))) && !is_allowed {
            findings.push(Finding::new(path, token.line, what(name)));
        }
    }
    findings
}

/// Whether a static of this type can change behind a shared reference.
fn can_change(type_name: &str) -> bool {
    ["OnceLock", "LazyLock", "OnceCell", "LazyCell", "Lazy", "Mutex", "RwLock", "RefCell", "Cell"]
        .contains(&type_name)
        || type_name.starts_with("Atomic")
}

/// SQL, recognized by its upper-case keywords, in strings.
fn sql(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let found = tokens.iter().filter(|token| token.is_string() && looks_like_sql(&token.text));
    let what = "SQL outside store: make it a method of store";
    found.map(|token| Finding::new(path, token.line, what)).collect()
}

fn looks_like_sql(text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let updates = text.split_once("UPDATE ").is_some_and(|(_, rest)| rest.contains(" SET "));
    updates || ["SELECT ", "INSERT INTO", "DELETE FROM"].iter().any(|keyword| text.contains(keyword))
}

/// Input, output and the time, in crates that promise to be pure.
fn impurities(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let reached = if token.is("std") && !tokens[at + 1..].is_empty() {
            std_modules(&tokens[at + 1..])
        } else if ["SystemTime", "Instant"].iter().any(|name| token.is(name)) {
            vec![token.text.as_str()]
        } else {
            Vec::new()
        };
        for name in reached
            .into_iter()
            .filter(|name| ["fs", "net", "process", "SystemTime", "Instant"].contains(name))
        {
            let what = format!("{name} in a pure crate: take what it gives as an argument");
            findings.push(Finding::new(path, token.line, what));
        }
    }
    findings
}

/// The modules named in the path behind `std`: one in `std::fs`, several in `use std::{fs, io}`.
fn std_modules(behind: &[Token]) -> Vec<&str> {
    let [first, second, third, rest @ ..] = behind else { return Vec::new() };
    if !first.is(":") || !second.is(":") {
        return Vec::new();
    }
    if !third.is("{") {
        return vec![&third.text];
    }
    let mut names = Vec::new();
    let (mut depth, mut is_start) = (1, true);
    for token in rest {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && is_start => names.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        is_start = token.is(",");
    }
    names
}

fn matches(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() == texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.is(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{places, tree};

    /// The lines of the findings in a file of the crate api.
    fn lines(text: &str) -> Vec<usize> {
        lines_in("crates/api/src/a.rs", text)
    }

    fn lines_in(path: &str, text: &str) -> Vec<usize> {
        check(&tree(&[(path, text)])).iter().map(|it| it.line).collect()
    }

    #[test]
    fn placeholders_are_found_in_tests_too() {
        assert_eq!(lines("fn a() { todo!() }\n#[cfg(test)]\nmod tests {\nfn b() { dbg!(1); }\n}"), [1, 4]);
        assert_eq!(lines("// todo!()\nfn a() -> &'static str { \"todo!()\" }"), [0; 0]);
        assert_eq!(lines_in("crates/server/tests/it/main.rs", "fn a() { unimplemented!() }"), [1]);
    }

    #[test]
    fn no_test_is_ignored() {
        assert_eq!(lines("#[cfg(test)]\nmod tests {\n#[test]\n#[ignore = \"slow\"]\nfn a() {}\n}"), [4]);
    }

    #[test]
    fn unwrap_is_for_tests_only() {
        assert_eq!(lines("fn a() {\n    b\n        .unwrap();\n}"), [3]);
        assert_eq!(
            lines("fn a() { b.unwrap_or(1); }\n#[cfg(test)] mod tests { fn c() { d.unwrap(); } }"),
            [0; 0]
        );
        assert_eq!(lines_in("xtask/src/a.rs", "fn a() { b.unwrap(); }"), [0; 0]);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test() {
        let lib = "#[cfg(test)]\nmod c;\n#[cfg(feature = \"testing\")]\npub mod d;\nmod e;";
        let files =
            ["lib.rs", "c.rs", "c/f.rs", "d.rs", "e.rs", "e/c.rs"].map(|name| format!("crates/a/src/{name}"));
        let text = |path: &str| if path.ends_with("lib.rs") { lib } else { "fn a() { b.unwrap(); }" };
        let found = check(&tree(&files.each_ref().map(|path| (path.as_str(), text(path)))));
        assert_eq!(places(&found), ["crates/a/src/e.rs:1", "crates/a/src/e/c.rs:1"]);
    }

    #[test]
    fn a_static_never_changes() {
        assert_eq!(lines("static mut A: u8 = 0;"), [1]);
        assert_eq!(lines("static A: std::sync::LazyLock<u8> = B;"), [1]);
        assert_eq!(lines("pub(crate) static A: Mutex<Vec<&'static str>> = B;"), [1]);
        assert_eq!(lines("static A: &[&str] = &[]; fn f(a: &'static Mutex<u8>) {}"), [0; 0]);
        for (file, name, _why) in ALLOWED_STATICS {
            assert_eq!(lines_in(file, &format!("task_local! {{ static {name}: RefCell<u8>; }}")), [0; 0]);
        }
        assert_eq!(lines("static A: u8 = 1; fn f(a: Mutex<u8>) {}"), [0; 0]);
    }

    #[test]
    fn sql_stays_in_store() {
        let text = "const A: &str = \"SELECT 1\";\nconst B: &str = \"UPDATE a\n SET b = 1\";\n";
        assert_eq!(lines(text), [1, 2]);
        assert_eq!(lines_in("crates/store/src/a.rs", text), [0; 0]);
        assert_eq!(
            lines("// SELECT 1\n/// DELETE FROM a\nconst A: &str = \"Select a date, UPDATE it\";"),
            [0; 0]
        );
    }

    #[test]
    fn connectors_do_no_io() {
        let path = "crates/connectors/src/a.rs";
        assert_eq!(lines_in(path, "use std::fs;"), [1]);
        assert_eq!(lines_in(path, "use std::{fmt, net::{self, TcpStream}};"), [1]);
        assert_eq!(lines_in(path, "fn a() { std::time::SystemTime::now(); }"), [1]);
        assert_eq!(lines_in(path, "use std::{fmt, collections::{BTreeMap, fs}};"), [0; 0]);
        assert_eq!(lines_in(path, "#[cfg(test)] mod tests { use std::fs; }"), [0; 0]);
        assert_eq!(lines("use std::fs;"), [0; 0]);
    }

    #[test]
    fn a_file_that_is_not_rust_is_named() {
        let found = check(&tree(&[("xtask/src/a.rs", "fn a( {")]));
        assert_eq!(places(&found), ["xtask/src/a.rs:1"]);
    }
}
