//! Which crate may depend on which, which libraries belong to one crate only, and whether the fuzzer keeps up.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::Finding;
use crate::{
    fuzz::PACKAGE,
    workspace::{Package, Workspace, cargo},
};

/// From the bottom up. A crate depends only on crates of lower layers, so those of one layer don't know each other.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["connectors", "metrics", "seal", "store"],
    &["ingest", "delivery"],
    &["reconcile", "recordings"],
    &["api", "dashboard"],
    &["inboundflow"],
    // It knows none of ours, so that it can be tried on any sender.
    &["conform", "xtask"],
];

/// Libraries that some crates may not depend on.
const CONFINED: &[Confined] = &[
    Confined {
        libraries: &["axum", "axum-extra"],
        barred: |name| {
            [
                "model",
                "connectors",
                "metrics",
                "seal",
                "store",
                "ingest",
                "delivery",
                "reconcile",
                "recordings",
            ]
            .contains(&name)
        },
        instead: "HTTP handlers belong to api",
    },
    Confined {
        libraries: &["rusqlite", "tokio-postgres", "deadpool-postgres", "refinery"],
        barred: |name| !["store", "xtask"].contains(&name),
        instead: "ask the database through store",
    },
    Confined {
        libraries: &["tokio", "reqwest", "hyper", "async-std", "ureq"],
        barred: |name| name == "connectors",
        instead: "connectors are pure: let the caller do the input and output",
    },
];

struct Confined {
    libraries: &'static [&'static str],
    barred: fn(&str) -> bool,
    instead: &'static str,
}

/// Dependencies among our crates point down the layers.
pub(super) fn layers(workspace: &Workspace) -> Vec<Finding> {
    workspace.packages.iter().flat_map(|package| layers_of(package, &workspace.root)).collect()
}

fn layers_of(package: &Package, root: &Path) -> Vec<Finding> {
    let manifest = package.manifest(root);
    let Some(own) = layer(&package.name) else {
        let what = format!("crate {} has no layer: give it one in xtask/src/tidy/crates.rs", package.name);
        return vec![Finding::new(&manifest, 1, what)];
    };
    let is_wrong = |name: &&str| layer(name).is_some_and(|other| other >= own);
    let finding = |name| {
        let what = format!("{} may not depend on {name}: move what it needs to a lower layer", package.name);
        Finding::new(&manifest, 1, what)
    };
    package.normal_dependencies().filter(is_wrong).map(finding).collect()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|names| names.contains(&name))
}

/// Some libraries stay in the crates they were taken for.
pub(super) fn confined_dependencies(workspace: &Workspace) -> Vec<Finding> {
    workspace.packages.iter().flat_map(|package| confined_in(package, &workspace.root)).collect()
}

fn confined_in(package: &Package, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for confined in CONFINED.iter().filter(|confined| (confined.barred)(&package.name)) {
        for library in package.normal_dependencies().filter(|name| confined.libraries.contains(name)) {
            let what = format!("{} may not depend on {library}: {}", package.name, confined.instead);
            findings.push(Finding::new(&package.manifest(root), 1, what));
        }
    }
    findings
}

/// The fuzzer is a workspace of its own, whose lock file nobody updates who adds a dependency here; and it is built last.
pub(super) fn fuzzer_lock(root: &Path) -> Result<Vec<Finding>> {
    let manifest = format!("{PACKAGE}/Cargo.toml");
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(root.join(&manifest))
        .output()
        .context("cannot run cargo metadata")?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let what = format!(
        "run `cargo metadata --manifest-path {manifest}`, which updates it; cargo says: {}",
        error.trim()
    );
    Ok(vec![Finding::new(&format!("{PACKAGE}/Cargo.lock"), 1, what)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn whats(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|it| it.what.as_str()).collect()
    }

    fn workspace(name: &str, dependencies: &[(&str, Option<&str>)]) -> Workspace {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).into(),
            kind: kind.map(str::to_owned),
        };
        let package = Package {
            name: name.into(),
            manifest_path: format!("/repo/crates/{name}/Cargo.toml").into(),
            dependencies: dependencies.iter().map(dependency).collect(),
        };
        Workspace { root: "/repo".into(), target: "/repo/target".into(), packages: vec![package] }
    }

    #[test]
    fn a_crate_depends_on_lower_layers_only() {
        let fine =
            workspace("ingest", &[("model", None), ("store", None), ("connectors", None), ("serde", None)]);
        assert_eq!(layers(&fine), []);
        let upwards = layers(&workspace("store", &[("api", None)]));
        assert_eq!(whats(&upwards), ["store may not depend on api: move what it needs to a lower layer"]);
        assert_eq!(upwards[0].file, "crates/store/Cargo.toml");
    }

    #[test]
    fn crates_of_one_layer_do_not_know_each_other() {
        assert_eq!(layers(&workspace("ingest", &[("delivery", None)])).len(), 1);
        assert_eq!(layers(&workspace("connectors", &[("store", None)])).len(), 1);
    }

    #[test]
    fn tests_may_depend_on_anything() {
        assert_eq!(layers(&workspace("store", &[("ingest", Some("dev"))])), []);
        assert_eq!(confined_dependencies(&workspace("connectors", &[("tokio", Some("dev"))])), []);
    }

    #[test]
    fn a_new_crate_must_be_given_a_layer() {
        assert_eq!(layers(&workspace("billing", &[])).len(), 1);
    }

    #[test]
    fn libraries_stay_where_they_belong() {
        assert_eq!(confined_dependencies(&workspace("delivery", &[("axum", None)])).len(), 1);
        assert_eq!(confined_dependencies(&workspace("api", &[("axum", None), ("rusqlite", None)])).len(), 1);
        assert_eq!(
            confined_dependencies(&workspace("connectors", &[("reqwest", None), ("serde", None)])).len(),
            1
        );
        assert_eq!(confined_dependencies(&workspace("store", &[("rusqlite", None), ("tokio", None)])), []);
    }
}
