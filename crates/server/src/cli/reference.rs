//! The commands as a page of the documentation, made from what the command line knows of itself.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// Every command with its options, in Markdown.
pub fn reference() -> String {
    let mut program = Cli::command();
    program.build();
    let mut text = "# Commands\n\nOne binary is the server and its tool. Commands work on the database directly, beside a \
                    running server, and take `--json` for one JSON object instead of text.\n\n"
        .to_owned();
    write_options(&mut text, program.get_arguments().filter(|arg| is_shown(arg)));
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        write_command(&mut text, &format!("inboundflow {}", command.get_name()), command);
    }
    text
}

fn write_command(text: &mut String, name: &str, command: &Command) {
    let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    for inner in &inner {
        write_command(text, &format!("{name} {}", inner.get_name()), inner);
    }
    if !inner.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {name}\n");
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        let _ = writeln!(text, "{about}.\n");
    }
    let own = command.get_arguments().filter(|arg| is_shown(arg) && !arg.is_global_set());
    write_options(text, own);
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

fn write_options<'a>(text: &mut String, options: impl Iterator<Item = &'a Arg>) {
    let mut rows = options.peekable();
    if rows.peek().is_none() {
        return;
    }
    text.push_str("| option | |\n|---|---|\n");
    for arg in rows {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let must = if arg.is_required_set() { "**required** " } else { "" };
        let _ = writeln!(
            text,
            "| `{}` | {must}{} |",
            arg.to_string().replace('|', "\\|"),
            help.replace('|', "\\|")
        );
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_on_the_page() {
        let page = reference();
        for heading in
            ["## inboundflow serve\n", "## inboundflow org create\n", "## inboundflow deliveries recover\n"]
        {
            assert!(page.contains(heading), "{heading}");
        }
        assert!(page.contains("| `--data-dir <FOLDER>` |"), "{page}");
        assert!(page.contains("| `--name <NAME>` | **required** "), "{page}");
        assert!(!page.contains("inboundflow help"));
    }
}
