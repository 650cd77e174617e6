//! `kubewitness policy explain`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use policy::{Explanation, Request, ServerVersion, Target};

use super::input;
use crate::output::ReportFormat;

/// Exit codes: 0 the request is recorded, 1 it is not, 2 wrong command line, 3 a file cannot be read.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// The request: `alice GET /api/v1/namespaces/web/pods/x/exec`, with groups `alice[dev,ops] GET …`, without a
    /// user (a failed authentication) `- GET …`
    #[arg(value_name = "REQUEST")]
    request: String,
    /// A group of the user; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// API server that loads the policy
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

impl Explain {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let policy = input::policy(&self.policy, self.server_version)?;
        let request = self.parse()?;
        let explanation = policy::explain(&policy, &request);
        let mut out = anstream::stdout();
        match self.output {
            ReportFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?,
            ReportFormat::Text => text(&request, &explanation, &mut out)?,
        }
        Ok(crate::exit::found(!explanation.stages.is_empty()))
    }

    fn parse(&self) -> anyhow::Result<Request<'static>> {
        let usage = "write the request as: USER METHOD URI, for example: alice GET /api/v1/namespaces/web/pods/x/exec";
        let (mut user, method, uri) = policy::parse_request_line(&self.request).context(usage)?;
        if let Some(user) = &mut user {
            user.groups.extend(self.groups.iter().map(|group| group.clone().into()));
            let is_anonymous = user.name == "system:anonymous";
            let usual = if is_anonymous { "system:unauthenticated" } else { "system:authenticated" };
            if !user.groups.iter().any(|group| group == usual) {
                user.groups.push(usual.into());
            }
        }
        let mut request = Target::parse(uri)?.request(&method.to_ascii_uppercase())?;
        request.user = user;
        Ok(request)
    }
}

fn text(request: &Request<'_>, found: &Explanation, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let who = request.user.as_ref().map_or("nobody (not authenticated)", |user| &user.name);
    let what = if request.resource_request {
        let group = if request.api_group.is_empty() { "core" } else { &request.api_group };
        format!("{} {} ({group})", request.verb, request.combined_resource())
    } else {
        format!("{} {}", request.verb, request.path)
    };
    writeln!(out, "{who}: {what}")?;
    for (label, value) in [("namespace", &request.namespace), ("name", &request.name)] {
        if !value.is_empty() {
            writeln!(out, "  {label}: {value}")?;
        }
    }
    for passed in &found.passed {
        writeln!(out, "  rule {}: no, {}", passed.rule + 1, passed.because)?;
    }
    match found.rule {
        Some(rule) => writeln!(out, "  rule {}: matches, level {}", rule + 1, found.level)?,
        None => writeln!(out, "  no rule matches: nothing is recorded")?,
    }
    let names = |stages: &[policy::Stage]| stages.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
    if found.stages.is_empty() {
        writeln!(out, "no event")?;
    } else {
        writeln!(out, "events at: {}", names(&found.stages))?;
    }
    if found.rule.is_some() && !found.omitted_stages.is_empty() {
        writeln!(out, "none at: {}", names(&found.omitted_stages))?;
    }
    if !found.stages.is_empty() {
        writeln!(out, "they hold: {}", found.holds.join("; "))?;
        writeln!(out, "they lack: {}", if found.lacks.is_empty() { "nothing".into() } else { found.lacks.join("; ") })?;
        if found.omit_managed_fields {
            writeln!(out, "managedFields are removed from bodies")?;
        }
    }
    Ok(())
}
