// Command cluster runs a real Kubernetes control plane front in one process: an etcd and a
// kube-apiserver on free ports of 127.0.0.1, with certificates and keys made for this run alone.
//
// It knows nothing of who watches the API server. Everything after `--` goes to kube-apiserver
// unchanged, so the caller decides about audit policy, log and webhook.
//
//	cluster -dir DIR -- --audit-policy-file=… --audit-log-path=…
//
// One line of JSON on standard output says where the API server will answer; whether it is ready is
// for the caller to ask. The process ends on SIGTERM, or when its standard input is closed, which is
// what happens when its parent dies: nothing is left behind.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// Announcement is the line on standard output.
type Announcement struct {
	// Server is the base URL of the API server.
	Server string `json:"server"`
	// CA is the file with the certificate that signed the API server's own.
	CA string `json:"ca"`
	// Version is the Kubernetes version that was built in.
	Version string `json:"version"`
}

func main() {
	dir := flag.String("dir", "", "empty or new directory for certificates, keys and etcd's data")
	flag.Parse()
	if err := run(*dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(dir string, extra []string) error {
	if dir == "" {
		return fmt.Errorf("-dir is required")
	}
	identity, err := createIdentity(filepath.Join(dir, "pki"))
	if err != nil {
		return err
	}
	etcd, err := startEtcd(filepath.Join(dir, "etcd"))
	if err != nil {
		return err
	}
	defer etcd.Close()
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := announce(port, identity); err != nil {
		return err
	}
	go stopWithParent()
	return serve(port, etcd.Config().ListenClientUrls[0].String(), identity, extra)
}

// serve blocks until the API server has been told to stop and has drained, its audit buffer too.
func serve(port int, etcd string, identity identity, extra []string) error {
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/24",
		"--authorization-mode=RBAC",
		"--client-ca-file=" + identity.caCert,
		"--tls-cert-file=" + identity.serverCert,
		"--tls-private-key-file=" + identity.serverKey,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + identity.serviceAccountPublic,
		"--service-account-signing-key-file=" + identity.serviceAccountKey,
	}, extra...))
	return command.Execute()
}

func announce(port int, identity identity) error {
	return json.NewEncoder(os.Stdout).Encode(Announcement{
		Server:  fmt.Sprintf("https://127.0.0.1:%d", port),
		CA:      identity.caCert,
		Version: kubernetesVersion(),
	})
}

// stopWithParent turns the end of standard input into the signal that kube-apiserver drains on.
func stopWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
}

// freePort asks the system for a port. Another process could take it before we listen; on a loopback
// address that is rare, and kube-apiserver then stops with a clear message.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
