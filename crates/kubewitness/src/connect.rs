//! `kubewitness connect`: exactly what an API server needs to send its audit events here.
//!
//! The API server keeps the path of the URL and drops its query, so the cluster stands in the path and the secret in a
//! header. It reads policy and kubeconfig once, when it starts, and does not start when one of them is missing or wrong.

mod recipes;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use ingest::ClusterName;

use crate::serve::generated_certificates;

/// The policy that is proposed.
pub(crate) const POLICY: &str = include_str!("connect/policy.yaml");

/// How the API server is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// kubeadm: the ClusterConfiguration, or the static Pod's manifest
    Kubeadm,
    /// k3s
    K3s,
    /// RKE2
    Rke2,
    /// kOps
    Kops,
    /// kind: a local cluster to try things with
    Kind,
    /// Any other static Pod or service: the flags and mounts alone
    Static,
}

/// Arguments of `connect`.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// How the API server is run
    #[arg(value_enum)]
    distribution: Distribution,
    /// Name of the cluster, under which its events are kept
    #[arg(long, value_name = "NAME", default_value = "default")]
    cluster: ClusterName,
    /// URL of this server as the control plane reaches it [default: https://HOSTNAME:9443]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Data directory of the server, for its authority and token
    #[arg(long, value_name = "DIR", env = "KUBEWITNESS_DATA_DIR", default_value = "kubewitness-data")]
    data_dir: PathBuf,
    /// PEM of the authority that signed the server's certificate, when it was not made by us
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// Write the files here instead of printing everything
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What a recipe is made of.
pub(crate) struct Connection {
    pub(crate) kubeconfig: String,
    pub(crate) policy: &'static str,
}

pub(crate) fn run(args: &ConnectArgs) -> anyhow::Result<ExitCode> {
    let connection = Connection { kubeconfig: args.kubeconfig()?, policy: POLICY };
    let mut out = anstream::stdout().lock();
    let recipe = recipes::recipe(args.distribution);
    match &args.output {
        None => {
            for (name, text) in connection.files() {
                writeln!(out, "# ---- {}/{name}\n{text}", recipe.directory)?;
            }
        }
        Some(directory) => {
            for (name, text) in connection.files() {
                write_private(&directory.join(name), text)?;
            }
            writeln!(out, "# copy {}/* to {} on every control-plane node", directory.display(), recipe.directory)?;
        }
    }
    write!(out, "{}", recipe.render(&connection))?;
    Ok(ExitCode::SUCCESS)
}

impl Connection {
    fn files(&self) -> [(&'static str, &str); 2] {
        [("kubewitness.yaml", &self.kubeconfig), ("policy.yaml", self.policy)]
    }
}

impl ConnectArgs {
    fn kubeconfig(&self) -> anyhow::Result<String> {
        let authority = match &self.certificate_authority {
            Some(path) => path.clone(),
            None => generated_certificates(&self.data_dir).authority,
        };
        let authority = self.read(&authority)?;
        let token = self.read(&self.data_dir.join("keys/webhook.token"))?;
        let server = self.server.clone().unwrap_or_else(default_server);
        anyhow::ensure!(server.starts_with("https://"), "--server: {server} does not begin with https://");
        let server = format!("{}/v1/audit/{}", server.trim_end_matches('/'), self.cluster);
        Ok(kubeconfig(&server, &STANDARD.encode(authority.trim_end().to_owned() + "\n"), token.trim()))
    }

    fn read(&self, path: &Path) -> anyhow::Result<String> {
        std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read {}: start `kubewitness serve` once, and name its directory with --data-dir",
                path.display()
            )
        })
    }
}

fn default_server() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() { "localhost" } else { name.trim() };
    format!("https://{}:9443", name.to_ascii_lowercase())
}

fn kubeconfig(server: &str, authority: &str, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kubewitness
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: kube-apiserver
  user:
    token: {token}
contexts:
- name: kubewitness
  context:
    cluster: kubewitness
    user: kube-apiserver
current-context: kubewitness
"
    )
}

/// The kubeconfig holds a secret: only its owner may read it.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(failed)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_one_that_the_api_server_loads() {
        for server in policy::ServerVersion::all() {
            let loaded = policy::load(POLICY.as_bytes(), server);
            assert!(loaded.policy.is_ok() && loaded.warning.is_none(), "{server:?}");
        }
    }

    #[test]
    fn every_recipe_names_both_files_and_the_flags() {
        let connection =
            Connection { kubeconfig: kubeconfig("https://a:9443/v1/audit/x", "QQ==", "secret"), policy: POLICY };
        for distribution in Distribution::value_variants() {
            let text = recipes::recipe(*distribution).render(&connection);
            for part in ["policy.yaml", "kubewitness.yaml"] {
                assert!(text.contains(part), "{distribution:?} {part}");
            }
            assert!(text.to_lowercase().replace('-', "").contains("auditwebhookinitialbackoff"), "{distribution:?}");
        }
    }
}
