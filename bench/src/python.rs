//! The peers that come as Python packages, in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process::{self, Usage};
use crate::questions::Answer;

/// What is installed, pinned so that two runs compare.
const PACKAGES: &[&str] = &["duckdb==2.0.0", "chdb==4.4.0", "pytz==2025.2"];

/// A Python with the peers in it.
pub(crate) struct Python {
    program: PathBuf,
    scripts: PathBuf,
    scratch: PathBuf,
}

/// What a script that asks questions says.
#[derive(Deserialize)]
pub(crate) struct Answers {
    pub(crate) version: String,
    pub(crate) answers: Vec<Answer>,
}

impl Python {
    /// Makes the environment in `cache`, or takes the one that is there.
    pub(crate) fn prepare(repository: &Path, cache: &Path) -> Result<Self> {
        let home = cache.join("python");
        let program = home.join("bin/python");
        let installed = home.join("installed.txt");
        if std::fs::read_to_string(&installed).unwrap_or_default() != PACKAGES.join("\n") {
            println!("installing {}", PACKAGES.join(", "));
            process::run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            process::run(Command::new(&program).args(install).args(PACKAGES))?;
            std::fs::write(installed, PACKAGES.join("\n"))?;
        }
        Ok(Self { program, scripts: repository.join("bench/peers"), scratch: cache.to_owned() })
    }

    /// Runs a script with these arguments and this standard input; what it prints is JSON.
    pub(crate) fn run<T: DeserializeOwned>(
        &self,
        script: &str,
        arguments: &[&Path],
        input: &str,
    ) -> Result<(T, Usage)> {
        let (asked, said) = (self.scratch.join("asked.json"), self.scratch.join("said.json"));
        std::fs::write(&asked, input)?;
        let usage = process::run(
            Command::new(&self.program)
                .arg(self.scripts.join(script))
                .args(arguments)
                .stdin(Stdio::from(std::fs::File::open(&asked)?))
                .stdout(Stdio::from(std::fs::File::create(&said)?)),
        )?;
        let text = std::fs::read_to_string(&said)?;
        let result = serde_json::from_str(&text).with_context(|| format!("{script} said {text:.300}"))?;
        Ok((result, usage))
    }

    /// Asks questions so many times each, after one time that does not count.
    pub(crate) fn ask(&self, script: &str, target: &Path, questions: &[String], repetitions: u32) -> Result<Answers> {
        let input = serde_json::json!({ "questions": questions, "repetitions": repetitions }).to_string();
        let (answers, _): (Answers, Usage) = self.run(script, &[target], &input)?;
        ensure!(answers.answers.len() == questions.len(), "{script} left questions out");
        Ok(answers)
    }
}
