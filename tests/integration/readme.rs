//! The README's commands, each run as it is printed from the root of a clone.

use crate::common::{BINARY, root};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The commands of all `sh` blocks, a line each.
fn commands() -> Vec<String> {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// A shell at the root of the clone, with the environment of a user. `cargo test` tells the tests which package they are of; a
/// build script that looks at that (ring's) would be run again, and with it four minutes of the release build.
fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(root());
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name.starts_with("CARGO_BIN_")
        {
            shell.env_remove(name);
        }
    }
    shell
}

/// A command that serves until it is dropped. When the tests are killed it ends as well: then its standard input closes.
struct Serving(Child);

impl Serving {
    /// Start it, and wait until it listens.
    fn start(command: &str) -> Self {
        // `cargo run` becomes the program that it runs, so the process of the shell is the server in the end.
        let script = format!("exec 3<&0; (cat <&3 >/dev/null; kill $$) & exec {command}");
        let mut child = shell(&script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_listening = lines.any(|line| line.starts_with("listening on http://127.0.0.1:8000"));
        let serving = Self(child);
        assert!(is_listening, "{command} does not serve");
        std::thread::spawn(move || lines.for_each(drop));
        serving
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CI has made the release build, and runs the command as it is printed. Elsewhere that build takes ten minutes: there cargo is
/// only asked which binary it would run, and the one of these tests is started.
fn cheapest(command: &str) -> String {
    let Some(rest) = command.strip_prefix("cargo run --release -- ") else { return command.to_owned() };
    if std::env::var_os("CI").is_some() {
        return command.to_owned();
    }
    let metadata = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let defaults: Vec<_> = packages.iter().filter_map(|package| package["default_run"].as_str()).collect();
    assert_eq!(defaults, ["bolt-host"], "cargo cannot tell which binary `{command}` means");
    format!("{BINARY} {rest}")
}

#[test]
fn each_command_of_the_readme_does_what_it_says() {
    let commands = commands();
    assert!(commands.len() >= 4, "{commands:?}");
    assert!(commands[0].starts_with("cargo run --release -- dev examples/hello/app.py"), "{commands:?}");
    let mut serving = None;
    for command in commands {
        // It is what runs this.
        if command.starts_with("cargo test") {
            continue;
        }
        if command.contains(" dev ") || command.contains(" run ") && command.contains(".py") {
            serving = Some(Serving::start(&cheapest(&command)));
            continue;
        }
        let output = shell(&command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        if command.starts_with("curl localhost:8000/users") {
            let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert!(answer.get("name").or(answer.get("detail")).is_some(), "{command}\n{said}");
        }
    }
    assert!(serving.is_some(), "no command serves");
}
