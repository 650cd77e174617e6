//! What was checked and how it went.

use std::process::ExitCode;

use anyhow::Result;

/// Verdicts so far; each is printed when it is given.
#[derive(Default)]
pub(crate) struct Verdicts {
    passed: usize,
    failed: usize,
}

impl Verdicts {
    /// Notes how a check went.
    pub(crate) fn note(&mut self, check: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {check}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {check}: {error:#}");
            }
        }
    }

    /// The closing line, and the exit code that goes with it.
    pub(crate) fn close(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
