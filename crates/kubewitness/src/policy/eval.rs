//! `kubewitness policy eval`

use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use policy::{Decision, Evaluator, Request, ServerVersion};
use serde::Deserialize;
use serde_json::json;

use super::input;

/// Each input line is a request: `{"user":{"name","groups"},"verb","namespace","apiGroup","resource",…}`, or an
/// object that holds one as `attrs`. Each output line holds `level`, `omitStages`, `omitManagedFields` and `rule`,
/// the index of the rule that decided or -1.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// File of requests, one JSON object a line (`.gz` and `.zst` are decompressed); `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    requests: PathBuf,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Ndjson)]
    output: Output,
    /// API server that loads the policy
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Ndjson,
    Table,
}

#[derive(Deserialize)]
struct Wrapped {
    attrs: Request<'static>,
}

impl Eval {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let evaluator = Evaluator::new(&input::policy(&self.policy, self.server_version)?);
        let mut out = BufWriter::new(std::io::stdout().lock());
        if self.output == Output::Table {
            writeln!(out, "{:>4}  {:<15}  OMITTED STAGES", "RULE", "LEVEL")?;
        }
        for (i, line) in input::lines(&self.requests)?.lines().enumerate() {
            let line = line.with_context(|| format!("cannot read {}", self.requests.display()))?;
            if line.trim().is_empty() {
                continue;
            }
            let request = parse(&line).with_context(|| format!("{}:{}", self.requests.display(), i + 1))?;
            self.write(&evaluator.decide(&request), &mut out)?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, decision: &Decision<'_>, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        match self.output {
            Output::Ndjson => {
                let line = json!({
                    "level": decision.level,
                    "omitStages": decision.omit_stages,
                    "omitManagedFields": decision.omit_managed_fields,
                    "rule": decision.rule.map_or(json!(-1), |rule| json!(rule)),
                });
                writeln!(out, "{line}")?;
            }
            Output::Table => {
                let rule = decision.rule.map_or("-".to_owned(), |rule| (rule + 1).to_string());
                let stages: Vec<&str> = decision.omit_stages.iter().map(|stage| stage.name()).collect();
                writeln!(out, "{rule:>4}  {:<15}  {}", decision.level.name(), stages.join(","))?;
            }
        }
        Ok(())
    }
}

/// A request, bare or as `attrs` of an object.
fn parse(line: &str) -> anyhow::Result<Request<'static>> {
    let value: serde_json::Value = serde_json::from_str(line).context("not a JSON object")?;
    if value.get("attrs").is_some() {
        return Ok(serde_json::from_value::<Wrapped>(value)?.attrs);
    }
    Ok(serde_json::from_value(value)?)
}
