//! One recipe for each way to run an API server: where the files go, which settings, how it takes effect.

use super::{Connection, Distribution};

/// Pause of the API server after a failed attempt. With it a batch survives about four minutes without us; with the default
/// of 10 s it is about 80 s.
const INITIAL_BACKOFF: &str = "30s";

/// What to do on the control plane.
pub(crate) struct Recipe {
    /// Where the two files belong on a control-plane node.
    pub(crate) directory: &'static str,
    /// `{dir}`, `{backoff}`, `{kubeconfig}` and `{policy}` stand for the directory, the pause and the files' indented text.
    text: &'static str,
}

pub(crate) fn recipe(distribution: Distribution) -> Recipe {
    let (directory, text) = match distribution {
        Distribution::Kubeadm => ("/etc/kubernetes/kubewitness", KUBEADM),
        Distribution::K3s => ("/etc/rancher/k3s/kubewitness", K3S),
        Distribution::Rke2 => ("/etc/rancher/rke2/kubewitness", RKE2),
        Distribution::Kops => ("/srv/kubernetes/kube-apiserver/kubewitness", KOPS),
        Distribution::Kind => ("./kubewitness", KIND),
        Distribution::Static => ("/etc/kubernetes/kubewitness", STATIC),
    };
    Recipe { directory, text }
}

impl Recipe {
    pub(crate) fn render(&self, connection: &Connection) -> String {
        self.text
            .replace("{dir}", self.directory)
            .replace("{backoff}", INITIAL_BACKOFF)
            .replace("{kubeconfig}", &indented(&connection.kubeconfig))
            .replace("{policy}", &indented(connection.policy))
    }
}

/// As the content of a YAML block four levels in.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

const KUBEADM: &str = "\
# ---- steps (kubeadm)
# 1. Put both files into {dir} on EVERY control-plane node first: a missing file keeps the API server from starting.
# 2. Add this to the ClusterConfiguration (kubectl -n kube-system edit configmap kubeadm-config):
apiServer:
  extraArgs:
  - {name: audit-policy-file, value: {dir}/policy.yaml}
  - {name: audit-webhook-config-file, value: {dir}/kubewitness.yaml}
  - {name: audit-webhook-initial-backoff, value: {backoff}}
  extraVolumes:
  - {name: kubewitness, hostPath: {dir}, mountPath: {dir}, readOnly: true, pathType: Directory}
# 3. On one node after the other:
#      kubeadm init phase control-plane apiserver --config <(kubectl -n kube-system get cm kubeadm-config -o jsonpath='{.data.ClusterConfiguration}')
#      until kubectl get --raw /readyz; do sleep 2; done
#    The kubelet restarts the API server because its manifest changed; changing only the policy file later does nothing.
# 4. See it arrive:  kubewitness tail ''
# Back: remove the lines from the ClusterConfiguration and repeat step 3.
";

const K3S: &str = "\
# ---- steps (k3s)
# 1. Put both files into {dir} on every server node.
# 2. Add this to /etc/rancher/k3s/config.yaml:
kube-apiserver-arg:
- audit-policy-file={dir}/policy.yaml
- audit-webhook-config-file={dir}/kubewitness.yaml
- audit-webhook-initial-backoff={backoff}
# 3. On one node after the other:  systemctl restart k3s
# 4. See it arrive:  kubewitness tail ''
";

const RKE2: &str = "\
# ---- steps (RKE2)
# 1. Put both files into {dir} on every server node. With SELinux:  chcon -Rt container_file_t {dir}
# 2. Add this to /etc/rancher/rke2/config.yaml:
kube-apiserver-arg:
- audit-policy-file={dir}/policy.yaml
- audit-webhook-config-file={dir}/kubewitness.yaml
- audit-webhook-initial-backoff={backoff}
kube-apiserver-extra-mount:
- {dir}:{dir}:ro
# 3. On one node after the other:  systemctl restart rke2-server
# 4. See it arrive:  kubewitness tail ''
";

const KOPS: &str = "\
# ---- steps (kOps)
# 1. kops edit cluster, and add this. The file assets must have the role ControlPlane, or the API server does not start.
spec:
  fileAssets:
  - name: kubewitness-policy
    path: {dir}/policy.yaml
    roles: [ControlPlane]
    content: |
{policy}  - name: kubewitness-kubeconfig
    path: {dir}/kubewitness.yaml
    roles: [ControlPlane]
    content: |
{kubeconfig}  kubeAPIServer:
    auditPolicyFile: {dir}/policy.yaml
    auditWebhookConfigFile: {dir}/kubewitness.yaml
    auditWebhookInitialBackoff: {backoff}
# 2. kops update cluster --yes && kops rolling-update cluster --instance-group-roles control-plane --yes
# 3. See it arrive:  kubewitness tail ''
";

const KIND: &str = "\
# ---- steps (kind)
# 1. Put both files into {dir} beside this configuration; the server must be reachable from inside Docker, for example
#    with --server https://host.docker.internal:9443 and that name in webhook.names.
# 2. kind create cluster --config kind.yaml, with this as kind.yaml:
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - {hostPath: {dir}, containerPath: /etc/kubernetes/kubewitness, readOnly: true}
  kubeadmConfigPatches:
  - |
    kind: ClusterConfiguration
    apiServer:
      extraArgs:
        audit-policy-file: /etc/kubernetes/kubewitness/policy.yaml
        audit-webhook-config-file: /etc/kubernetes/kubewitness/kubewitness.yaml
        audit-webhook-initial-backoff: {backoff}
      extraVolumes:
      - {name: kubewitness, hostPath: /etc/kubernetes/kubewitness, mountPath: /etc/kubernetes/kubewitness, readOnly: true, pathType: Directory}
# 3. See it arrive:  kubewitness tail ''
";

const STATIC: &str = "\
# ---- steps (static Pod, or a service without mounts)
# 1. Put both files into {dir} on every control-plane node first: a missing file keeps the API server from starting.
# 2. Flags of kube-apiserver:
#      --audit-policy-file={dir}/policy.yaml
#      --audit-webhook-config-file={dir}/kubewitness.yaml
#      --audit-webhook-initial-backoff={backoff}
# 3. In a static Pod (/etc/kubernetes/manifests/kube-apiserver.yaml) also:
    volumeMounts:
    - {name: kubewitness, mountPath: {dir}, readOnly: true}
  volumes:
  - {name: kubewitness, hostPath: {path: {dir}, type: Directory}}
# 4. The API server reads both files when it starts; a change of the manifest restarts it.
# 5. See it arrive:  kubewitness tail ''
# A second channel that survives a long outage of this server: --audit-log-path=/var/log/kubernetes/audit.log, followed
# there by kubewitness serve --tail /var/log/kubernetes/audit.log
";
