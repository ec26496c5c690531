//! An adapter that is a program: it is run once for each thing that is asked of it, with the thing as its last argument
//! and JSON on its standard input, and answers with JSON on its standard output.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Created, Endpoint, Seen};

/// A program that speaks with some sender.
pub struct Program {
    command: Vec<String>,
}

/// What a program says to `create-endpoint`.
#[derive(Deserialize)]
#[serde(untagged)]
enum SaidCreated {
    Refused { refused: String },
    Made(Endpoint),
}

impl Program {
    /// A program with its first arguments.
    pub fn new(command: Vec<String>) -> Result<Self> {
        ensure!(!command.is_empty(), "the adapter's command is empty");
        Ok(Self { command })
    }

    pub(super) async fn create_endpoint(&self, url: &str, secret: &str) -> Result<Created> {
        let said = self.run("create-endpoint", json!({"url": url, "secret": secret})).await?;
        match serde_json::from_value(said.clone()) {
            Ok(SaidCreated::Made(endpoint)) => Ok(Created::Made(endpoint)),
            Ok(SaidCreated::Refused { refused }) => Ok(Created::Refused(refused)),
            Err(_) => anyhow::bail!(
                "create-endpoint must answer {{\"endpoint\": …}} or {{\"refused\": …}}, and answered {said}"
            ),
        }
    }

    pub(super) async fn trigger(&self) -> Result<()> {
        self.run("trigger", json!({})).await.map(|_| ())
    }

    pub(super) async fn state(&self, endpoint: &str) -> Result<Option<Seen>> {
        let said = self.run("state", json!({"endpoint": endpoint})).await?;
        serde_json::from_value(said.clone()).with_context(|| {
            format!("state must answer {{\"state\": …, \"attempts\": …}} or null, and answered {said}")
        })
    }

    pub(super) async fn delete_endpoint(&self, endpoint: &str) -> Result<()> {
        self.run("delete-endpoint", json!({"endpoint": endpoint})).await.map(|_| ())
    }

    /// Runs the program once. What it says on standard error is passed on.
    async fn run(&self, verb: &'static str, input: Value) -> Result<Value> {
        let command = self.command.clone();
        tokio::task::spawn_blocking(move || run(&command, verb, &input)).await?
    }
}

fn run(command: &[String], verb: &str, input: &Value) -> Result<Value> {
    let shown = || format!("{} {verb}", command.join(" "));
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(shown)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read its input needs none.
        let _ = stdin.write_all(input.to_string().as_bytes());
    }
    let output = child.wait_with_output().with_context(shown)?;
    ensure!(output.status.success(), "{}: {}", shown(), output.status);
    if output.stdout.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{}: its answer is no JSON", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::State;

    /// A program that says this, whatever it is asked.
    fn saying(words: &str) -> Program {
        let command = ["sh", "-c", &format!("cat >/dev/null; echo '{words}'"), "adapter"];
        Program::new(command.map(str::to_owned).to_vec()).expect("a command")
    }

    #[tokio::test]
    async fn a_program_is_asked_by_its_last_argument_and_its_input() {
        let script = r#"echo "{\"refused\": \"$1, $(tr -d '"{}')\"}""#;
        let command = ["sh", "-c", script, "adapter"].map(str::to_owned).to_vec();
        let program = Program::new(command).expect("a command");
        let said = program.create_endpoint("http://127.0.0.1:1/", "whsec_x").await.expect("an answer");
        let words = "create-endpoint, url:http://127.0.0.1:1/,secret:whsec_x";
        assert_eq!(said, Created::Refused(words.into()));
    }

    #[tokio::test]
    async fn what_a_program_says_is_read_or_quoted() {
        let refused = saying(r#"{"refused": "private"}"#).create_endpoint("", "").await.expect("an answer");
        assert_eq!(refused, Created::Refused("private".into()));
        let seen = saying(r#"{"state": "waiting", "attempts": 2}"#).state("a").await.expect("an answer");
        assert_eq!(seen, Some(Seen { state: State::Waiting, attempts: 2, cause: None }));
        assert_eq!(saying("null").state("a").await.expect("an answer"), None);
        for (words, error) in [
            (r#"{"state": "done"}"#, "state must answer {\"state\": …, \"attempts\": …} or null"),
            ("done", "its answer is no JSON"),
        ] {
            let said = saying(words).state("a").await.expect_err(words).to_string();
            assert!(said.contains(error), "{said}");
        }
        let fails = Program::new(vec!["false".to_owned()]).expect("a command");
        assert!(fails.trigger().await.is_err());
    }
}
