//! The project's Python code under plain CPython: pytest, mypy --strict and ruff in a virtual environment.

use crate::common::packages::python_tools;
use crate::common::{root, run};
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: [&str; 17] = [
    "pytest==9.2.0",
    "mypy==2.4.1",
    "ruff==0.17.5",
    "httpx==0.28.1",
    // Clients and drivers that the SDK's tests run unmodified.
    "requests==2.34.2",
    "urllib3==2.8.0",
    "pg8000==1.31.6",
    "PyMySQL==1.2.4",
    "redis==8.1.0",
    // What has models.
    "SQLAlchemy==2.1.9",
    "Django==5.2.19",
    "msgspec==0.23.0",
    // Frameworks whose apps run unmodified, and a server to compare with.
    "starlette==1.10.0",
    "fastapi==0.165.0",
    "python-multipart==0.0.34",
    "Flask==3.1.3",
    "uvicorn==0.54.0",
];

/// The folder of the tools' executables.
pub fn tools() -> PathBuf {
    python_tools("python-tools", &TOOLS)
}

fn tool(name: &str, args: &[&str], folder: &str) {
    run(Command::new(tools().join(name)).args(args).current_dir(root().join(folder)));
}

#[test]
fn unit_tests_pass_in_plain_cpython() {
    tool("pytest", &["-q", "-p", "no:cacheprovider"], "guest-python");
}

/// `bolt.testing` as a project would use it: with pytest, against the program.
#[test]
fn a_project_is_tested_through_the_test_client() {
    run(Command::new(tools().join("pytest"))
        .args(["-q", "-p", "no:cacheprovider", "tests/testclient"])
        .env("PYTHONPATH", root().join("guest-python"))
        .env("BOLT_HOST", env!("CARGO_BIN_EXE_bolt-host"))
        .current_dir(root()));
}

#[test]
fn a_new_project_runs_and_its_tests_pass() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-project");
    let _ = std::fs::remove_dir_all(&folder);
    let program = env!("CARGO_BIN_EXE_bolt-host");
    run(Command::new(program).arg("new").arg(&folder));
    let again = Command::new(program).arg("new").arg(&folder).output().unwrap();
    assert!(!again.status.success(), "it must not write over a project");
    let sdk = Command::new(program).arg("sdk").output().unwrap();
    run(Command::new(tools().join("pytest"))
        .args(["-q", "-p", "no:cacheprovider"])
        .env("PYTHONPATH", String::from_utf8(sdk.stdout).unwrap().trim())
        .env("BOLT_HOST", program)
        .current_dir(&folder));
}

#[test]
fn types_are_strict() {
    tool("mypy", &["--no-incremental"], "guest-python");
    tool(
        "mypy",
        &[
            "--no-incremental",
            "--strict",
            "edits.py",
            "run.py",
            "memory.py",
            "modes.py",
            "plot.py",
            "soak_streams.py",
            "tenants.py",
        ],
        "benches",
    );
}

#[test]
fn style_is_kept() {
    tool("ruff", &["check", "--no-cache", "."], "");
    tool("ruff", &["format", "--check", "--no-cache", "."], "");
}
