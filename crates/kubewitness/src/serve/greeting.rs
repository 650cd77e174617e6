//! What a person is told when everything listens.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use ingest::Fingerprint;

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    pub(crate) webhook: String,
    /// File of the token that senders show.
    pub(crate) webhook_token: PathBuf,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) api: String,
    pub(crate) api_token: Option<PathBuf>,
    pub(crate) data_dir: PathBuf,
}

impl Greeting {
    /// Prints it. A closed output is no reason not to serve.
    pub(crate) fn print(&self) {
        let _ = self.write(&mut anstream::stdout().lock());
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "webhook      {}", self.webhook)?;
        writeln!(out, "token        {}", self.webhook_token.display())?;
        if let Some(fingerprint) = &self.fingerprint {
            writeln!(out, "certificate  SHA256 {fingerprint}")?;
        }
        writeln!(out, "api          {}", self.api)?;
        if let Some(path) = &self.api_token {
            writeln!(out, "api token    {}", path.display())?;
        }
        let data_dir = self.data_dir.display();
        writeln!(out, "data         {data_dir}\n")?;
        writeln!(out, "next")?;
        writeln!(out, "  kubewitness connect kubeadm --data-dir {data_dir}   # how to point an API server here")?;
        writeln!(out, "  curl -s {}/api/v1/stats   # what is in it", self.api)?;
        writeln!(out, "  kubewitness search 'verb:delete' --since 1h --data-dir {data_dir}")?;
        out.flush()
    }
}

/// The address as a client would write it: unspecified becomes localhost.
pub(crate) fn url(scheme: &str, address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}", address.port()),
        false => format!("{scheme}://{address}"),
    }
}
